"""Mutations: bytes or text in, something like it out. The same for the same seed; no I/O.

Most of what is random is refused by the first check it meets. What finds mistakes is nearly right: a message that the
kernel has written, with a length that is off by one, an end that is missing, the head of another one.
"""

import struct
from collections.abc import Callable, Sequence
from random import Random
from typing import Final

_BYTES: Final = (0x00, 0x01, 0x04, 0x7F, 0x80, 0xC1, 0xFE, 0xFF)
_WORDS: Final = (0, 1, 3, 4, 5, 8, 16, 20, 0xFF, 0x7FFF, 0x8000, 0xFFFF)
_MOST: Final = 32 * 1024
"""Bytes of what comes out, so that what is doubled again and again stays small."""


def _flip(data: bytearray, chance: Random) -> None:
    at = chance.randrange(len(data))
    data[at] ^= 1 << chance.getrandbits(3)


def _set(data: bytearray, chance: Random) -> None:
    data[chance.randrange(len(data))] = chance.choice(_BYTES)


def _length(data: bytearray, chance: Random) -> None:
    """A 16-bit number at a place where headers are, a little more or less, or one at the edge of something."""
    if len(data) < 4:
        return
    at = chance.randrange(len(data) // 4) * 4
    (old,) = struct.unpack_from("=H", data, at)
    new = old + chance.choice((-4, -3, -1, 1, 3, 4)) if chance.getrandbits(1) else chance.choice(_WORDS)
    struct.pack_into("=H", data, at, new & 0xFFFF)


def _cut(data: bytearray, chance: Random) -> None:
    del data[chance.randrange(len(data)) :]


def _cut_word(data: bytearray, chance: Random) -> None:
    del data[chance.randrange(len(data)) & ~3 :]


def _remove(data: bytearray, chance: Random) -> None:
    at = chance.randrange(len(data)) & ~3
    del data[at : at + 4 * chance.randint(1, 8)]


def _repeat(data: bytearray, chance: Random) -> None:
    at = chance.randrange(len(data)) & ~3
    part = data[at : at + 4 * chance.randint(1, 16)]
    if len(data) + len(part) <= _MOST:
        data[at:at] = part


def _insert(data: bytearray, chance: Random) -> None:
    at = chance.randrange(len(data))
    data[at:at] = chance.randbytes(chance.choice((1, 2, 4, 4, 8)))


_IN_PLACE: Final[tuple[Callable[[bytearray, Random], None], ...]] = (_flip, _flip, _set, _length, _length, _length)
_MOVING: Final[tuple[Callable[[bytearray, Random], None], ...]] = (_cut, _cut_word, _remove, _repeat, _insert)
_ALL: Final = (*_IN_PLACE, *_IN_PLACE, *_MOVING)


def mutated(data: bytes, chance: Random, others: Sequence[bytes] = ()) -> bytes:
    """Return `data` after one to four mutations; sometimes its rest is that of one of `others`. May be empty."""
    changed = bytearray(data)
    if others and chance.getrandbits(4) == 0:
        other = chance.choice(others)
        at = chance.randrange(max(1, min(len(data), len(other)))) & ~3
        changed[at:] = other[at:]
    for _ in range(1 + (chance.getrandbits(8) & chance.getrandbits(8) & 3)):
        if not changed:
            break
        chance.choice(_ALL)(changed, chance)
    return bytes(changed)


_LETTERS: Final = (
    *"\0\t\n\r\x0b\x1b\x1c\x7f\x85\xa0\"'\\#;,:.-_[]{}()=*+?|^$/<>!&%@0129azAZ~",
    *("é", "ß", "İ", "\u0301", "\u200b", "\u200d", "\u2028", "\u202e", "\u2066", "\ufeff", "\ufffd", "漢", "٣", "²"),
    *("\U0001f600", "\ud800", "\udcff", "\U000e0001"),
)
"""Characters that mean something to somebody."""


def mutated_text(text: str, chance: Random, words: Sequence[str] = (), *, most: int = 4096) -> str:
    """Return `text` after one to four mutations: letters changed, parts cut, doubled, moved, `words` put in."""
    for _ in range(1 + (chance.getrandbits(8) & chance.getrandbits(8) & 3)):
        at = chance.randrange(len(text) + 1)
        end = at + chance.choice((0, 1, 1, 2, 5, 20))
        match chance.randrange(6):
            case 0:
                new = chance.choice(_LETTERS)
            case 1:
                new = ""
            case 2 if words:
                new = chance.choice(words)
            case 3:
                new = text[at:end] * chance.choice((2, 2, 3, 40))
            case 4:
                begin = chance.randrange(len(text) + 1)
                new = text[begin : begin + chance.randint(1, 12)]
            case _:
                new = "".join(chance.choice(_LETTERS) for _ in range(chance.randint(1, 3)))
        text = (text[:at] + new + text[end:])[:most]
    return text
