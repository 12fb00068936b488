"""What was measured of one tool on one table under one load, as a value.

Rules: None is "there is no such thing, or nobody can say", never a made-up zero. `remark` says what the tool could not
do. Memory is resident memory (VmRSS), what top and ps show: pages that processes share count in each of them.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Tool(StrEnum):
    """The contestants, by the command a user would type."""

    FLOWTOP = "flowtop, 1 viewer"
    FLOWTOP_8 = "flowtop, 8 viewers"
    CLASSIC = "C flowtop -n -G"
    IPTSTATE = "iptstate"
    LIST = "conntrack -L"
    EVENTS = "conntrack -E"
    PYROUTE2 = "pyroute2 dump"


LOADS: Final = (0, 1_000, 20_000)
"""New flows a second."""


@dataclass(frozen=True, slots=True)
class Keys:
    """Milliseconds from a key press to the changed screen."""

    pressed: int
    median_ms: float
    p99_ms: float


@dataclass(frozen=True, slots=True)
class Cell:
    """One tool, a table of `flows` entries, `load` new flows a second more. Times in seconds, memory in MiB.

    `cpu_minute`: CPU seconds a minute, once it runs steadily. `cpu_start`: CPU seconds from its start to its first
    complete screen; of flowtop those of the daemon's start too. `memory`: resident, one number a process, the daemon's
    first. `shown` of `present`: flows by the tool's own count, and what the kernel's table had of that kind.
    """

    tool: Tool
    flows: int
    load: int
    cpu_minute: float | None = None
    cpu_start: float | None = None
    memory: tuple[float, ...] = ()
    first_screen_s: float | None = None
    keys: Keys | None = None
    shown: int | None = None
    present: int | None = None
    lost: int | None = None
    remark: str = ""
    gave_up: bool = False
    """It was so slow that it is not tried with more flows or more load."""

    @property
    def first_minute(self) -> float | None:
        """CPU seconds of a minute that begins with the start of the tool; never more than it took."""
        if self.cpu_minute is None or self.cpu_start is None:
            return None
        return self.cpu_start + self.cpu_minute * max(0.0, 60 - self.cpu_start) / 60


def find(cells: list[Cell], tool: Tool, flows: int, load: int = 0) -> Cell | None:
    """The cell of a tool at a size under a load, None where that was not measured."""
    return next((cell for cell in cells if (cell.tool, cell.flows, cell.load) == (tool, flows, load)), None)


def hopeless(cells: list[Cell], tool: Tool, flows: int, load: int) -> Cell | None:
    """The cell in which this tool gave up on no more flows and no more load than this; None while it may be tried."""
    return next((c for c in cells if c.tool is tool and c.gave_up and c.flows <= flows and c.load <= load), None)
