"""What a tick leaves behind. Never changed after it is made, so that anybody can read it without a lock."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Moment:
    """One point in time on both clocks. Rates use `monotonic_s` only: the wall clock may step."""

    wall_s: float
    monotonic_s: float


@dataclass(frozen=True, slots=True, eq=False)
class Snapshot:
    """The flows of one tick. `columns` has every name of `schema.SCHEMA`, all read-only, all of length `size`."""

    seq: int
    at: Moment
    interval_s: float | None
    """Seconds since the sample before; None where there is none, and rates are NaN then."""
    size: int
    columns: dict[str, NDArray[Any]]
    resets: int
    """Flows whose counters another program set back, since the table began."""

    def row_of(self, key: int) -> int | None:
        """Return the row of the flow with this key, None when there is none."""
        rows = np.flatnonzero(self.columns["key"] == np.uint64(key))
        return int(rows[0]) if len(rows) else None


@dataclass(frozen=True, slots=True)
class KernelState:
    """What the kernel does in this network namespace. `max` and `tracking` are None where they cannot be told."""

    accounting: bool
    timestamps: bool
    max: int | None
    tracking: bool | None
    """Whether connections are tracked at all; asked for only while the table is empty."""


@dataclass(frozen=True, slots=True, eq=False)
class Tick:
    """A snapshot and what went with it. `seconds`: how long the tick took."""

    snapshot: Snapshot
    kernel: KernelState
    seconds: float
