"""All that one comparison has measured, and the section of docs/benchmarks.md that says it. Values in, text out."""

import time
from dataclasses import dataclass, field
from typing import Final

from bench import report
from bench.compare.cell import Cell
from bench.compare.measuring import Pace
from bench.compare.tables import absolute_tables, ratio_table
from bench.report import Measured

_REASONS: Final = """
What stands in the way of the CPU against the C flowtop: a dump walks all buckets of the kernel's hash table, also
where they are empty. With 262 144 of them that is 11 ms, 0.66 s a minute at a dump a second, before a byte is looked
at. The C flowtop costs little while nothing changes, and shows TCP alone; it pays when it starts, and for every flow
that comes or goes, thirty times as much as flowtop at 1 000 a second. Half of what it takes in a steady table is less
than the dumps alone. With fewer buckets, as on machines with less memory, a dump costs less in proportion.
"""
_HEAD: Final = """## Side by side

Written by `{command}` on {date}, in {minutes:.0f} minutes.

{machine}
Every tool runs in the same network namespace, a router with NAT, one after another on the same table: entries as a
router has them (TCP, UDP, ICMP, IPv4 and IPv6, NAT), injected once, and real packets through the router for new
flows: a SYN each, taken back 0.4 s later, and four flows that go on. Viewers of flowtop run with `-n -G --all`, the
C flowtop with `-n -G`: it shows TCP alone. `conntrack -L` runs once a second into /dev/null, pyroute2's dump too.

- *CPU*: user and system time of all processes of the tool, from refresh to refresh over {window:g} s or little more,
  scaled to a minute, once it has started. flowtop: the daemon and all viewers. What an event costs the kernel where
  a packet comes from is nobody's.
- *memory*: resident memory (RSS) of the process as top shows it; pages that processes share count in each.
- *first screen*: from exec to a full page, with a running daemon; without a screen: the whole list.
- *key*: from the press of a scrolling key to a changed, complete screen.
- *shown / in the table*: what the tool says it has, and what the kernel's table had in that moment; while flows
  come and go the two are taken a few milliseconds apart. C flowtop: of TCP.
- *events lost*: conntrack -E: new and closed flows that are not in its output, though later ones are; flowtop: what the
  kernel has told it, and what the next dump has healed.
- `-`: there is no such thing, or the tool does not say.

![CPU, keys and first screens over the size of the table](compare.svg)
"""


@dataclass
class Outcome:
    """What came out, and what may have falsified it."""

    cells: list[Cell] = field(default_factory=list)
    limits: list[Measured] = field(default_factory=list)
    accuracy: list[Measured] = field(default_factory=list)
    disturbances: list[str] = field(default_factory=list)

    @property
    def good(self) -> bool:
        """Whether every limit is kept."""
        return False not in [one.good for one in (*self.limits, *self.accuracy)]

    def document(self, command: str, seconds: float, pace: Pace) -> str:
        """The section: ratios first, then limits and errors, then absolute numbers."""
        machine = report.machine(self.disturbances, tools=True)
        date = time.strftime("%Y-%m-%d")
        parts = [
            _HEAD.format(command=command, date=date, minutes=seconds / 60, machine=machine, window=pace.window_s),
            _section("CPU of each tool / CPU of flowtop with one viewer", ratio_table(self.cells), self.cells),
            _section("Numbers to reach", report.measured_table(self.limits) + _REASONS, self.limits),
            _section("Accuracy", report.measured_table(self.accuracy), self.accuracy),
            absolute_tables(self.cells),
        ]
        return "\n".join(filter(None, parts))


def _section(title: str, table: str, lines: list[Cell] | list[Measured]) -> str:
    return f"### {title}\n\n{table}" if lines else ""
