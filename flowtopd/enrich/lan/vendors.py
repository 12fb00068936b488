"""Who made a network card: the registry of the IEEE, asked for the prefixes that are needed and no others.

    00-22-72   (hex)            American Micro-Fuel Device Corp.        oui.txt    24 bits
    002272     (base 16)        American Micro-Fuel Device Corp.
    74-1A-E0   (hex)            Private                                 mam.txt    28 bits: a range below 24 bits;
    900000-9FFFFF     (base 16) Private                                 oui36.txt and iab.txt 36 bits

The files have 50 000 entries and 9 MB: they are gone through from the first line to the last, 75 ms, when a MAC comes
that was not asked for before. Only answers are kept, `no vendor` too, for the MACs that were asked for last.

The narrowest range counts: who has a part of a block goes before the registry, which has the block. A MAC that was
made up (bit 1 of its first octet: phones do so for every network) has no vendor.
"""

import contextlib
import re
from collections.abc import Container, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

from flowtopd.enrich.lan.leases.lease import shown

DIRECTORIES: Final = (Path("/usr/share/ieee-data"), Path("/usr/share/hwdata"), Path("/var/lib/ieee-data"))
FILES: Final = ("oui.txt", "mam.txt", "oui36.txt", "iab.txt")

_NOBODY: Final = frozenset(("Private", "IEEE Registration Authority"))
_LOCAL: Final = 0x02
_BLOCK: Final = 1 << 24
_LETTERS: Final = 64
_ENTRY: Final = re.compile(rb"([0-9A-F]{6})(?:-([0-9A-F]{6}))?\s+\(base 16\)\s+(.*)")

_Stamps = tuple[tuple[str, int, int], ...]
_Found = dict[str, tuple[int, str]]
"""By MAC: the width of the range in which it was found, and whose that is."""


class Vendors:
    """Asks the first directory that has the registry. For one thread at a time."""

    def __init__(self, directories: Sequence[Path] = DIRECTORIES) -> None:
        self._directories = directories
        self._stamps: _Stamps = ()
        self._known: dict[str, str | None] = {}

    def of(self, macs: Iterable[str]) -> dict[str, str | None]:
        """The vendor of each MAC (six lower-case pairs with colons), None where there is none or nobody knows."""
        asked = dict.fromkeys(macs)
        directory, stamps = self._registry()
        if stamps != self._stamps:
            self._stamps, self._known = stamps, {}
        new = [mac for mac in asked if mac not in self._known]
        answers: dict[str, str | None] = {mac: self._known.get(mac) for mac in asked}
        real = [mac for mac in new if not int(mac[:2], 16) & _LOCAL]
        if real and directory is not None:
            answers |= _look(directory, real)
        self._known = answers
        return answers

    def _registry(self) -> tuple[Path | None, _Stamps]:
        for directory in self._directories:
            stamps = []
            for name in FILES:
                with contextlib.suppress(OSError):  # most systems have one directory, some only a part of the files
                    status = (directory / name).stat()
                    stamps.append((name, status.st_size, status.st_mtime_ns))
            if stamps:
                return directory, tuple(stamps)
        return None, ()


def _look(directory: Path, macs: Iterable[str]) -> dict[str, str]:
    wanted: dict[bytes, list[tuple[int, str]]] = {}
    for mac in macs:
        block, part = mac[:8].upper().replace(":", "-").encode(), int(mac[9:].replace(":", ""), 16)
        wanted.setdefault(block, []).append((part, mac))
    found: _Found = {}
    for name in FILES:
        with contextlib.suppress(OSError):
            for block, first, last, vendor in _entries(directory / name, wanted):
                for part, mac in wanted[block]:
                    if first <= part <= last and last - first < found.get(mac, (_BLOCK, ""))[0]:
                        found[mac] = last - first, vendor
    return {mac: vendor for mac, (_width, vendor) in found.items() if vendor and vendor not in _NOBODY}


def _entries(path: Path, blocks: Container[bytes]) -> Iterator[tuple[bytes, int, int, str]]:
    """The entries in these blocks of 24 bits: block, first and last of the range in it, vendor."""
    block = b""
    with path.open("rb") as file:
        for line in file:
            if b"(hex)" in line:
                block = line[:8]
            elif block in blocks and (entry := _ENTRY.match(line)):
                first, last = (0, _BLOCK - 1) if entry[2] is None else (int(entry[1], 16), int(entry[2], 16))
                yield block, first, last, shown(entry[3].decode(errors="replace"), _LETTERS)
