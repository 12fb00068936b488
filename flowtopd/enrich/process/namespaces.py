"""Sockets in the other network namespaces of this host: containers behind NAT.

The host forwards for a container, so that a flow's source (or, behind a published port, the source of its replies) is
an address of the container, and its socket is in the container's tables. Everything is read through one process of each
namespace, in /proc/PID/net and /proc/PID/ns: ptrace permission is enough, nobody enters a namespace.

    which namespaces   a listing of /proc; then only processes that are new or young are asked      once a second
    which addresses    fib_trie and if_inet6 of each namespace                                       every five seconds
    which sockets      eight tables of the namespace that was asked for       for a tenth of the time at the very most

An address counts only where one namespace alone has it, and never a loopback or link-local one: those are everywhere.
On a host without other namespaces all this costs one listing of /proc a second.

A namespace in which no process lives cannot be seen, although sockets may have been made in it.
"""

import contextlib
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from flowtopd.enrich.process import nettables, procfs
from flowtopd.enrich.process.arrivals import Arrivals
from flowtopd.enrich.process.net_addresses import Address, in_fib_trie, in_if_inet6
from flowtopd.enrich.process.procfs import Pid
from flowtopd.netlink.sock_diag import Columns

REFRESH_S: Final = 1.0
"""Between two looks for new namespaces."""

ADDRESSES_S: Final = 5.0
"""Between two looks for the addresses of a namespace."""

SHARE: Final = 0.1
"""The part of the time that may go into tables of one namespace."""

YOUNG_S: Final = 10.0
"""A namespace gets its addresses some time after its first process: so long they are looked for at every look."""

_ALL_AGAIN_S: Final = 30.0
_NAMESPACES: Final = 1024
_DOORS: Final = 4
_TABLE_BYTES: Final = 8 << 20
_ADDRESSES_BYTES: Final = 1 << 20
_ADDRESSES: Final = 65_536
"""Of all namespaces together. Where there are more none counts: nobody could tell which of them are there twice."""


@dataclass(slots=True)
class _Namespace:
    """A few processes through which to look in, and what was seen."""

    seen_s: float
    doors: list[Pid] = field(default_factory=list)
    addresses: frozenset[Address] = frozenset()
    addresses_until_s: float = 0.0
    tables: Columns | None = None
    tables_until_s: float = 0.0


class Namespaces:
    """Finds out which namespace owns an address, and reads its sockets. For one thread at a time."""

    def __init__(self, proc: Path = Path(procfs.PROC), clock: Callable[[], float] = time.monotonic) -> None:
        self._proc = str(proc)
        self._clock = clock
        # of the thread: it is this thread's sockets that the flows come from
        self._own = procfs.netns(procfs.PROC, "thread-self")
        self._arrivals = Arrivals(self._proc, clock)
        self._others: dict[int, _Namespace] = {}
        self._refresh_from_s = self._all_from_s = clock()
        self._owners: dict[Address, int] = {}
        self._owned_low = np.zeros(0, np.uint64)

    def owning(self, addresses: NDArray[np.uint64]) -> NDArray[np.uint64]:
        """Return for each address, shape (n, 2), the namespace that has it: its inode number, 0 where there is none."""
        self._refresh()
        owners = np.zeros(len(addresses), np.uint64)
        if self._owners and len(addresses):
            # addresses of containers are few among many: their lower halves tell nearly all others apart
            low = addresses[:, 1]
            nearest = np.searchsorted(self._owned_low, low).clip(max=len(self._owned_low) - 1)
            for row in np.flatnonzero(self._owned_low[nearest] == low).tolist():
                high, rest = addresses[row].tolist()
                owners[row] = self._owners.get((high, rest), 0)
        return owners

    def sockets(self, netns: int) -> Columns:
        """Return the sockets of a namespace: the columns of `sock_diag`, and `netns`. No rows where it has gone.

        The same arrays again until ten times what it took to read them has passed.
        """
        namespace, now = self._others.get(netns), self._clock()
        if namespace is None:
            return _numbered({}, netns)
        if namespace.tables is None or now >= namespace.tables_until_s:
            namespace.tables = _numbered(
                self._read(netns, namespace, nettables.TABLES, _TABLE_BYTES, procfs.read_table), netns
            )
            ended = self._clock()
            namespace.tables_until_s = ended + (ended - now) * (1 / SHARE - 1)
        return namespace.tables

    def _refresh(self) -> None:
        now = self._clock()
        if now < self._refresh_from_s:
            return
        self._refresh_from_s = now + REFRESH_S
        recent = self._arrivals.look()
        if now >= self._all_from_s:
            # what was missed (a pid used again, a namespace changed late in life) is made good for from time to time
            self._all_from_s = now + _ALL_AGAIN_S
            for namespace in self._others.values():
                namespace.doors.clear()
                if now >= namespace.tables_until_s:
                    namespace.tables = None  # nobody has asked for them lately
            self._sort_in(self._arrivals.listed)
        else:
            self._sort_in(recent)
        for netns in [netns for netns, namespace in self._others.items() if not self._door(netns, namespace)]:
            del self._others[netns]
        if self._others or self._owners:
            self._learn_addresses(now)

    def _sort_in(self, pids: frozenset[Pid] | list[Pid]) -> None:
        """Find out where processes are, 4 µs each."""
        for pid in pids:
            netns = procfs.netns(self._proc, pid)
            if netns is None or netns == self._own or (netns not in self._others and len(self._others) >= _NAMESPACES):
                continue
            doors = self._others.setdefault(netns, _Namespace(self._clock())).doors
            if len(doors) < _DOORS and pid not in doors:
                doors.append(pid)

    def _door(self, netns: int, namespace: _Namespace) -> Pid | None:
        """A process that is in the namespace now."""
        namespace.doors = [pid for pid in namespace.doors if procfs.netns(self._proc, pid) == netns]
        if not namespace.doors:
            # those we knew have gone; others may be there that were not needed
            self._all_from_s = 0.0
            return None
        return namespace.doors[0]

    def _learn_addresses(self, now: float) -> None:
        for netns, namespace in self._others.items():
            if now >= namespace.addresses_until_s:
                young = now - namespace.seen_s < YOUNG_S
                namespace.addresses_until_s = now + (REFRESH_S if young else ADDRESSES_S)
                namespace.addresses = frozenset(self._addresses(netns, namespace))
        owners: dict[Address, int] = {}
        too_many = sum(len(namespace.addresses) for namespace in self._others.values()) > _ADDRESSES
        for netns, namespace in () if too_many else self._others.items():
            for address in namespace.addresses:
                owners[address] = 0 if address in owners else netns
        if owners != self._owners:
            self._owners = owners
            self._owned_low = np.unique(np.array([low for _, low in owners], np.uint64))

    def _addresses(self, netns: int, namespace: _Namespace) -> Iterator[Address]:
        texts = self._read(netns, namespace, ("fib_trie", "if_inet6"), _ADDRESSES_BYTES)
        yield from in_fib_trie(texts.get("fib_trie", b""))
        yield from in_if_inet6(texts.get("if_inet6", b""))

    def _read(
        self,
        netns: int,
        namespace: _Namespace,
        names: Iterable[str],
        limit: int,
        read: Callable[[str, int], bytes] = procfs.read_lines,
    ) -> dict[str, bytes]:
        """Read files of a namespace; those that it does not have are left out."""
        pid = self._door(netns, namespace)
        texts = {}
        for name in names if pid else ():
            with contextlib.suppress(OSError):
                texts[name] = read(f"{self._proc}/{pid}/net/{name}", limit)
        # the process may have moved or exited, and its pid be another's, while we read
        return texts if self._door(netns, namespace) == pid else {}


def _numbered(tables: dict[str, bytes], netns: int) -> Columns:
    columns = nettables.parse(tables)
    columns["netns"] = np.full(len(columns["inode"]), netns, np.uint64)
    for column in columns.values():
        column.flags.writeable = False
    return columns
