"""The numbers to reach, each a line with its limit. Most come out of the cells; two are measured for themselves.

CPU against the C tool is said twice: steady, when both have started and look at the same table, and for a first minute,
which has the start of everything in it: of daemon and viewer, and of the C tool, which reads the table flow by flow.
"""

import tempfile
import time
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Final

from bench import targets, ticks
from bench.compare.cell import Cell, Tool, find
from bench.report import Measured, at_most, median, thousands
from testbed.daemon import Daemon
from testbed.netns import Namespace

TICK_SIZES: Final = (100_000, 250_000)
_TICK_BUDGET_S: Final = 8.0
_OTHER: Final = 500
"""Entries of real traffic that may be in the table beside the injected ones."""
_READY_LIMIT_S: Final = 0.4
_CLASSIC_LIMITS: Final = {1_000: 0.5, 5_000: 0.1}
_HALF_A_CORE: Final = 30.0
_MIB: Final = 1 << 20


def tick(namespace: Namespace, flows: int, *, quick: bool) -> Measured:
    """A tick as a multiple of the kernel's own dump."""
    with namespace.entered():
        pairs = ticks.alternate(flows, 1 if quick else _TICK_BUDGET_S, other=_OTHER)
    remark = f"{pairs.tick_s * 1000:.0f} ms, floor {pairs.floor_s * 1000:.0f} ms"
    return at_most(
        f"tick / kernel floor at {thousands(flows)} flows",
        pairs.ratio,
        targets.TICK[flows],
        "",
        digits=3,
        remark=remark,
    )


def ready(namespace: Namespace, starts: int) -> Measured:
    """From exec of flowtopd to its answer to a greeting, asked for every 10 ms."""
    seconds = []
    for _ in range(starts):
        with tempfile.TemporaryDirectory(prefix="flowtop-bench-") as directory:
            began_s = time.perf_counter()
            with Daemon(namespace, Path(directory)):
                seconds.append(time.perf_counter() - began_s)
    remark = f"median of {starts}, worst {max(seconds):.2f} s; until it answers, asked every 10 ms"
    return at_most("flowtopd ready after exec", median(seconds), _READY_LIMIT_S, "s", digits=2, remark=remark)


def of_cells(cells: list[Cell]) -> list[Measured]:
    """Every limit whose cells were measured."""
    return list(chain(_cpu(cells), _keys(cells), _first_screen(cells), _memory(cells)))


def _cpu(cells: list[Cell]) -> Iterator[Measured]:
    for flows, limit in _CLASSIC_LIMITS.items():
        ours, theirs = find(cells, Tool.FLOWTOP, flows), find(cells, Tool.CLASSIC, flows)
        if ours and theirs and ours.cpu_minute and theirs.cpu_minute:
            label = f"CPU of flowtopd + viewer / C flowtop at {thousands(flows)} flows"
            yield _against(f"{label}, steady", ours.cpu_minute, theirs.cpu_minute, limit)
            # one that has not started yet in the time it was given has used all of the minute so far
            minute = theirs.first_minute or theirs.cpu_minute
            yield _against(f"{label}, first minute with start-up", ours.first_minute or 0, minute, limit)
    if (ours := find(cells, Tool.FLOWTOP, 100_000)) and ours.cpu_minute:
        yield at_most("CPU of flowtopd + viewer at 100 000 flows", ours.cpu_minute, _HALF_A_CORE, "s / min", digits=1)


def _against(what: str, ours: float, theirs: float, limit: float) -> Measured:
    return at_most(what, ours / theirs, limit, "", digits=2, remark=f"{ours:.2f} and {theirs:.2f} s / min")


def _keys(cells: list[Cell]) -> Iterator[Measured]:
    sizes = [cell.flows for cell in cells if cell.tool is Tool.FLOWTOP and not cell.load and cell.keys]
    for flows in sizes:
        limit = targets.KEY_MS.get(flows) or (targets.LARGEST_KEY_MS if flows == max(sizes) else None)
        cell = find(cells, Tool.FLOWTOP, flows)
        if limit and cell and cell.keys:
            remark = f"{cell.keys.pressed} keys, median {cell.keys.median_ms:.1f} ms"
            label = f"key to changed screen at {thousands(flows)} flows, 99th percentile"
            yield at_most(
                label, cell.keys.p99_ms, limit, "ms", digits=1, remark="; ".join(filter(None, (remark, cell.remark)))
            )


def _first_screen(cells: list[Cell]) -> Iterator[Measured]:
    cell = find(cells, Tool.FLOWTOP, 1_000)
    if cell and cell.first_screen_s:
        label = "first screen of flowtop at 1 000 flows, daemon running"
        yield at_most(label, cell.first_screen_s, targets.FIRST_SCREEN_S[1_000], "s", digits=2)


def _memory(cells: list[Cell]) -> Iterator[Measured]:
    small, large = find(cells, Tool.FLOWTOP, 1_000), find(cells, Tool.FLOWTOP, 100_000)
    if small and small.memory:
        yield at_most("memory of flowtopd at 1 000 flows", small.memory[0], targets.daemon_mb(1_000), "MB", digits=1)
        yield at_most("memory of the viewer at 1 000 flows", small.memory[1], targets.VIEWER_MB, "MB", digits=1)
    if small and small.memory and large and large.memory:
        more = (large.memory[0] - small.memory[0]) * _MIB / (large.flows - small.flows)
        remark = f"from {small.memory[0]:.1f} MB at 1 000 to {large.memory[0]:.1f} MB at 100 000 flows"
        yield at_most("memory of flowtopd for one more flow", more, targets.FLOW_BYTES, "bytes", remark=remark)
