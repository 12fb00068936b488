"""Recordings: what a file consists of, from bytes to frames and back. `docs/recording.md` describes it for others.

    ┌───────────┬─────────┬─────────┬─────────┬───
    │ MAGIC  8  │ frame H │ frame K │ frame D │ …       H about the recording, K a whole sample, D what has changed
    └───────────┴─────────┴─────────┴─────────┴───
    ┌─────────────┬────────────┬─────────┬───────────┬────────────────────────┐
    │ length u32  │ crc32 u32  │ kind u8 │ at_ms u64 │ zlib of a msgpack map  │     all big-endian
    └─────────────┴────────────┴─────────┴───────────┴────────────────────────┘

The length counts the map alone, the checksum is over all that follows it. `at_ms` is the time since the recording
began. There is no table of contents: it is found by skipping from length to length, so that a recorder may be killed
at any time. Where a file is cut or broken, it ends, and says so (`trouble`); what was before can be played.

No I/O: bytes in and out, reading is passed in. Memory is bounded by the limits here, whatever is in the file.
"""

import zlib
from array import array
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from struct import Struct
from typing import Any, Final, TypeVar, cast

import msgpack

from flowtopd.wire.errors import RecordingError
from flowtopd.wire.samples import Decoder, Encoder, Sample

MAGIC: Final = b"flowtop\x01"
"""The last byte is the version of the format."""

MAX_FRAME: Final = 16 * 1024 * 1024
"""Longest frame in the file, in bytes."""

MAX_PLAIN: Final = 64 * 1024 * 1024
"""Longest frame when it is unpacked: a whole sample of 200 000 flows is far shorter."""

MAX_LISTS: Final = 2048
MAX_ITEMS: Final = 16 * 1024 * 1024
"""How many lists and maps a frame may have, and how many items all of them together."""

MAX_SECONDS: Final = 10 * 366 * 86_400
"""Longest recording."""

KEY_EVERY: Final = 60
"""A whole sample at least so often, so that nothing is far from one."""

_HEAD: Final = Struct(">IIBQ")
_SEALED: Final = Struct(">BQ")

Read = Callable[[int, int], bytes]
"""Returns so many bytes from this offset on, fewer at the end of the file. May raise OSError."""


_Values = TypeVar("_Values", list[Any], dict[str, Any])


class FrameKind(IntEnum):
    """What a frame is."""

    ABOUT = ord("H")
    KEY = ord("K")
    DELTA = ord("D")


@dataclass(frozen=True, slots=True)
class About:
    """Where and when a recording was made. `start`: Unix seconds, of the first sample."""

    host: str
    program: str
    start: float


class Writer:
    """Makes a recording: `begin` first, then `add` for every sample; what they return is the file."""

    def __init__(self) -> None:
        self._encoder = Encoder()
        self._since_key = 0
        self._key_bytes = self._delta_bytes = 0

    def begin(self, about: About) -> bytes:
        """Return the first bytes of the file."""
        plain = {"host": about.host, "program": about.program, "start": about.start}
        return MAGIC + _frame(FrameKind.ABOUT, 0.0, plain)

    def add(self, sample: Sample) -> bytes:
        """Return the next frame. Raises RecordingError where the sample is too large; it is as if it had not been."""
        # deltas that are as long as four keys cost more time to play than they save room
        is_key = self._since_key % KEY_EVERY == 0 or self._delta_bytes > 4 * self._key_bytes
        changes = None if is_key else self._encoder.delta(sample)
        if changes is not None:
            made = _frame(FrameKind.DELTA, sample.at_s, changes)
            self._delta_bytes += len(made)
        else:
            made = _frame(FrameKind.KEY, sample.at_s, self._encoder.key(sample))
            self._key_bytes, self._delta_bytes, self._since_key = len(made), 0, 0
        self._encoder.settle()
        self._since_key += 1
        return made


def _frame(kind: FrameKind, at_s: float, plain: dict[str, Any]) -> bytes:
    try:
        packed = cast("bytes", msgpack.packb(plain))
    except UnicodeEncodeError:  # lone surrogates: see wire.codec
        packed = cast("bytes", msgpack.packb(plain, unicode_errors="replace"))
    body = zlib.compress(packed)
    if len(packed) > MAX_PLAIN or len(body) > MAX_FRAME:
        raise RecordingError(f"a sample of {len(packed)} bytes, limit {MAX_PLAIN}")
    sealed = _SEALED.pack(kind, round(at_s * 1000)) + body
    return _HEAD.pack(len(body), zlib.crc32(sealed), kind, round(at_s * 1000)) + body


class Recording:
    """A recording that is there. `trouble` says why it ends before its file does; empty while all is well.

    Raises RecordingError where there is nothing to play. A sample that turns out to be broken ends the recording.
    """

    def __init__(self, read: Read, size: int) -> None:
        self._read = read
        self._offsets = array("Q")
        self._times = array("d")
        self._keys = array("Q")
        self._decoder = Decoder()
        self._current: tuple[int, Sample] | None = None
        self._place = 0
        self.trouble = ""
        self.about = self._open(size)
        self.sample(0)

    def __len__(self) -> int:
        """How many samples there are."""
        return len(self._times)

    @property
    def times(self) -> Sequence[float]:
        """When each sample was taken, in seconds since the recording began."""
        return self._times

    @property
    def duration_s(self) -> float:
        """How long it is."""
        return self._times[-1] if self._times else 0.0

    def at(self, seconds: float) -> int:
        """Return the number of the sample that is shown at this time."""
        return min(max(0, bisect_right(self._times, seconds) - 1), len(self) - 1)

    def sample(self, number: int) -> tuple[int, Sample]:
        """Return a sample and its number, which is a smaller one where the recording ends before it."""
        while len(self):
            number = min(number, len(self) - 1)
            try:
                return number, self._reach(number)
            except RecordingError as error:
                self.cut(self._place, str(error))
        raise RecordingError(self.trouble or "there is nothing in it")

    def _reach(self, number: int) -> Sample:
        """Go to a sample: from where we are, or from the last whole one before it."""
        key = self._keys[bisect_right(self._keys, number) - 1]
        if self._current is None or not key <= self._current[0] <= number:
            self._current = None
        first = key if self._current is None else self._current[0] + 1
        for place in range(first, number + 1):
            self._place = place
            kind, plain = self._unpack(self._offsets[place])
            decoded = self._decoder.key(plain) if kind is FrameKind.KEY else self._decoder.delta(plain)
            self._current = place, Sample(self._times[place], *decoded)
        assert self._current is not None
        return self._current[1]

    def cut(self, place: int, why: str) -> None:
        """End the recording before this sample, which cannot be shown."""
        offset = self._offsets[place]
        del self._offsets[place:], self._times[place:]
        self.trouble = self._broken(offset, why)
        while self._keys and self._keys[-1] >= place:
            self._keys.pop()
        if self._current is not None and self._current[0] >= place:
            self._current = None

    def _open(self, size: int) -> About:
        magic = self._bytes(0, len(MAGIC))
        if magic[:-1] != MAGIC[:-1] or not magic:
            raise RecordingError("this is no recording of flowtop")
        if magic != MAGIC:
            raise RecordingError(f"a recording of format {magic[-1]}, this program knows {MAGIC[-1]}")
        kind, plain = self._unpack(len(MAGIC))
        if kind is not FrameKind.ABOUT:
            raise RecordingError("it does not say what it is about")
        host, program, start = (plain.get(name) for name in ("host", "program", "start"))
        if not (isinstance(host, str) and isinstance(program, str) and isinstance(start, float)):
            raise RecordingError("it does not say where it was made")
        self._list(size)
        return About(host, program, start)

    def _list(self, size: int) -> None:
        """Find the samples, by their lengths alone."""
        offset, why = self._end(len(MAGIC)), ""
        while offset < size and not why:
            head = self._bytes(offset, _HEAD.size)
            length, _, kind, at_ms = _HEAD.unpack(head) if len(head) == _HEAD.size else (0, 0, 0, 0)
            if len(head) < _HEAD.size or offset + _HEAD.size + length > size:
                why = "the file ends too early"
            elif (
                not 0 < length <= MAX_FRAME
                or kind not in {FrameKind.KEY, FrameKind.DELTA}
                or not self._follows(at_ms / 1000)
            ):
                why = "what is there is no sample"
            elif kind == FrameKind.DELTA and not self._keys:
                why = "it does not begin with a whole sample"
            else:
                if kind == FrameKind.KEY:
                    self._keys.append(len(self._times))
                self._offsets.append(offset)
                self._times.append(at_ms / 1000)
                offset += _HEAD.size + length
        if why:
            self.trouble = self._broken(offset, why)
        if not self._times:
            raise RecordingError(self.trouble or "there is nothing in it")

    def _broken(self, offset: int, why: str) -> str:
        """What is said of a recording that ends here: after how many seconds is the time of its last good sample."""
        return f"the recording is broken at byte {offset}, after {self.duration_s:.1f} s: {why}"

    def _follows(self, at_s: float) -> bool:
        return (self._times[-1] if self._times else 0.0) <= at_s <= MAX_SECONDS

    def _end(self, offset: int) -> int:
        return offset + _HEAD.size + int(_HEAD.unpack(self._bytes(offset, _HEAD.size))[0])

    def _bytes(self, offset: int, length: int) -> bytes:
        try:
            return self._read(offset, length)
        except OSError as error:
            raise RecordingError(f"cannot be read: {error.strerror or error}") from None

    def _unpack(self, offset: int) -> tuple[FrameKind, dict[str, Any]]:
        """Return what a frame holds, checked as far as that can be told without knowing what it means."""
        head = self._bytes(offset, _HEAD.size)
        if len(head) < _HEAD.size:
            raise RecordingError("the file ends too early")
        length, checksum, kind, at_ms = _HEAD.unpack(head)
        if length > MAX_FRAME or kind not in set(FrameKind):
            raise RecordingError("what is there is no frame")
        body = self._bytes(offset + _HEAD.size, length)
        if zlib.crc32(_SEALED.pack(kind, at_ms) + body) != checksum:
            raise RecordingError("its checksum is wrong")
        return FrameKind(kind), _plain(body)


def _plain(body: bytes) -> dict[str, Any]:
    """Unpack a map, within the limits."""
    unpacker, budget = zlib.decompressobj(), _Budget()
    try:
        packed = unpacker.decompress(body, MAX_PLAIN)
        if unpacker.unconsumed_tail or not unpacker.eof:
            raise RecordingError("a frame that is too long, or cut")
        plain = msgpack.unpackb(packed, strict_map_key=True, list_hook=budget.take, object_hook=budget.take)
    except (zlib.error, ValueError, msgpack.UnpackException, RecursionError) as error:
        # ValueError: see wire.codec
        raise RecordingError(f"it cannot be unpacked: {error or type(error).__name__}") from None
    if type(plain) is not dict:
        raise RecordingError("not a map")
    return plain


class _Budget:
    """Counts what is unpacked: a small file must not become a large heap."""

    def __init__(self) -> None:
        self._lists, self._items = MAX_LISTS, MAX_ITEMS

    def take(self, values: _Values) -> _Values:
        self._lists -= 1
        self._items -= len(values)
        if self._lists < 0 or self._items < 0:
            raise ValueError("more than a sample can hold")
        return values
