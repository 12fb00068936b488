"""Hours of a changing table at full speed: the simulated daemon, as long as a day's work.

Every tick is held against the kernel's arrays: the same flows, no absurd rate. So are the tables against the bounds
that their modules state; memory is looked at every simulated minute, and must not have grown in the end.
"""

from contextlib import closing
from dataclasses import dataclass, field
from typing import Final

from bench.report import Measured, at_most, thousands
from flowtopd.flows import rate_history
from flowtopd.flows.closed import MOST
from flowtopd.flows.history import SAMPLES
from flowtopd.flows.snapshot import Snapshot
from stress.fuzz.run import WrongAnswer, memory_mb
from testbed.simulated.daemon import SimulatedDaemon

HOURS: Final = 8.0
FLOWS: Final = 1_000
CHANGED: Final = 30
"""Flows that end and begin in a second."""
KEPT_S: Final = 60.0
_LOOK_S: Final = 10
_ROOM: Final = 16_384
"""Of `Pipeline`: records that may be of no use before they are dropped."""
_RECORDS_A_FLOW: Final = 17
"""At most: four addresses, each with a name, a place and a device, and a process."""
_GROWTH_LIMIT: Final = 0.25
"""Of what the process has of the system. What Python holds (tracemalloc) was the same after 1.5 and after 5 hours; the
rest are holes between what lives long, among the many arrays that live for a tick."""
_WARM_S: Final = 3600.0
"""Until then memory may grow: all rings are full then, and tables have been compacted."""


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


def live(hours: float, flows: int = FLOWS, changed: int = CHANGED, kept_s: float = KEPT_S) -> Lived:
    """Live for so many hours; flows that have closed are kept for `kept_s`.

    Raises WrongAnswer where a tick says what is not so.
    """
    lived = Lived(ticks=round(hours * 3600), flows=flows)
    with closing(SimulatedDaemon(flows=flows, changed=changed, kept_s=kept_s)) as daemon:
        for second in range(lived.ticks):
            tick = daemon.second()
            if mistakes := daemon.mistakes(tick):
                raise WrongAnswer("; ".join(mistakes))
            if second % _LOOK_S == 0:
                daemon.look()
            _look_at_tables(lived, daemon, tick.snapshot)
            if second % 60 == 59:
                lived.memory_mb.append(memory_mb())
    return lived


def _look_at_tables(lived: Lived, daemon: SimulatedDaemon, snapshot: Snapshot) -> None:
    assert daemon.hub.latest is not None
    closed = 0 if snapshot.closed is None else snapshot.closed.size
    room = 2 * _RECORDS_A_FLOW * (snapshot.size + closed) + _ROOM
    directory, published = daemon.directory, daemon.hub.latest
    lived.look("addresses and owners", directory.size + len(daemon.ledger.owners.values), room)
    lived.look("names", len(directory.names), room)
    lived.look("places", len(directory.places), room)
    lived.look("closed flows", closed, MOST)
    lived.look("bytes of rates", published.rates.nbytes, rate_history.BUDGET)
    lived.look("samples of all rates", len(published.history), SAMPLES)


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
