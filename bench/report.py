"""Results and how they are shown: Markdown tables. Numbers in, text out.

A `Measured` is one line: what it is, the value, the limit it has to keep, and whether it does. The main table,
`Ticks`, has a line for every table size, ratios first.
"""

import os
import platform
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Final

from testbed.netns import run

PACKAGES: Final = ("numpy", "msgpack", "prompt_toolkit", "pyroute2")


@dataclass(frozen=True, slots=True)
class Measured:
    """One measurement. `good` None: it has no limit."""

    what: str
    value: str
    limit: str = ""
    good: bool | None = None
    remark: str = ""

    @property
    def verdict(self) -> str:
        """Say whether the limit is kept."""
        return "" if self.good is None else "pass" if self.good else "**over**"


@dataclass(frozen=True, slots=True)
class Ticks:
    """One tick at one size, against everything else that reads the same table. Seconds; None: not measured."""

    flows: int
    ratio: float
    limit: float | None
    floor_s: float
    tick_s: float
    conntrack_s: float
    pyroute2_s: float | None

    @property
    def good(self) -> bool | None:
        """Whether the ratio keeps its limit."""
        return None if self.limit is None else self.ratio <= self.limit


def at_most(what: str, value: float, limit: float, unit: str, *, digits: int = 0, remark: str = "") -> Measured:
    """Make the line of a value that may not be over its limit."""
    return Measured(what, f"{value:.{digits}f} {unit}", f"≤ {limit:g} {unit}", value <= limit, remark)


def median(values: Iterable[float]) -> float:
    """Return the middle value."""
    return statistics.median(values)


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value that `share` of all do not exceed (nearest rank)."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [list(head), ["---"] * len(head), *map(list, rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    lines[1] = ["-" * width for width in widths]
    return "\n".join("| " + " | ".join(map(str.ljust, line, widths)) + " |" for line in lines) + "\n"


def ticks_table(all_ticks: Iterable[Ticks]) -> str:
    """The main table."""

    def milliseconds(seconds: float | None) -> str:
        return "" if seconds is None else f"{seconds * 1000:.1f}"

    head = ("flows", "tick / floor", "limit", "", "floor ms", "tick ms", "`conntrack -L` ms", "pyroute2 ms")
    return _table(
        head,
        (
            (
                f"{ticks.flows:,}".replace(",", " "),
                f"{ticks.ratio:.3f}",
                "" if ticks.limit is None else f"≤ {ticks.limit}",
                Measured("", "", good=ticks.good).verdict,
                *map(milliseconds, (ticks.floor_s, ticks.tick_s, ticks.conntrack_s, ticks.pyroute2_s)),
            )
            for ticks in all_ticks
        ),
    )


def measured_table(measured: Iterable[Measured]) -> str:
    """The table of everything else."""
    head = ("what", "measured", "limit", "", "remark")
    return _table(head, ((one.what, one.value, one.limit, one.verdict, one.remark) for one in measured))


def machine() -> str:
    """Describe what this runs on, as a list."""
    cpu = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines()
            if "model name" in line
        ),
        platform.machine(),
    )
    cores = run(["nproc"]).strip()
    packages = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    return (
        f"- {cores} cores, {cpu}\n"
        f"- Linux {platform.release()}, Python {platform.python_version()}, {packages}\n"
        f"- {run(['conntrack', '--version']).strip()}; C flowtop {_classic_version()}\n"
    )


def busy() -> str:
    """Say that the machine does other work, which falsifies times and shares; empty when it does not."""
    load, cores = os.getloadavg()[0], os.cpu_count() or 1
    return f"the machine is busy with other work: load {load:.1f} on {cores} cores" if load > cores / 4 else ""


def _classic_version() -> str:
    try:
        return run(["dpkg-query", "-W", "-f", "${Version}", "netsniff-ng"]).strip()
    except (FileNotFoundError, RuntimeError):
        return "not installed"
