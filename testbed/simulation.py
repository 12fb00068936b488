"""Hours of a changing table at full speed: the real collector and pipeline, fed with bytes, on a clock that is told.

    Stream ── netlink messages ──▶ Collector ▶ FlowTable ▶ Pipeline ▶ Hub        a tick is a second on the clock,
    Processes ── answers, endings ──────────────▶ │                              and some milliseconds in life
    lookup ── names ── Resolver ────────────────▶ │

    report = simulate(8)                          # hours
    report.peaks["collector._pipeline._directory._names._ids"]

Nothing stays as it is: at every tick flows come and go, with addresses, processes and names that never were before;
messages have layouts that were not there yet, dumps are inconsistent now and then, the wall clock is set, the host
moves to another network, and counters are set back. What outlives its use shows as a table that grows.
"""

import gc
import math
import time
from collections import deque
from collections.abc import Callable, Collection, Generator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, cast

import numpy as np
from numpy.typing import NDArray

from flowtopd.collector import Collector
from flowtopd.enrich.directory import Directory
from flowtopd.enrich.geoip.places import Places
from flowtopd.enrich.lan.lan import Lan, Neighbourhood
from flowtopd.enrich.lan.networks import Networks
from flowtopd.enrich.pipeline import Pipeline
from flowtopd.enrich.process.attribution import Answers
from flowtopd.enrich.process.endings import Endings
from flowtopd.enrich.process.events import Listening, Watcher
from flowtopd.enrich.process.ledger import Inbox, Ledger
from flowtopd.enrich.rdns.resolver import Resolver
from flowtopd.enrich.services import Names
from flowtopd.flows.closed import ClosedFlows
from flowtopd.flows.dimensions import Attribution, Device, Owner
from flowtopd.flows.snapshot import KernelState, Tick
from flowtopd.netlink import uapi
from flowtopd.netlink.nlmsg import NFGENMSG, Indices, Split, attribute, request
from flowtopd.netlink.nlsocket import Block, NetlinkSocket
from flowtopd.netlink.rtnetlink import OwnAddress, prefix
from flowtopd.query.execute import execute
from flowtopd.session.hub import Hub
from flowtopd.wire.messages import Events, Query, View

HOST: Final = 0x0A00_0001
INBOX: Final = 4096
SECONDS_AN_HOUR: Final = 3600

_NESTED: Final = uapi.NLA_F_NESTED
_MAPPED: Final = 0xFFFF_0000_0000
_PADDED: Final = 16
"""Flows with an attribute that nobody knows, whose length is another at every tick: a layout of their own."""


class Clock:
    """Seconds that pass when they are told to, on both clocks."""

    def __init__(self) -> None:
        self.now_s = 1000.0
        self.ahead_s = 1_700_000_000.0

    def __call__(self) -> float:
        """Monotonic."""
        return self.now_s

    def wall(self) -> float:
        """Unix time: it can be set."""
        return self.now_s + self.ahead_s


def _entry(marks: Mapping[str, bytes], padding: int) -> bytes:
    """One TCP entry over IPv4, with these values."""

    def nest(kind: int, *parts: bytes) -> bytes:
        return attribute(kind | _NESTED, b"".join(parts))

    def direction(kind: int, ends: tuple[bytes, bytes], ports: tuple[bytes, bytes]) -> bytes:
        addresses = nest(1, attribute(1, ends[0]), attribute(2, ends[1]))
        return nest(kind, addresses, nest(2, attribute(1, b"\x06"), attribute(2, ports[0]), attribute(3, ports[1])))

    here, there, port, service = marks["src"], marks["dst"], marks["sport"], (443).to_bytes(2)
    body = (
        direction(1, (here, there), (port, service)),
        direction(2, (there, here), (service, port)),
        attribute(3, (0xE).to_bytes(4)),
        attribute(7, (300).to_bytes(4)),
        nest(9, attribute(1, (7).to_bytes(8)), attribute(2, marks["moved"])),
        nest(10, attribute(1, (5).to_bytes(8)), attribute(2, marks["moved"])),
        attribute(12, marks["ctid"]),
        nest(20, attribute(1, marks["start"])),
        *((attribute(60, bytes(padding)),) if padding else ()),
    )
    kind = uapi.NFNL_SUBSYS_CTNETLINK << 8 | uapi.IPCTNL_MSG_CT_NEW
    return request(kind, uapi.NLM_F_MULTI, 0, NFGENMSG.pack(uapi.AF_INET, 0, 0) + b"".join(body))


_MARKS: Final = {
    **{name: bytes((0xA0 + number,) * 4) for number, name in enumerate(("src", "dst", "ctid"))},
    "sport": b"\xb0\xb1",
    **{name: bytes((0xC0 + number,) * 8) for number, name in enumerate(("moved", "start"))},
}


def _messages(flows: Mapping[str, NDArray[np.uint64]], padding: int = 0) -> NDArray[np.uint8]:
    """The messages of these flows, a row each; sequence number 0."""
    template = _entry(_MARKS, padding)
    made = np.tile(np.frombuffer(template, np.uint8), (len(flows["ctid"]), 1))
    for name, mark in _MARKS.items():
        size = len(mark)
        values = flows[name].astype(f">u{size}").view(np.uint8).reshape(-1, size)
        at = template.find(mark)
        while at >= 0:
            made[:, at : at + size] = values
            at = template.find(mark, at + size)
    return made


class Stream:
    """The kernel's table: `size` flows, of which `change` are others at every tick."""

    def __init__(self, clock: Clock, size: int, change: int, seed: int) -> None:
        self._clock = clock
        self._change = change
        self._random = np.random.default_rng(seed)
        self._made = 0
        self.flows = self._new(size)
        self.ended = self._new(0)
        self.interrupted = 0

    def _new(self, count: int) -> dict[str, NDArray[np.uint64]]:
        numbers = np.arange(self._made, self._made + count, dtype=np.uint64)
        self._made += count
        return {
            "src": np.full(count, HOST, np.uint64),
            # another public address each time, for 100 000 000 flows
            "dst": 0x0B00_0000 + numbers * np.uint64(7) % np.uint64(0x6000_0000),
            "sport": 1024 + numbers % np.uint64(60_000),
            "ctid": numbers & np.uint64(0xFFFF_FFFF),
            "moved": self._random.integers(100, 10_000, count, np.uint64),
            "start": np.full(count, int(self._clock.wall() * 1e9), np.uint64),
        }

    def step(self) -> None:
        """Let a second pass: the oldest end, others begin, all move."""
        gone = self._change
        self.ended = {name: column[:gone] for name, column in self.flows.items()}
        new = self._new(gone)
        self.flows = {name: np.concatenate((column[gone:], new[name])) for name, column in self.flows.items()}
        self.flows["moved"] += self._random.integers(0, 100_000, len(self.flows["moved"]), np.uint64)

    def reset(self) -> None:
        """Set the counters back, as a CTRZERO reader does."""
        self.flows["moved"] = np.zeros_like(self.flows["moved"])

    # instead of a NetlinkSocket

    def dump(self, make_request: Callable[[int], bytes]) -> Generator[Block, None, None]:
        """Answer a dump with all flows."""
        make_request(1)
        seq = 0x5BD1_E995
        padded = min(_PADDED, len(self.flows["ctid"]))
        parts = [{name: column[padded:] for name, column in self.flows.items()}]
        parts.append({name: column[:padded] for name, column in self.flows.items()})
        texts = []
        for number, part in enumerate(parts):
            messages = _messages(part, padding=4 * int(self._random.integers(1, 400)) if number else 0)
            messages[:, 8:12] = np.frombuffer(np.uint32(seq).tobytes(), np.uint8)
            if self.interrupted:
                messages[:, 6] |= uapi.NLM_F_DUMP_INTR
            texts.append(messages.tobytes())
        self.interrupted -= self.interrupted > 0
        yield Block(memoryview(b"".join(texts)), seq, last=True)

    def close(self) -> None:
        """There is nothing to close."""


class Processes:
    """Instead of a Watcher: every question is answered with a process that never was before; endings come as bytes."""

    def __init__(self, inbox: Inbox, endings: Endings, clock: Clock) -> None:
        self._inbox = inbox
        self._endings = endings
        self._clock = clock
        self._count = 0
        self.waiting = 0
        self.lost = 0
        self.events = Events.ON

    def start(self) -> None:
        """Begin."""

    def stop(self) -> None:
        """End."""

    def ask(self, flows: Mapping[str, NDArray[Any]], rows: Indices) -> None:
        """Answer at once."""
        count = len(rows)
        owners = [self._owner() for _process in range(min(count, 40))]
        self._inbox.append(
            Answers(
                flows["key"][rows],
                np.full(count, int(self._clock.wall() * 1e9) + 10**13, np.uint64),
                np.full(count, Attribution.EXACT, np.uint8),
                (np.arange(count) % max(1, len(owners)) + 1).astype(np.int32),
                np.ones(count, np.bool_),
                (Owner(), *owners),
            )
        )

    def _owner(self) -> Owner:
        self._count += 1
        return Owner(pid=self._count, started_s=self._clock.wall(), process=f"p{self._count}", uid=0, user="root")

    def ask_listening(self) -> None:
        """Say that other ports are listened on than before."""
        self._inbox.append(Listening({6: frozenset({self._count % 60_000})}))

    def end(self, flows: Mapping[str, NDArray[np.uint64]]) -> None:
        """Tell that these flows have ended."""
        messages = _messages(flows)
        messages[:, 4:6] = (uapi.IPCTNL_MSG_CT_DELETE, uapi.NFNL_SUBSYS_CTNETLINK)
        size = messages.shape[1]
        offsets = np.arange(len(messages), dtype=np.intp) * size
        lengths = np.full(len(messages), size, np.intp)
        self._endings.put(memoryview(messages.tobytes()), Split(offsets, lengths, interrupted=False))


class Surroundings:
    """Instead of a Lan: another network now and then, and devices with other names at every look."""

    def __init__(self) -> None:
        self._looks = 0

    def glance(self) -> Neighbourhood:
        """The first look."""
        return self.look()

    def look(self) -> Neighbourhood:
        """Look around."""
        self._looks += 1
        here = (0, _MAPPED | HOST)
        networks = Networks.of((), (OwnAddress(2, here, prefix(here, 96 + 24 - self._looks // 100 % 2), None),), ())
        return Neighbourhood(networks, MappingProxyType({here: Device(f"host{self._looks}", "02:00:00:00:00:01")}))

    def close(self) -> None:
        """There is nothing to close."""


@dataclass(slots=True)
class Report:
    """What was seen: `peaks` are the greatest lengths of all tables by their place, from the second half on.

    `early`: the same of the second quarter of the time, to compare with: what leaks is longer later.
    """

    ticks: int = 0
    seconds: float = 0.0
    early: dict[str, int] = field(default_factory=dict)
    peaks: dict[str, int] = field(default_factory=dict)
    absurd: int = 0
    """Flows with rates below 0 or above what the stream can move."""

    def grown(self) -> dict[str, tuple[int, int]]:
        """The tables that became longer than the noise: by place, their lengths early and late."""
        return {
            place: (self.early.get(place, 0), late)
            for place, late in self.peaks.items()
            if late > 1.5 * self.early.get(place, 0) + 256
        }


def simulate(
    hours: float, *, flows: int = 300, change: int = 100, seed: int = 1, look: Callable[[Tick], None] | None = None
) -> Report:
    """Run so many hours, with a tick a second. `look` sees every tick."""
    return Simulation(flows=flows, change=change, seed=seed).run(math.ceil(hours * SECONDS_AN_HOUR), look)


class Simulation:
    """The daemon's collecting half, between a made-up kernel and made-up viewers."""

    def __init__(self, *, flows: int, change: int, seed: int) -> None:
        clock = self.clock = Clock()
        self.stream = Stream(clock, flows, change, seed)
        self._names = 0
        self.inbox: Inbox = deque(maxlen=INBOX)
        self.endings = Endings()
        self.processes = Processes(self.inbox, self.endings, clock)
        self.resolver = Resolver(self._lookup, clock, lambda: int(clock.wall() * 1e9))
        self.directory = Directory(cast("Lan", Surroundings()), Places((), ()), self.resolver, clock)
        self.ledger = Ledger(cast("Watcher", self.processes), self.inbox, clock)
        closed = ClosedFlows(60.0)
        self.pipeline = Pipeline(self.directory, self.ledger, Names({}), closed=closed, endings=self.endings)
        self.hub = Hub()
        self.reader = ThreadPoolExecutor(1)
        self.collector = Collector(
            cast("NetlinkSocket", self.stream),
            lambda _flows: KernelState(accounting=True, timestamps=True, max=262_144, tracking=True),
            self.reader,
            self.pipeline,
            monotonic=clock,
            wall=clock.wall,
            since_boot=clock,
        )

    def _lookup(self, address: str) -> str:
        self._names += 1  # two threads may get the same number: it is only for variety
        return f"n{self._names}.{address.replace('.', '-')}.example"

    def run(self, ticks: int, look: Callable[[Tick], None] | None = None) -> Report:
        """Take so many ticks."""
        report = Report(ticks)
        began = time.perf_counter()
        try:
            for number in range(ticks):
                tick = self._tick(number)
                if look is not None:
                    look(tick)
                report.absurd += _absurd(tick)
                if number % 16 == 0:
                    phase = number * 4 // ticks
                    if phase == 1:
                        _note(report.early, self._tables())
                    elif phase > 1:
                        _note(report.peaks, self._tables())
        finally:
            self.close()
        report.seconds = time.perf_counter() - began
        return report

    def close(self) -> None:
        """End the threads."""
        self.pipeline.close()
        self.reader.shutdown()

    def _tick(self, number: int) -> Tick:
        self.clock.now_s += 1.0
        self.stream.step()
        self.processes.end(self.stream.ended)
        if number % 300 == 299:
            self.clock.ahead_s += 3600.0 * (-1) ** (number // 300)
        if number % 70 == 69:
            self.stream.reset()
        if number % 50 == 49:
            self.stream.interrupted = 1
        if number % 7200 == 100:  # the last viewer leaves, another one comes
            self.hub.clear()
            self.collector.forget()
        tick = self.collector.tick({2.0, 10.0} if number % 200 < 100 else {40.0})
        self.hub.publish(tick, 1.0)
        self._view(number)
        return tick

    def _view(self, number: int) -> None:
        """Look at it as viewers do."""
        assert self.hub.latest is not None
        results, snapshot = self.hub.latest.results, self.hub.latest.tick.snapshot
        views = list(View)
        for query in (Query(closed=True), Query(view=views[number % len(views)], sort="orig_rate")):
            execute(results.looking(query), query)
        self.pipeline.want_names((high, low) for high, low in snapshot.columns["dst"][-60:].tolist())

    def _tables(self) -> dict[str, int]:
        roots = {"collector": self.collector, "hub": self.hub, "resolver": self.resolver, "endings": self.endings}
        return tables(roots)


def tables(roots: Mapping[str, Any]) -> dict[str, int]:
    """Find all containers of the daemon's own objects: by place, how long they are. Lists of lists count as one."""
    found: dict[str, int] = {}
    seen: set[int] = set()
    waiting = list(roots.items())
    while waiting:
        place, value = waiting.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, np.ndarray):
            found[place] = max(found.get(place, 0), len(value) if value.ndim else 1)
        elif isinstance(value, dict | list | set | frozenset | deque | tuple):
            found[place] = found.get(place, 0) + len(value)
            inner = list(value.values()) if isinstance(value, dict) else list(value)
            waiting += ((f"{place}[]", each) for each in inner[:_INSIDE])
        elif type(value).__module__.startswith(("flowtopd.", "testbed.")):
            waiting += ((f"{place}.{name}", each) for name, each in _attributes(value))
    return found


_INSIDE: Final = 64
"""So many values of a table are looked into."""


def _attributes(value: Any) -> Collection[tuple[str, Any]]:
    slots = [name for kind in type(value).__mro__ for name in getattr(kind, "__slots__", ())]
    return [*getattr(value, "__dict__", {}).items(), *((n, getattr(value, n)) for n in slots if hasattr(value, n))]


def _note(peaks: dict[str, int], now: Mapping[str, int]) -> None:
    for place, length in now.items():
        peaks[place] = max(peaks.get(place, 0), length)


def _absurd(tick: Tick) -> int:
    rates = tick.snapshot.columns["orig_rate"]
    return int(np.count_nonzero((rates < 0) | (rates > 200_000)))


def resident_bytes() -> int:
    """What this process takes of the memory, after what is garbage has gone."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * 4096
