"""Hours of a changing table at full speed: the real collector, enrichers and hub, a kernel of arrays, a fake clock.

    Table (arrays) ─ messages as the kernel writes them ─▶ Collector ─▶ Pipeline ─▶ Hub ─▶ a query now and then
          └ endings ─▶ Endings       Answering: an owner for each flow, of programs that come and go

Every tick is held against the arrays: as many flows, no negative rate, and now and then all bytes. On the way the clock
of the wall is set back, another program sets the counters back, and nobody looks for a while. What must not grow is
looked at every simulated minute: the tables, against the bounds that their modules state, and in the end the memory.
"""

import secrets
from collections import deque
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from typing import Any, Final, cast

import numpy as np
from numpy.typing import NDArray

from bench.report import Measured, at_most, thousands
from flowtopd.collector import Collector
from flowtopd.enrich import services
from flowtopd.enrich.directory import Directory
from flowtopd.enrich.geoip.places import Places
from flowtopd.enrich.lan.lan import Lan
from flowtopd.enrich.pipeline import Pipeline
from flowtopd.enrich.process.attribution import Answers
from flowtopd.enrich.process.endings import Endings
from flowtopd.enrich.process.events import Listening, Watcher
from flowtopd.enrich.process.ledger import Inbox, Ledger
from flowtopd.enrich.rdns.resolver import Resolver
from flowtopd.flows import rate_history
from flowtopd.flows.closed import MOST, ClosedFlows
from flowtopd.flows.dimensions import Attribution, Owner
from flowtopd.flows.history import SAMPLES
from flowtopd.flows.snapshot import KernelState, Snapshot
from flowtopd.netlink.nlmsg import Indices
from flowtopd.netlink.nlsocket import Block, NetlinkSocket
from flowtopd.netlink.sock_diag import Columns
from flowtopd.query.execute import execute
from flowtopd.session.hub import Hub
from flowtopd.wire.messages import Query
from stress.fuzz.run import WrongAnswer, memory_mb
from stress.table import Table

HOURS: Final = 8.0
FLOWS: Final = 1_000
CHANGED: Final = 30
"""Flows that end and begin in a second."""
KEPT_S: Final = 60.0
_PAGE: Final = 60
_PROGRAMS: Final = 40
_INBOX: Final = 4096
_ROOM: Final = 16_384
"""Of `Pipeline`: records that may be of no use before they are dropped."""
_RECORDS_A_FLOW: Final = 17
"""At most: four addresses, each with a name, a place and a device, and a process."""
_GROWTH_LIMIT: Final = 0.25
"""Of what the process has of the system. What Python holds (tracemalloc) was the same after 1.5 and after 5 hours; the
rest are holes between what lives long, among the many arrays that live for a tick."""
_WARM_S: Final = 3600.0
"""Until then memory may grow: all rings are full then, and tables have been compacted."""


class Clock:
    """Both clocks. The one on the wall may be set."""

    def __init__(self) -> None:
        self.now_s = 1000.0
        self.wall_offset_s = 1_700_000_000.0

    def monotonic(self) -> float:
        """Seconds since some time."""
        return self.now_s

    def wall(self) -> float:
        """Unix seconds."""
        return self.now_s + self.wall_offset_s


class Answering:
    """In place of the Watcher: a name for every flow, of a process that begins with it, at the next tick."""

    lost = 0
    waiting = 0
    events = "on"

    def __init__(self, inbox: Inbox, clock: Clock) -> None:
        self._inbox, self._clock = inbox, clock
        self._pid = 0

    def start(self) -> None:
        """Do nothing: answers come at once."""

    stop = start

    def ask(self, flows: Columns, rows: Indices) -> None:
        """Answer."""
        keys, size = flows["key"][rows], len(rows)
        owners = [Owner()]
        for _ in range(size):
            self._pid += 1
            name = f"program-{self._pid % _PROGRAMS}"
            owners.append(Owner(self._pid % 4_194_304, float(self._pid), name, f"{name} {self._pid}", 1000, "ann"))
        how = np.full(size, Attribution.EXACT, np.uint8)
        begun_by_ns = np.full(size, np.iinfo(np.uint64).max, np.uint64)
        which = np.arange(1, size + 1, dtype=np.int32)
        self._inbox.append(Answers(keys, begun_by_ns, how, which, np.ones(size, np.bool_), tuple(owners)))

    def ask_listening(self) -> None:
        """Other ports every time."""
        port = int(self._clock.now_s) % 60_000 + 1
        self._inbox.append(Listening({6: frozenset((443, port))}))


class Kernel:
    """In place of the netlink socket."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def dump(self, make_request: Callable[[int], bytes]) -> Generator[Block, None, None]:
        """Yield the whole table as one block."""
        seq = secrets.randbits(31) | 1 << 16
        make_request(seq)
        yield Block(self._table.dump(seq), seq, last=True)

    def close(self) -> None:
        """Nothing is open."""


@dataclass
class Lived:
    """What was seen: the largest that each thing ever was, beside its bound, and memory in MB once a minute."""

    ticks: int = 0
    flows: int = 0
    largest: dict[str, int] = field(default_factory=dict)
    bounds: dict[str, int] = field(default_factory=dict)
    memory_mb: list[float] = field(default_factory=list)

    def look(self, name: str, size: int, bound: int) -> None:
        """Take note of a size. The bound may change with what is in use."""
        if size * self.bounds.get(name, 0) >= self.largest.get(name, 0) * bound:
            self.largest[name], self.bounds[name] = size, bound

    @property
    def too_large(self) -> list[str]:
        """What was over its bound."""
        return [name for name, size in self.largest.items() if size > self.bounds[name]]


class World:
    """The daemon without its sockets, and what it looks at."""

    def __init__(self, stack: ExitStack, flows: int, changed: int, kept_s: float) -> None:
        self.clock = clock = Clock()
        self.table = Table(flows, changed)
        self.endings = Endings()
        inbox: Inbox = deque(maxlen=_INBOX)
        resolver = Resolver(
            lambda address: f"host-{address.replace(':', '-').replace('.', '-')}.example", clock.monotonic
        )
        lan, places = Lan(), Places((), ())
        for each in (lan, places):  # `Background.close` drops their closing, where it has not begun
            stack.callback(each.close)
        self.directory = Directory(lan, places, resolver, clock.monotonic)
        self.ledger = Ledger(cast("Watcher", Answering(inbox, clock)), inbox, clock.monotonic)
        self.pipeline = stack.enter_context(
            closing(
                Pipeline(
                    self.directory,
                    self.ledger,
                    services.load(),
                    closed=ClosedFlows(kept_s),
                    endings=self.endings,
                )
            )
        )
        kernel = KernelState(accounting=True, timestamps=True, max=262_144, tracking=True)
        self.collector = Collector(
            cast("NetlinkSocket", Kernel(self.table)),
            lambda _flows: kernel,
            stack.enter_context(ThreadPoolExecutor(1)),
            self.pipeline,
            monotonic=clock.monotonic,
            wall=clock.wall,
        )
        self.hub = Hub()

    def second(self) -> Snapshot:
        """Let a second go by."""
        self.clock.now_s += 1.0
        block, split = self.table.change(self.clock.wall())
        self.endings.put(block, split)
        tick = self.collector.tick()
        self.hub.publish(tick, 1.0)
        return tick.snapshot

    def look(self, offset: int) -> None:
        """Be a viewer for a moment: a page of flows, and the names on it."""
        assert self.hub.latest is not None
        query = Query(offset=offset, limit=_PAGE)
        page = execute(self.hub.latest.results.looking(query), query)
        columns, addresses = self.hub.latest.tick.snapshot.columns, self.directory.columns["address"]
        rows = np.asarray(page.rows, np.intp)
        self.pipeline.want_names([tuple(pair) for pair in addresses[columns["dst_at"][rows]].tolist()])

    def leave(self) -> None:
        """Nobody looks any more."""
        self.hub.clear()
        self.collector.forget()


def live(hours: float, flows: int = FLOWS, changed: int = CHANGED, kept_s: float = KEPT_S) -> Lived:
    """Live for so many hours; flows that have closed are kept for `kept_s`.

    Raises WrongAnswer where a tick says what is not so.
    """
    lived, seconds = Lived(flows=flows), round(hours * 3600)
    with ExitStack() as stack:
        world = World(stack, flows, changed, kept_s)
        for second in range(seconds):
            match second * 8 / seconds:
                case 2.0:
                    world.clock.wall_offset_s -= 3600.0
                case 4.0:
                    world.table.set_back()
                case 6.0:
                    world.leave()
            snapshot = world.second()
            _check(snapshot, world.table, closely=second % 60 == 59)
            if second % 10 == 5:
                world.look(second % (flows - _PAGE))
            if second % 60 == 59:
                _measure(lived, world, snapshot)
        lived.ticks = seconds
    return lived


def _check(snapshot: Snapshot, table: Table, *, closely: bool) -> None:
    if snapshot.size != table.size:
        raise WrongAnswer(f"{snapshot.size} flows of {table.size}")
    rates: NDArray[Any] = snapshot.columns["orig_rate"]
    if (rates < 0).any() or (rates > table.most_bytes * 1.01).any():
        raise WrongAnswer(f"rates from {np.nanmin(rates)} to {np.nanmax(rates)} with {table.most_bytes} bytes a second")
    if closely and set(snapshot.columns["ctid"].tolist()) != set(table.ids.tolist()):
        raise WrongAnswer("other flows than there are")


def _measure(lived: Lived, world: World, snapshot: Snapshot) -> None:
    assert world.hub.latest is not None
    closed = 0 if snapshot.closed is None else snapshot.closed.size
    room = 2 * _RECORDS_A_FLOW * (snapshot.size + closed) + _ROOM
    directory, published = world.directory, world.hub.latest
    lived.look("addresses and owners", directory.size + len(world.ledger.owners.values), room)
    lived.look("names", len(directory.names), room)
    lived.look("places", len(directory.places), room)
    lived.look("closed flows", closed, MOST)
    lived.look("bytes of rates", published.rates.nbytes, rate_history.BUDGET)
    lived.look("samples of all rates", len(published.history), SAMPLES)
    lived.memory_mb.append(memory_mb())


def measure(*, quick: bool) -> list[Measured]:
    """The promise, and whether it is kept."""
    hours = HOURS / 8 if quick else HOURS
    return report(live(hours), hours)


def report(lived: Lived, hours: float) -> list[Measured]:
    """A line for the tables, one for the memory."""
    label = f"{hours:g} hours of a table of {thousands(lived.flows)} flows in which {CHANGED} a second change"
    warm_s = min(_WARM_S, hours * 1800)
    warm = lived.memory_mb[int(warm_s / 60) :]
    sizes = ", ".join(
        f"{name} {thousands(size)} of {thousands(lived.bounds[name])}" for name, size in lived.largest.items()
    )
    return [
        Measured(
            f"{label}: tables over their bounds",
            str(len(lived.too_large)),
            "0",
            not lived.too_large,
            f"largest: {sizes}",
        ),
        at_most(
            f"{label}: memory, growth after {warm_s / 3600:g} h",
            *(100 * (max(warm) - warm[0]) / warm[0], 100 * _GROWTH_LIMIT, "%"),
            digits=1,
            remark=f"{thousands(lived.ticks)} ticks; {warm[0]:.0f} MB then, {max(warm):.0f} MB at most",
        ),
    ]
