"""Places of addresses: which databases are there, which of them are asked, and what they say.

    configured files ─▶ /var/lib/flowtop ─▶ /var/lib/GeoIP ─▶ /usr/share/GeoIP ─▶ the packaged country table

Country and city come from one database, AS number and organisation from one: the first in this order that has them.
Among the configured files, and again among those of the directories, one with cities goes before one with countries;
within a directory the newest is taken. What a file has is told by its contents, never by its name.

Rules
1. Nothing is read before somebody asks. `refresh` costs a few `stat` calls while nothing changes.
2. A file that is broken or has nothing of use is named once, and the next one is asked. One that breaks while it is
   in use leaves its addresses unknown until the next `refresh`.
3. A file that was replaced is read until `refresh` takes the new one.
4. Not for several threads at once.
"""

import contextlib
import ipaddress
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from flowtopd.enrich.geoip.mmdb import NOWHERE, BrokenDatabaseError, Halves, Mmdb, Offsets
from flowtopd.enrich.geoip.packaged import PACKAGED, unpack
from flowtopd.enrich.geoip.records import UNKNOWN, Facts, Kind, Records, kinds
from flowtopd.flows.dimensions import Place

DIRECTORY: Final = Path("/var/lib/flowtop")
"""Where updates go."""
SYSTEM_DIRECTORIES: Final = (Path("/var/lib/GeoIP"), Path("/usr/share/GeoIP"))

NO_PLACE: Final = Place()

_MOST_FILES: Final = 64
"""Of one directory that are looked at."""
_BETWEEN_CHECKS: Final = 256

_NOT_ANYWHERE: Final = tuple(
    (int(network.network_address), 32 - network.prefixlen)
    for network in map(
        ipaddress.IPv4Network,
        # RFC 6890: this network, private, behind a carrier's NAT, loopback, link-local, private; multicast and reserved
        (
            *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8"),
            *("169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16", "224.0.0.0/3"),
        ),
    )
)
_NAT64: Final = np.uint64(0x0064_FF9B_0000_0000)  # 64:ff9b::/96, RFC 6052
_V4: Final = np.uint64(0xFFFF_0000_0000)

log = logging.getLogger(__name__)

_Stamp = tuple[int, int, int]
"""What tells one version of a file from another: inode, size, time of change in nanoseconds."""


@dataclass(frozen=True, slots=True)
class _Looked:
    """What one version of a file turned out to be."""

    stamp: _Stamp
    kinds: frozenset[Kind]
    built_s: int


@dataclass(frozen=True, slots=True, eq=False)
class _Source:
    """A database that is asked."""

    path: Path
    stamp: _Stamp
    database: Mmdb
    records: Records


class Places:
    """The databases of this host. `files` are asked before those in `directories`, the packaged table last."""

    def __init__(
        self,
        files: Sequence[Path] = (),
        directories: Sequence[Path] = (DIRECTORY, *SYSTEM_DIRECTORIES),
        packaged: Path = PACKAGED,
    ) -> None:
        self._files = files
        self._directories = directories
        self._packaged = packaged
        self._stamps: dict[Path, _Stamp] = {}
        self._ready = False
        self._gave_up = False
        self._looked: dict[Path, _Looked] = {}
        self._said: dict[Path, str] = {}
        self._location: _Source | None = None
        self._network: _Source | None = None

    @property
    def known(self) -> tuple[str, ...] | None:
        """What can be told now, of the kinds of facts; None before anybody asked. May be read by any thread."""
        if not self._ready:
            return None
        location, network = self._location, self._network
        kinds_here = set() if location is None else {Kind.COUNTRY} | self._kinds_of(location)
        if network is not None:
            kinds_here.add(Kind.ASN)
        return tuple(str(kind) for kind in Kind if kind in kinds_here)

    def _kinds_of(self, location: _Source) -> set[Kind]:
        looked = self._looked.get(location.path)  # the packaged table is not looked at: it has countries
        return set() if looked is None else set(looked.kinds) - {Kind.ASN}

    def refresh(self) -> bool:
        """Take what is new on disk; return whether other databases than before are asked now."""
        listed = self._list()
        stamps = {path: stamp for files in listed for path, stamp in files}
        if self._ready and not self._gave_up and stamps == self._stamps:
            return False
        for path, stamp in stamps.items():
            if path not in self._looked or self._looked[path].stamp != stamp:
                self._looked[path] = self._look(path, stamp)
        self._looked = {path: self._looked[path] for path in stamps}
        asked = stamps.keys() | {*self._files, self._packaged}
        self._said = {path: reason for path, reason in self._said.items() if path in asked}
        self._stamps, self._ready, self._gave_up = stamps, True, False
        before = (self._location, self._network)
        self._location = self._choose(listed, (Kind.CITY, Kind.COUNTRY), self._location) or self._last_resort()
        self._network = self._choose(listed, (Kind.ASN,), self._network)
        after = (self._location, self._network)
        for source in before:
            if source is not None and source not in after:
                source.database.close()
        return before != after

    def look_in(self, files: Sequence[Path], directories: Sequence[Path]) -> None:
        """Look there from the next `refresh` on, also for what is where it was."""
        self._files, self._directories = files, directories
        self._gave_up = True

    def close(self) -> None:
        """Let go of all files."""
        for source in (self._location, self._network):
            if source is not None:
                source.database.close()
        self._location = self._network = None
        self._ready = False

    # which databases

    def _list(self) -> list[list[tuple[Path, _Stamp]]]:
        """The files that are there with their stamps: each configured one alone, then directory by directory."""
        listed = []
        for path in self._files:
            try:
                listed.append([(path, _stamp(path))])
            except OSError as error:
                self._complain(path, _reason(error))
                listed.append([])
        return listed + [_databases_in(directory) for directory in self._directories]

    def _look(self, path: Path, stamp: _Stamp) -> _Looked:
        try:
            database = Mmdb(path)
            try:
                found = kinds(database)
            finally:
                database.close()
        except (BrokenDatabaseError, OSError) as error:
            self._complain(path, _reason(error))
            return _Looked(stamp, frozenset(), 0)
        if found:
            self._said.pop(path, None)
        else:
            self._complain(path, f"no countries, cities or networks in it (its type is {database.kind[:60]!a})")
        return _Looked(stamp, found, database.built_s)

    def _complain(self, path: Path, reason: str) -> None:
        if self._said.get(path) != reason:
            self._said[path] = reason
            log.warning("%s: %s; it is not used", path, reason)

    def _choose(
        self, listed: list[list[tuple[Path, _Stamp]]], wanted: tuple[Kind, ...], now: _Source | None
    ) -> _Source | None:
        """Open the best database for the first of the wanted kinds that there is, or keep it where it is open."""
        for path, stamp in self._best_first(listed, wanted):
            if now is not None and (now.path, now.stamp) == (path, stamp):
                return now
            try:
                database = Mmdb(path)
            except (BrokenDatabaseError, OSError) as error:
                self._complain(path, _reason(error))
                continue
            log.info("%s: asked for %s", path, " and ".join(sorted(self._looked[path].kinds)))
            return _Source(path, stamp, database, Records(database))
        return None

    def _best_first(
        self, listed: list[list[tuple[Path, _Stamp]]], wanted: tuple[Kind, ...]
    ) -> Iterator[tuple[Path, _Stamp]]:
        configured = len(self._files)
        for group in (listed[:configured], listed[configured:]):
            for kind in wanted:
                for files in group:
                    having = [(path, stamp) for path, stamp in files if kind in self._looked[path].kinds]
                    yield from sorted(having, key=lambda file: self._looked[file[0]].built_s, reverse=True)

    def _last_resort(self) -> _Source | None:
        """The packaged table."""
        if self._location is not None and self._location.path == self._packaged:
            return self._location
        try:
            database = unpack(self._packaged)
        except (BrokenDatabaseError, OSError) as error:
            self._complain(self._packaged, _reason(error))
            return None
        return _Source(self._packaged, (0, 0, 0), database, Records(database))

    # what they say

    def place(self, address: tuple[int, int]) -> Place:
        """Where one address is: its high and low half."""
        return self.places(np.array([address], np.uint64))[0]

    def places(self, addresses: NDArray[np.uint64]) -> list[Place]:
        """Where the addresses are: (n, 2), high and low halves. Equal places are one object."""
        if not self._ready:
            self.refresh()
        rows, high, low = public(addresses)
        location = self._offsets(self._location, high, low)
        network = self._offsets(self._network, high, low)
        pairs, which = np.unique((location + 1) << 32 | (network + 1), return_inverse=True)
        places = self._read((pairs >> 32) - 1, (pairs & 0xFFFF_FFFF) - 1)
        answers = [NO_PLACE] * len(addresses)
        for row, number in zip(rows.tolist(), which.tolist(), strict=True):  # 8 ms for 100 000
            answers[row] = places[number]
        for source in (self._location, self._network):
            if source is not None:
                source.database.unload()
        return answers

    def _offsets(self, source: _Source | None, high: Halves, low: Halves) -> Offsets:
        if source is not None:
            try:
                return source.database.find(high, low)
            except BrokenDatabaseError as error:
                self._give_up(source, error)
        return np.full(len(high), NOWHERE, np.int64)

    def _read(self, locations: Offsets, networks: Offsets) -> list[Place]:
        """A place for every pair of offsets."""
        interned = {NO_PLACE: NO_PLACE}
        here, there = self._facts(self._location, locations), self._facts(self._network, networks)
        places = []
        for location, network in zip(locations.tolist(), networks.tolist(), strict=True):
            where, whose = here.get(location, UNKNOWN), there.get(network, UNKNOWN)
            place = Place(where.country, where.city, whose.asn, whose.org)
            places.append(interned.setdefault(place, place))
        return places

    def _facts(self, source: _Source | None, offsets: Offsets) -> dict[int, Facts]:
        """The facts at every offset, each read once."""
        facts: dict[int, Facts] = {}
        if source is None:
            return facts
        try:
            for count, offset in enumerate(np.unique(offsets[offsets != NOWHERE]).tolist()):
                if count % _BETWEEN_CHECKS == 0:
                    source.database.check_size()
                facts[offset] = source.records.read(offset)
        except BrokenDatabaseError as error:
            self._give_up(source, error)
        return facts

    def _give_up(self, source: _Source, error: BrokenDatabaseError) -> None:
        """Ask this version of the file no more."""
        self._complain(source.path, str(error))
        self._looked[source.path] = _Looked(source.stamp, frozenset(), 0)
        self._gave_up = True
        if source is self._location:
            self._location = None
        if source is self._network:
            self._network = None
        source.database.close()


def public(addresses: NDArray[np.uint64]) -> tuple[NDArray[np.intp], Halves, Halves]:
    """Rows of the addresses that can be anywhere, and their halves; those behind NAT64 as the IPv4 that they are.

    Private, loopback, link-local, multicast and unset ones are left out.
    """
    high, low = addresses[:, 0], addresses[:, 1]
    behind = (high == _NAT64) & (low >> np.uint64(32) == 0)
    high, low = np.where(behind, np.uint64(0), high), np.where(behind, low | _V4, low)
    local = np.zeros(len(high), np.bool_)
    for network, bits in _NOT_ANYWHERE:
        shift = np.uint64(bits)
        local |= (low & np.uint64(0xFFFF_FFFF)) >> shift == np.uint64(network) >> shift
    is_v4 = (high == 0) & (low >> np.uint64(32) == _V4 >> np.uint64(32))
    # global unicast is 2000::/3
    rows = np.flatnonzero(np.where(is_v4, ~local, high >> np.uint64(61) == np.uint64(1)))
    return rows, high[rows], low[rows]


def _stamp(path: Path) -> _Stamp:
    status = path.stat()
    return status.st_ino, status.st_size, status.st_mtime_ns


def _databases_in(directory: Path) -> list[tuple[Path, _Stamp]]:
    found = []
    with contextlib.suppress(OSError):  # most of the directories are not there
        for path in sorted(directory.glob("[!.]*.mmdb"))[:_MOST_FILES]:
            with contextlib.suppress(OSError):  # removed meanwhile
                found.append((path, _stamp(path)))
    return found


def _reason(error: Exception) -> str:
    return error.strerror or str(error) if isinstance(error, OSError) else str(error)
