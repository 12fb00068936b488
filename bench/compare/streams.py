"""The tools without a screen: `conntrack -L` once a second, `conntrack -E`, pyroute2's dump once a second.

Their output goes to /dev/null or a file, which costs them less than a terminal would. "First screen" is the whole list.
"""

import json
import os
import re
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import IO, Any, Final

from bench.compare.cell import Cell, Tool
from bench.compare.ground import Ground
from bench.compare.measuring import Pace, a_minute, cpu_minute
from bench.processes import resident_mb
from bench.report import median
from bench.screen import ROOT
from testbed.churn import number
from testbed.netns import stop_process, wait_until

DUMP_LIMIT_S: Final = 5.0
"""A dump that takes longer is not taken again on a larger table."""

_SHOWN: Final = re.compile(r": (\d+) flow entries")
_EVENT: Final = re.compile(r"\[(NEW|DESTROY)\].*? dst=8\.8\.4\.4 sport=(\d+) dport=(\d+)")


@dataclass(frozen=True, slots=True)
class _Run:
    seconds: float
    cpu_s: float
    shown: int


def listing(ground: Ground, load: int, pace: Pace) -> Cell:
    """`conntrack -L >/dev/null` in a loop."""
    runs, start = [], time.perf_counter()
    with ground.namespace.entered():
        while time.perf_counter() < start + pace.window_s:
            runs.append(_list())
            time.sleep(max(0.0, 1 - runs[-1].seconds))
        passed_s = time.perf_counter() - start
        memory_mb = _list_memory()
    slow_s = median(run.seconds for run in runs)
    return Cell(
        Tool.LIST,
        ground.flows,
        load,
        a_minute(sum(run.cpu_s for run in runs), passed_s),
        0.0,
        (memory_mb,),
        slow_s,
        shown=runs[-1].shown,
        present=ground.count(),
        remark=f"a list every {slow_s:.1f} s" if slow_s > 1 else "",
    )


def _list() -> _Run:
    start = time.perf_counter()
    process = subprocess.Popen(["conntrack", "-L"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    assert process.stderr is not None
    with process.stderr:
        said = process.stderr.read().decode()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.perf_counter() - start
    found = _SHOWN.search(said)
    if process.returncode or not found:
        raise RuntimeError(f"conntrack -L: exit {process.returncode}: {said}")
    return _Run(seconds, used.ru_utime + used.ru_stime, int(found.group(1)))


def _list_memory() -> float:
    """Resident memory in the middle of a list: it waits for a reader of its pipe, which is small."""
    process = subprocess.Popen(["conntrack", "-L"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, pipesize=4_096)
    assert process.stdout is not None
    try:
        select.select([process.stdout], [], [])
        return resident_mb(process.pid)
    finally:
        stop_process(process)


def events(ground: Ground, load: int, pace: Pace) -> Cell:
    """`conntrack -E` into a file. What it has missed between its first and its last event of each kind is lost."""
    with tempfile.TemporaryFile() as target, ground.namespace.entered():
        process = subprocess.Popen(["conntrack", "-E"], stdout=target, stderr=subprocess.DEVNULL)
        try:
            if load:
                wait_until(lambda: os.fstat(target.fileno()).st_size > 0)
            else:
                time.sleep(pace.settle_s / 2)
            minute, memory_mb = cpu_minute([process.pid], pace.window_s), resident_mb(process.pid)
        finally:
            stop_process(process, signal.SIGINT)
        target.seek(0)
        lost = missing(line.decode("ascii", "replace") for line in target) if load else None
    return Cell(Tool.EVENTS, ground.flows, load, minute, 0.0, (memory_mb,), lost=lost, remark="no table, events alone")


def missing(lines: Iterable[str]) -> int:
    """How many events of the churn's flows are not in the output of `conntrack -E`, though later ones are."""
    seen: dict[str, set[int]] = {"NEW": set(), "DESTROY": set()}
    for line in lines:
        if found := _EVENT.search(line):
            seen[found.group(1)].add(number(int(found.group(2)), int(found.group(3))))
    return sum(max(flows) - min(flows) + 1 - len(flows) for flows in seen.values() if flows)


def pyroute2(ground: Ground, load: int, pace: Pace) -> Cell:
    """pyroute2's dump, decoded by pyroute2."""
    argv = [sys.executable, "-m", "bench.compare.dumping", str(pace.window_s)]
    started = time.perf_counter()
    process = ground.namespace.popen(argv, stdout=subprocess.PIPE, cwd=ROOT)
    try:
        if _said(process.stdout, pace.patience_s) is None:
            late = f"no dump after {pace.patience_s:.0f} s"
            return Cell(Tool.PYROUTE2, ground.flows, load, present=ground.count(), remark=late, gave_up=True)
        first_s = time.perf_counter() - started
        result = _said(process.stdout, 2 * pace.patience_s + pace.window_s)
        present = ground.count()
    finally:
        stop_process(process)
    if result is None:
        return Cell(Tool.PYROUTE2, ground.flows, load, remark="no second dump", gave_up=True)
    slow = f"a dump takes {result['longest_s']:.1f} s" if result["longest_s"] > 1 else ""
    minute = a_minute(result["cpu_s"], result["seconds"])
    return Cell(
        Tool.PYROUTE2,
        ground.flows,
        load,
        minute,
        None,
        (result["memory_mb"],),
        first_s,
        shown=result["flows"],
        present=present,
        remark=slow,
        gave_up=result["longest_s"] > DUMP_LIMIT_S,
    )


def _said(stream: IO[bytes] | None, seconds: float) -> dict[str, Any] | None:
    """The next line of a program, decoded; None when it does not come."""
    assert stream is not None
    if not select.select([stream], [], [], seconds)[0]:
        return None
    line = stream.readline()
    if not line:
        raise RuntimeError("the program has ended")
    decoded: dict[str, Any] = json.loads(line)
    return decoded
