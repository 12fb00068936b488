"""What a tick leaves behind. Never changed after it is made, so that anybody can read it without a lock."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flowtopd.flows.dimensions import Attached, Dimensions
from flowtopd.flows.index import KeyIndex
from flowtopd.wire.messages import Events, Replay

Columns = dict[str, NDArray[Any]]
Rates = tuple[NDArray[np.float64], NDArray[np.float64]]


@dataclass(frozen=True, slots=True)
class Moment:
    """One point in time on both clocks. Rates use `monotonic_s` only: the wall clock may step.

    `set_s`: by how much the wall clock was set since the moment before. What was noted by it then is to be read as that
    much later now. While the machine sleeps the wall clock goes on and the monotonic one does not: that is no step.
    """

    wall_s: float
    monotonic_s: float
    set_s: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Snapshot:
    """The flows of one tick. `columns` has every name of `schema.SCHEMA`, all read-only, all of length `size`."""

    seq: int
    at: Moment
    interval_s: float | None
    """Seconds since the sample before; None where there is none, and rates are NaN then."""
    size: int
    columns: Columns
    resets: int
    """Flows whose counters another program set back, since the table began."""
    index: KeyIndex
    """Of the column `key`."""
    previous: NDArray[np.intp] | None = None
    """For each row, where its flow stood in the snapshot before, -1 where it is new. None: all where they are now."""
    dimensions: Dimensions = field(default_factory=Dimensions)
    means: dict[float, Rates] = field(default_factory=dict)
    """The rates of both directions as means over so many seconds, those that somebody wants. See `flows.means`."""
    closed: "Snapshot | None" = None
    """The flows that have closed lately. They point into the same dimensions. See `flows.closed`."""
    attached: Mapping[int, Attached] = field(default_factory=dict)
    """By key, for flows whose details somebody has open."""

    def rows_of(self, keys: NDArray[np.uint64]) -> NDArray[np.intp]:
        """Return the row of each flow with these keys, -1 where there is none."""
        return self.index.find(keys)


@dataclass(frozen=True, slots=True)
class Sample:
    """What all flows together moved from the tick before to this one, in bytes a second; None where nothing counts."""

    seq: int
    wall_s: float
    orig_rate: float | None
    reply_rate: float | None


@dataclass(frozen=True, slots=True)
class KernelState:
    """What the kernel does in this network namespace. `max` and `tracking` are None where they cannot be told."""

    accounting: bool
    timestamps: bool
    max: int | None
    tracking: bool | None
    """Whether connections are tracked at all; asked for only while the table is empty."""
    freezes: bool = False
    """Whether a flowtable is there that does not count what it forwards."""


@dataclass(frozen=True, slots=True, eq=False)
class Tick:
    """A snapshot and what went with it. `seconds`: how long the tick took."""

    snapshot: Snapshot
    kernel: KernelState
    seconds: float
    events_lost: int = 0
    """Events of flows that nobody has looked at, since the daemon began."""
    replay: Replay | None = None
    """Where in a recording this is, if it is one."""
    jumps: int = 0
    """How often somebody has gone to another place of the recording: what is there is shown at once."""
    sample: Sample | None = None
    """What all flows together moved."""
    places: tuple[str, ...] | None = None
    """What the databases of places can tell: `country`, `city`, `asn`. None where that is not known yet."""
    events: Events | None = None
    """Whether there are events of flows; None where that is not known."""
