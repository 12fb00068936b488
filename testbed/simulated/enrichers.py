"""What the enrichers ask, made up: processes, names and networks that are others at every question."""

from itertools import count
from types import MappingProxyType
from typing import Final

import numpy as np

from flowtopd.enrich.lan.lan import Lan, Neighbourhood
from flowtopd.enrich.lan.networks import Networks
from flowtopd.enrich.process.attribution import Answers
from flowtopd.enrich.process.events import Listening
from flowtopd.enrich.process.ledger import Inbox
from flowtopd.flows.dimensions import Attribution, Device, Owner
from flowtopd.flows.names import TCP
from flowtopd.netlink.nlmsg import Indices
from flowtopd.netlink.rtnetlink import MAPPED, OwnAddress, prefix
from flowtopd.netlink.sock_diag import Columns
from flowtopd.wire.messages import Events
from testbed.simulated.clock import Clock
from testbed.simulated.kernel import HOST

_ANY_TIME_NS: Final = np.iinfo(np.uint64).max
_MOST_PIDS: Final = 4_194_304


class Processes:
    """In place of the Watcher: at the next tick every two flows have a process, which never was before."""

    lost = 0
    waiting = 0
    events = Events.ON

    def __init__(self, inbox: Inbox, clock: Clock) -> None:
        self._inbox, self._clock = inbox, clock
        self._made = 0

    def start(self) -> None:
        """Do nothing: answers come at once."""

    stop = start

    def ask(self, flows: Columns, rows: Indices) -> None:
        """Answer."""
        size = len(rows)
        how = np.full(size, Attribution.EXACT, np.uint8)
        begun_by_ns = np.full(size, _ANY_TIME_NS, np.uint64)
        which = np.arange(size, dtype=np.int32) // 2 + 1
        owners = (Owner(), *(self._owner() for _two in range(0, size, 2)))
        self._inbox.append(Answers(flows["key"][rows], begun_by_ns, how, which, np.ones(size, np.bool_), owners))

    def _owner(self) -> Owner:
        self._made += 1
        name = f"program-{self._made}"
        return Owner(self._made % _MOST_PIDS, self._clock.wall(), name, f"{name} --serve", 1000, "ann")

    def ask_listening(self) -> None:
        """Say that other ports are listened on than before."""
        port = int(self._clock.now_s) % 60_000 + 1
        self._inbox.append(Listening({TCP: frozenset((443, port))}))


class NameServer:
    """In place of the system's resolver: another name at every lookup."""

    def __init__(self) -> None:
        self._numbers = count(1)

    def name(self, address: str) -> str:
        """For any thread."""
        return f"n{next(self._numbers)}.{address.replace(':', '-').replace('.', '-')}.example"


class Surroundings(Lan):
    """Another network now and then, and this host as a device of another name at every look."""

    def __init__(self) -> None:
        super().__init__()
        self._looks = 0

    def glance(self) -> Neighbourhood:
        """The first look."""
        super().glance()
        return self._another()

    def look(self) -> Neighbourhood:
        """Look around, as well, for what that may leave behind: what it finds on one machine is always the same."""
        super().look()
        return self._another()

    def _another(self) -> Neighbourhood:
        self._looks += 1
        here = (0, MAPPED | HOST)
        bits = 96 + 24 - self._looks // 100 % 2
        networks = Networks.of((), (OwnAddress(2, here, prefix(here, bits), None),), ())
        return Neighbourhood(networks, MappingProxyType({here: Device(f"host{self._looks}", "02:00:00:00:00:01")}))
