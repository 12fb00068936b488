"""What is known of addresses: a row each in the table that flows point at, filled as answers come.

    flows ── rows ──▶ address table ◀── where, device    Lan: looked at every LAN_S seconds     ┐
                            ▲  ▲                                                              ├ in the background
                            │  └─────── place           Places: once for an address, and       ┘
                            │                           anew when the databases change
                            └────────── name            Resolver: what viewers see, with threads of its own

Belongs to the thread that ticks. Nothing here waits: an answer that is not there yet is in a later tick.
"""

import time
from collections.abc import Callable, Iterable, Sequence
from enum import Enum, auto
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from flowtopd.enrich.background import Background
from flowtopd.enrich.geoip.places import Places
from flowtopd.enrich.lan.lan import Lan, Neighbourhood
from flowtopd.enrich.rdns.hostname import Address
from flowtopd.enrich.rdns.resolver import Resolver
from flowtopd.flows.addresses import AddressTable, Columns, Ids, Pairs
from flowtopd.flows.dimensions import Device, Place
from flowtopd.flows.interned import Interned

LAN_S: Final = 4.0
"""Between two looks at neighbours and leases."""

DATABASES_S: Final = 10.0
"""Between two looks for new databases."""

A_JOB: Final = 16_384
"""Addresses whose places are looked up in one go."""


class _Job(Enum):
    """What is done in the background, and what comes of it."""

    LOOK = auto()
    """A Neighbourhood."""
    REFRESH = auto()
    """Whether other databases are asked now."""
    PLACE = auto()
    """Rows of the table, and the ids of their places."""
    MOVE = auto()
    """Nothing: from now on databases are looked for elsewhere."""
    CLOSE = auto()


class Directory:
    """The address table and those who fill it. `close` it at the end."""

    def __init__(
        self, lan: Lan, places: Places, resolver: Resolver, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._lan = lan
        self._databases = places
        self._resolver = resolver
        self._clock = clock
        self._background = Background()
        self._begin()

    def _begin(self) -> None:
        self._neighbourhood: Neighbourhood | None = None
        self._table = AddressTable()
        self._names: Interned[str | None] = Interned(None)
        self._places = Interned(Place())
        self._devices = Interned(Device())
        self._classified = self._placed = 1
        self._look_from_s = self._refresh_from_s = self._clock()
        self._is_crowded = False
        self._generation = 0

    @property
    def columns(self) -> Columns:
        """The table, read-only."""
        return self._table.columns

    @property
    def names(self) -> Sequence[str | None]:
        """Names by id."""
        return self._names.values

    @property
    def places(self) -> Sequence[Place]:
        """Places by id."""
        return self._places.values

    @property
    def known_of_places(self) -> tuple[str, ...] | None:
        """What the databases can tell: `country`, `city`, `asn`; None before they were asked."""
        return self._databases.known

    @property
    def devices(self) -> Sequence[Device]:
        """Devices by id."""
        return self._devices.values

    @property
    def size(self) -> int:
        """Rows of the table."""
        return self._table.size

    @property
    def records(self) -> int:
        """How much is remembered: rows of the table, names, places and devices."""
        return self._table.size + sum(len(each.values) for each in (self._names, self._places, self._devices))

    def is_host(self, addresses: Pairs) -> NDArray[np.bool_]:
        """Tell which addresses are this host's own. For any thread."""
        neighbourhood = self._neighbourhood
        return (
            np.zeros(len(addresses), np.bool_) if neighbourhood is None else neighbourhood.networks.is_host(addresses)
        )

    def rows(self, addresses: Pairs) -> Ids:
        """Return the row of every address."""
        return self._table.add(addresses)

    def learn(self) -> bool:
        """Take the answers that have come, and ask for what is missing.

        Return whether addresses that were known before may be something else to this host now.
        """
        moved = self._neighbourhood is None
        if moved and self._clock() >= self._look_from_s:
            # without it nothing can be told of a flow; this look is short, the first one with names is not
            self._neighbourhood = self._background.now(self._lan.glance)
            if self._neighbourhood is None:
                self._look_from_s = self._clock() + LAN_S  # something hangs: no tick but this waits for it
        for kind, answer in self._background.take():
            if kind is _Job.PLACE and answer is not None:
                generation, rows, places = answer
                if generation == self._generation:
                    self._table.put("place", rows, places)
            elif kind is _Job.REFRESH and answer:
                self._placed = 1
            elif kind is _Job.LOOK and answer is not None:
                moved |= self._move(answer)
        self._write_names()
        self._classify()
        self._ask()
        return moved

    def _move(self, now: Neighbourhood) -> bool:
        """Go on with another neighbourhood; return whether other addresses are here now."""
        before, self._neighbourhood = self._neighbourhood, now
        if now is before:
            return False
        moved = before is None or now.networks != before.networks
        self._classified = 1 if moved else self._classified
        if before is not None and now.networks.uplinks() != before.networks.uplinks():
            # the names of private addresses were those of another network
            self._resolver.forget()
            self._table.put("name", np.arange(self._table.size, dtype=np.int32), 0)
        self._write_devices()
        return moved

    def _classify(self) -> None:
        """Say of new addresses what they are to this host."""
        if self._classified == self._table.size or self._neighbourhood is None:
            return
        rows = np.arange(self._classified, self._table.size, dtype=np.int32)
        self._table.put("where", rows, self._neighbourhood.networks.where(self._table.columns["address"][rows]))
        self._classified = self._table.size
        self._write_devices()

    def _write_devices(self) -> None:
        if self._neighbourhood is not None and (devices := self._neighbourhood.devices):
            rows = self._table.find(np.array(list(devices), np.uint64))
            # only those that have flows: a large network has thousands of others
            met = [device for row, device in zip(rows.tolist(), devices.values(), strict=True) if row]
            column = np.zeros(self._table.size, np.int32)
            column[rows[rows > 0]] = self._devices.ids(met)
            self._table.put("device", np.arange(self._table.size, dtype=np.int32), column)

    def _write_names(self) -> None:
        found = self._resolver.take()
        if found:
            rows = self._table.find(np.array(list(found), np.uint64))
            ids = self._names.ids(found.values())
            if (self._table.columns["name"][rows] != ids).any():
                self._table.put("name", rows, ids)

    def _ask(self) -> None:
        now, background = self._clock(), self._background
        if now >= self._look_from_s and not background.has(_Job.LOOK):
            self._look_from_s = now + LAN_S
            background.do(_Job.LOOK, self._lan.look)
        if now >= self._refresh_from_s and not background.has(_Job.REFRESH):
            self._refresh_from_s = now + DATABASES_S
            background.do(_Job.REFRESH, self._databases.refresh)
        while self._placed < self._table.size and not self._is_crowded and not background.full:
            end = min(self._placed + A_JOB, self._table.size)
            rows = np.arange(self._placed, end, dtype=np.int32)
            addresses = self._table.columns["address"][rows]
            work = partial(_look_up, self._databases, self._places, addresses)
            background.do(_Job.PLACE, partial(_labelled, self._generation, rows, work))
            self._placed = end

    def want_names(self, addresses: Iterable[Address]) -> None:
        """Have these addresses resolved. For any thread."""
        self._resolver.want(addresses)

    def own_lookups(self) -> NDArray[np.int64]:
        """When names were looked up and quickly found: (n, 2), nanoseconds of Unix time."""
        return self._resolver.quick_lookups()

    def look_in(self, files: Sequence[Path], directories: Sequence[Path]) -> None:
        """Look for databases there, at the next tick for the first time."""
        self._background.do(_Job.MOVE, partial(self._databases.look_in, files, directories))
        self._refresh_from_s = self._clock()

    def compact(self, used: NDArray[np.bool_], *, urgent: bool = False) -> Ids | None:
        """Drop the rows that are not used; return for each row where it is now.

        None: places are on their way to the rows where they are. No others are asked for until that is done. Where it
        is `urgent`, because they do not come, they are not waited for.
        """
        self._is_crowded = self._background.has(_Job.PLACE)
        if self._is_crowded:
            if not urgent:
                return None
            # whoever hangs may go on some day, and adds places to what it knows
            self._generation, self._places, self._placed = self._generation + 1, self._places.copy(), 1
            self._is_crowded = False
        asked = np.arange(self._table.size) < self._placed
        mapping = self._table.compact(used)
        for name, records in (("name", self._names), ("place", self._places), ("device", self._devices)):
            column = self._table.columns[name]
            self._table.put(name, np.arange(self._table.size, dtype=np.int32), records.compact(column)[column])
        self._classified = self._table.size
        self._placed = 1 + int(np.count_nonzero(asked[1:] & (mapping[1:] > 0)))
        return mapping

    def forget(self) -> None:
        """Drop everything that can be found again, and close what is open."""
        self._resolver.stop()
        self._background.forget()
        self._background.do(_Job.CLOSE, self._databases.close)
        self._background.do(_Job.CLOSE, self._lan.close)
        self._begin()

    def close(self) -> None:
        """End the threads."""
        self.forget()
        self._background.close()


def _labelled(generation: int, rows: Ids, work: Callable[[], Ids]) -> tuple[int, Ids, Ids]:
    return generation, rows, work()


def _look_up(places: Places, interned: Interned[Place], addresses: Pairs) -> Ids:
    """In the background: the only thread that adds places."""
    found = places.places(addresses)
    known: dict[int, int] = {}  # equal places are one object, whose hash is not worth while making for each address
    for place in found:
        if id(place) not in known:
            known[id(place)] = interned.id(place)
    return np.fromiter((known[id(place)] for place in found), np.int32, len(found))
