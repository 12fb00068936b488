"""What enrichment costs: ticks with and without it in turns on the same table, 100 000 new addresses, and the truth.

    steady     the same flows tick after tick, with a share of them replaced: what a busy machine has all day
    arrival    100 000 flows to as many addresses nobody has seen: ticks go on while all of them are looked up

`bare` is the collector without a pipeline. Both decode the same dump; what differs is enrichment.
"""

import gc
import random
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from ipaddress import IPv4Address
from itertools import islice
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bench import sockets, truth
from bench.report import Measured, median, thousands
from flowtopd.collector import Collector
from flowtopd.config import Config
from flowtopd.enrich.geoip.places import Places
from flowtopd.enrich.pipeline import Pipeline
from flowtopd.enrichers import make_pipeline
from flowtopd.flows.snapshot import KernelState, Tick
from flowtopd.netlink.nlsocket import NetlinkSocket
from flowtopd.serving import SWITCH_INTERVAL_S
from testbed.entries import Entry, mix
from testbed.inject import inject
from testbed.netns import Namespace

STEADY_LIMIT: Final = 1.15
ARRIVAL_LIMIT: Final = 1.20
ARRIVAL_LIMIT_S: Final = 3.0

_KERNEL: Final = KernelState(accounting=True, timestamps=True, max=None, tracking=None)
_PUBLIC: Final = (int(IPv4Address("11.0.0.0")), int(IPv4Address("99.255.255.255")))
_TICK_S: Final = 0.5


@dataclass(frozen=True, slots=True)
class _Collectors:
    bare: Collector
    full: Collector
    pipeline: Pipeline


@contextmanager
def _collectors(namespace: Namespace) -> Iterator[_Collectors]:
    before_s = sys.getswitchinterval()
    with ExitStack() as stack:
        stack.enter_context(namespace.entered())
        stack.callback(sys.setswitchinterval, before_s)
        sys.setswitchinterval(SWITCH_INTERVAL_S)
        netlinks = [stack.enter_context(NetlinkSocket()) for _ in range(2)]
        readers = [stack.enter_context(ThreadPoolExecutor(1)) for _ in range(2)]
        pipeline = make_pipeline(Config())
        stack.callback(pipeline.close)
        yield _Collectors(
            Collector(netlinks[0], lambda _flows: _KERNEL, readers[0]),
            Collector(netlinks[1], lambda _flows: _KERNEL, readers[1], pipeline),
            pipeline,
        )


def _tick(collector: Collector) -> tuple[float, Tick]:
    began_s = time.perf_counter()
    taken = collector.tick()
    return time.perf_counter() - began_s, taken


def steady(namespace: Namespace, flows: int, *, quick: bool) -> list[Measured]:
    """The part of a tick that enrichment adds once everything is known."""
    ratios, times = [], []
    with _collectors(namespace) as both:
        for _ in range(3):
            both.bare.tick()
            both.full.tick()
            time.sleep(_TICK_S)  # for what is looked up in the background
        gc.collect()
        for _ in range(7 if quick else 25):
            (bare_s, _), (full_s, _) = _tick(both.bare), _tick(both.full)
            ratios.append(full_s / bare_s)
            times.append((bare_s, full_s))
    remark = "median of {}, {:.0f} ms and {:.0f} ms".format(
        len(ratios), *(median(values) * 1000 for values in zip(*times, strict=True))
    )
    what = f"enriched tick / bare tick at {thousands(flows)} flows, steady"
    return [_ratio(what, median(ratios), STEADY_LIMIT, remark)]


def arrival(_namespace: Namespace, flows: int, *, quick: bool) -> list[Measured]:
    """Flows to addresses that nobody has seen: how long until their countries are known, and what ticks cost then."""
    found, findable = _alone(flows)
    known_s = next((seconds for seconds, count in found if count >= findable), None)
    ratios = _beside_bare(flows, 5 if quick else 10)
    label = f"{thousands(flows)} addresses that are new"
    return [
        Measured(
            f"{label}: until the countries of all are known",
            "never" if known_s is None else f"{known_s:.1f} s",
            f"≤ {ARRIVAL_LIMIT_S:g} s",
            good=known_s is not None and known_s <= ARRIVAL_LIMIT_S,
            remark=f"{thousands(findable)} have one; a tick every second",
        ),
        _ratio(f"{label}: enriched tick / bare tick, the largest", max(ratios), ARRIVAL_LIMIT, f"of {len(ratios)}"),
    ]


def _alone(flows: int) -> tuple[list[tuple[float, int]], int]:
    """Tick every second; return when how many countries were known, and how many there are."""
    with _arrived(flows) as both:
        began_s, taken_at = time.perf_counter(), []
        for _ in range(5):
            tick_s, taken = _tick(both.full)
            taken_at.append((time.perf_counter() - began_s, taken))
            time.sleep(max(0.0, 1.0 - tick_s))
        return [(seconds, _found(taken)) for seconds, taken in taken_at], _findable(taken)


def _beside_bare(flows: int, rounds: int) -> list[float]:
    """Ticks with and without enrichment in turns, from the arrival on."""
    ratios = []
    with _arrived(flows) as both:
        for _ in range(rounds):
            (bare_s, _), (full_s, _) = _tick(both.bare), _tick(both.full)
            ratios.append(full_s / bare_s)
            time.sleep(max(0.0, 1.0 - bare_s - full_s))
    return ratios


@contextmanager
def _arrived(flows: int) -> Iterator[_Collectors]:
    """Collectors that know a table of so many flows, to which as many strangers have come since."""
    with Namespace() as namespace:
        namespace.account()
        namespace.track()
        inject(namespace, mix(flows, seed=2))
        with _collectors(namespace) as both:
            for _ in range(3):
                both.bare.tick()
                both.full.tick()
                time.sleep(_TICK_S)
            inject(namespace, _strangers(flows))
            yield both


def _strangers(count: int) -> Iterator[Entry]:
    """TCP flows, each to a public address of its own."""
    chance = random.Random(3)
    plain = (entry for entry in mix(4 * count, seed=4) if entry.orig.proto == 6 and entry.orig.src.version == 4)
    for number, entry in enumerate(islice(plain, count)):
        address = IPv4Address(_PUBLIC[0] + (number * 14_741 + chance.randrange(14_741)) % (_PUBLIC[1] - _PUBLIC[0]))
        yield replace(entry, orig=replace(entry.orig, dst=address), dnat=None, snat=None)


def _findable(taken: Tick) -> int:
    """How many destinations the databases have a country for."""
    places = Places()
    found = places.places(taken.snapshot.dimensions.addresses["address"][_destinations(taken)])
    places.close()
    return sum(place.country is not None for place in found)


def _found(taken: Tick) -> int:
    dimensions = taken.snapshot.dimensions
    places = dimensions.addresses["place"][_destinations(taken)]
    return sum(dimensions.places[place].country is not None for place in places.tolist())


def _destinations(taken: Tick) -> NDArray[np.int32]:
    numbers: NDArray[np.int32] = np.unique(taken.snapshot.columns["dst_at"])
    return numbers


def processes(namespace: Namespace, _flows: int, *, quick: bool) -> list[Measured]:
    """Attribution against the truth, and dumps of sockets against the kernel's own."""
    long = truth.long_lived(namespace, 10, 100)
    short = truth.short_lived(namespace, 50 if quick else 200)
    dumps = sockets.measure(namespace)
    return [
        _wrong("1 000 flows of programs that stay", long),
        Measured("… named", f"{long.share:.1%}", "≥ 99 %", long.share >= 0.99),
        _wrong(f"{short.flows} runs of curl, 50 to 100 ms each", short),
        Measured("… named", f"{short.share:.1%}", "aim: 90 %"),
        _ratio(
            f"dump of {thousands(dumps.sockets)} sockets / the kernel's raw dump",
            dumps.ratio,
            sockets.LIMIT,
            f"{dumps.floor_s * 1000:.0f} ms and {dumps.ours_s * 1000:.0f} ms",
        ),
    ]


def _wrong(what: str, found: truth.Truth) -> Measured:
    return Measured(f"{what}: named wrongly", str(found.wrong), "0", found.wrong == 0)


def _ratio(what: str, value: float, limit: float, remark: str) -> Measured:
    return Measured(what, f"{value:.2f}", f"≤ {limit:.2f}", value <= limit, remark, stable=value)
