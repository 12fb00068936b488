"""Results and how they are shown: Markdown tables. Numbers in, text out.

A `Measured` is one line: what it is, the value, the limit it has to keep, and whether it does. The main table,
`Ticks`, has a line for every table size, ratios first.
"""

import os
import platform
import statistics
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Final

from testbed.netns import run

PACKAGES: Final = ("numpy", "msgpack", "prompt_toolkit", "pyroute2")


@dataclass(frozen=True, slots=True)
class Measured:
    """One measurement. `good` None: it has no limit.

    `stable`: the same as a number, where it says the same on every machine (a ratio, megabytes) and less is better;
    `bench.baseline` watches these.
    """

    what: str
    value: str
    limit: str = ""
    good: bool | None = None
    remark: str = ""
    stable: float | None = None

    @property
    def verdict(self) -> str:
        """Say whether the limit is kept."""
        return "" if self.good is None else "pass" if self.good else "**over**"


@dataclass(frozen=True, slots=True)
class Pairs:
    """Floor and tick, measured in turns: the median of the pairs' ratios, and medians in seconds."""

    ratio: float
    floor_s: float
    tick_s: float
    tick_cpu_s: float
    """CPU time of a tick, kernel and all threads."""


@dataclass(frozen=True, slots=True)
class Ticks:
    """One tick at one size, against everything else that reads the same table. Seconds; None: not measured."""

    flows: int
    pairs: Pairs
    limit: float | None
    conntrack_s: float
    pyroute2_s: float | None

    @property
    def good(self) -> bool | None:
        """Whether the ratio keeps its limit."""
        return None if self.limit is None else self.pairs.ratio <= self.limit


def at_most(
    what: str, value: float, limit: float, unit: str, *, digits: int = 0, remark: str = "", stable: bool = False
) -> Measured:
    """Make the line of a value that may not be over its limit."""
    shown = (f"{value:.{digits}f} {unit}".rstrip(), f"≤ {limit:.4g} {unit}".rstrip())
    return Measured(what, *shown, value <= limit, remark, value if stable else None)


def thousands(number: int) -> str:
    """Group the digits of a number."""
    return f"{number:,}".replace(",", " ")


def median(values: Iterable[float]) -> float:
    """Return the middle value."""
    return statistics.median(values)


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value that `share` of all do not exceed (nearest rank)."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table whose columns are as wide as they need to be."""
    lines = [list(head), ["---"] * len(head), *map(list, rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    lines[1] = ["-" * width for width in widths]
    return "\n".join("| " + " | ".join(map(str.ljust, line, widths)) + " |" for line in lines) + "\n"


def ticks_table(all_ticks: Iterable[Ticks]) -> str:
    """The main table."""

    def milliseconds(seconds: float | None) -> str:
        return "" if seconds is None else f"{seconds * 1000:.1f}"

    def row(ticks: Ticks) -> tuple[str, ...]:
        pairs = ticks.pairs
        times = (pairs.floor_s, pairs.tick_s, pairs.tick_cpu_s, ticks.conntrack_s, ticks.pyroute2_s)
        limit = "" if ticks.limit is None else f"≤ {ticks.limit}"
        verdict = Measured("", "", good=ticks.good).verdict
        return (thousands(ticks.flows), f"{pairs.ratio:.3f}", limit, verdict, *map(milliseconds, times))

    head = (
        "flows",
        "tick / floor",
        "limit",
        "",
        "floor ms",
        "tick ms",
        "tick CPU ms",
        "`conntrack -L` ms",
        "pyroute2 ms",
    )
    return table(head, map(row, all_ticks))


def measured_table(measured: Iterable[Measured]) -> str:
    """The table of everything else."""
    head = ("what", "measured", "limit", "", "remark")
    return table(head, ((one.what, one.value, one.limit, one.verdict, one.remark) for one in measured))


def machine(disturbances: Iterable[str], *, tools: bool = False) -> str:
    """Describe what this runs on, as a list. `tools`: what flowtop is compared with, too."""
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
    lines = (
        f"{cores} cores, {cpu}",
        f"Linux {platform.release()}, Python {platform.python_version()}, {packages}",
        f"{run(['conntrack', '--version']).strip()}; C flowtop {_package('netsniff-ng')}",
        *([f"iptstate {_package('iptstate')}, iperf3 {_package('iperf3')}, nftables {_package('nftables')}"] * tools),
        *disturbances,
    )
    return "".join(f"- {line}\n" for line in lines)


@dataclass
class Results:
    """All that was measured in one run, and what may have falsified it."""

    ticks: list[Ticks] = field(default_factory=list)
    measured: list[Measured] = field(default_factory=list)
    disturbances: list[str] = field(default_factory=list)

    @property
    def good(self) -> bool:
        """Whether every limit is kept."""
        return False not in [*(one.good for one in self.ticks), *(one.good for one in self.measured)]

    def __str__(self) -> str:
        tables = [ticks_table(self.ticks)] if self.ticks else []
        tables += [measured_table(self.measured)] if self.measured else []
        return "\n".join(tables)


def busy() -> Iterator[str]:
    """Say that this machine does other work. Ask before a benchmark: it is work itself."""
    load, cores = os.getloadavg()[0], os.cpu_count() or 1
    if load > cores / 4:
        yield f"the machine was busy with other work: load {load:.1f} on {cores} cores"


def crowded(empty_dump_s: float) -> Iterator[str]:
    """Say that other namespaces have many entries: all share one hash table, and a dump walks over everybody's.

    Measured: 26 ms for every 100 000; the empty buckets alone 25 ns each.
    """
    buckets = int(Path("/proc/sys/net/netfilter/nf_conntrack_buckets").read_text("ascii"))
    if empty_dump_s > 60e-9 * buckets:
        what = f"a dump of an empty table took {empty_dump_s * 1000:.0f} ms with {thousands(buckets)} buckets"
        yield f"{what}: other namespaces have many entries, or the machine is slow"


def _package(name: str) -> str:
    """Version of a Debian package."""
    try:
        return run(["dpkg-query", "-W", "-f", "${Version}", name]).strip()
    except (FileNotFoundError, RuntimeError):
        return "not installed"
