"""One tick of ours against the kernel floor, `conntrack -L` and pyroute2's decoder, on the same table.

Floor and tick alternate, A B A B, and the ratio is the median of the pairs' ratios, so that what slows the machine
down for a while slows both.
"""

import gc
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from pyroute2.netlink.nfnetlink.nfctsocket import NFCTSocket

from bench import targets
from bench.floor import Floor
from bench.report import Pairs, Ticks, median
from flowtopd.collector import Collector
from flowtopd.flows.snapshot import KernelState
from flowtopd.netlink.nlsocket import NetlinkSocket
from flowtopd.serving import SWITCH_INTERVAL_S
from testbed.netns import Namespace

_BUDGET_S: Final = 15.0
_PAIRS: Final = (9, 301)
_PYROUTE2_MAX_FLOWS: Final = 10_000
"""It takes about 88 µs an entry."""


def _seconds(function: Callable[[], object]) -> float:
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def measure(namespace: Namespace, flows: int, *, quick: bool) -> Ticks:
    """Measure everything that reads a table of `flows` entries."""
    with namespace.entered():
        pairs = alternate(flows, _BUDGET_S / 4 if quick else _BUDGET_S)
        conntrack = ["conntrack", "-L"]
        conntrack_s = median(
            _seconds(
                lambda: subprocess.run(conntrack, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            )
            for _ in range(3 if quick else 5)
        )
        pyroute2_s = None
        if flows <= _PYROUTE2_MAX_FLOWS:
            with NFCTSocket(0) as pyroute2:
                pyroute2_s = median(_seconds(lambda: list(pyroute2.dump())) for _ in range(1 if quick else 3))
    return Ticks(flows, pairs, targets.TICK.get(flows), conntrack_s, pyroute2_s)


def alternate(flows: int, budget_s: float, *, other: int = 0) -> Pairs:
    """Floor and tick in turns, as the daemon runs it: with its switch interval and a thread that reads.

    In the namespace of the calling thread, whose table has `flows` entries, and up to `other` more that may go.
    """
    kernel = KernelState(accounting=True, timestamps=True, max=None, tracking=None)
    floors: list[float] = []
    ticks: list[float] = []
    cpu: list[float] = []
    switch_s = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    with Floor() as floor, NetlinkSocket() as netlink, ThreadPoolExecutor(1) as reader:
        collector = Collector(netlink, lambda _flows: kernel, reader)
        for _ in range(3):  # the layouts are learnt, the buffers are there
            floor.dump()
            found = collector.tick().snapshot.size
            if not flows <= found <= flows + other:
                raise RuntimeError(f"{found} flows in a table of {flows}")
        gc.collect()
        end = time.perf_counter() + budget_s
        while len(ticks) < _PAIRS[0] or (len(ticks) < _PAIRS[1] and time.perf_counter() < end):
            floors.append(_seconds(floor.dump))
            before = time.process_time()
            ticks.append(_seconds(collector.tick))
            cpu.append(time.process_time() - before)
    sys.setswitchinterval(switch_s)
    ratio = median(tick / floor for tick, floor in zip(ticks, floors, strict=True))
    return Pairs(ratio, median(floors), median(ticks), median(cpu))


def empty_dump_s() -> float:
    """How long the kernel takes to dump an empty table: it walks all buckets, and what others have in them."""
    with Namespace() as namespace, namespace.entered(), Floor() as floor:
        return median(_seconds(floor.dump) for _ in range(30))
