"""The rates of all flows over the last minutes: a ring of samples, one a tick, as many as a fixed budget holds.

    Snapshot ─▶ the flows that moved: key, orig_rate, reply_rate (u8, f4, f4: 16 bytes a flow) ─▶ newest
                                                                     oldest ─▶ dropped when it is too much

Only flows that moved are kept: one that is not in a sample stood still, if it was there and is counted. 16 MiB hold a
million rates. At 100 000 flows that all move these are 10 ticks, where one in twenty moves 209; at 1 000 flows they are
the 600 of `SAMPLES`, for 9.6 MB at most. To keep a tick costs 0.02 ms at 1 000 moving flows, 0.4 ms at 100 000, and to
ask for one flow 2 ms at most.
"""

from collections import deque
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from flowtopd.flows.snapshot import Snapshot
from flowtopd.netlink.ctrecord import Has

BUDGET: Final = 16 << 20
"""Bytes of all samples."""

SAMPLES: Final = 600
"""As many as a graph can show."""

Point = tuple[float, float | None, float | None]
"""Unix seconds, and the two rates in bytes a second; None where they are unknown."""


@dataclass(slots=True, eq=False)
class _Sample:
    at_s: float
    keys: NDArray[np.uint64]
    orig: NDArray[np.float32]
    reply: NDArray[np.float32]

    @property
    def nbytes(self) -> int:
        return self.keys.nbytes + self.orig.nbytes + self.reply.nbytes


class RateHistory:
    """The ring. For one thread."""

    def __init__(self, budget: int = BUDGET, samples: int = SAMPLES) -> None:
        self._budget = budget
        self._most = samples
        self._samples: deque[_Sample] = deque()
        self._nbytes = 0

    @property
    def nbytes(self) -> int:
        """What the samples take."""
        return self._nbytes

    def __len__(self) -> int:
        return len(self._samples)

    def add(self, snapshot: Snapshot) -> None:
        """Keep the rates of this tick, which is later than all before."""
        if snapshot.at.set_s:  # as with `first_seen_s`: by the clock of now
            for one in self._samples:
                one.at_s += snapshot.at.set_s
        sample = _moved(snapshot)
        self._samples.append(sample)
        self._nbytes += sample.nbytes
        while len(self._samples) > self._most or self._nbytes > self._budget:
            self._nbytes -= self._samples.popleft().nbytes

    def clear(self) -> None:
        """Drop all."""
        self._samples.clear()
        self._nbytes = 0

    def of(self, snapshot: Snapshot, row: int) -> list[Point]:
        """Return the rates of a flow from its first tick to that of the snapshot, as far as they are kept.

        Of a flow that the kernel does not count there are none.
        """
        if not snapshot.columns["has"][row] & Has.COUNTERS:
            return []
        key, since_s = snapshot.columns["key"][row], float(snapshot.columns["first_seen_s"][row])
        return [
            (sample.at_s, *_rates(sample, key, since_s))
            for sample in self._samples
            if since_s <= sample.at_s <= snapshot.at.wall_s
        ]


def _moved(snapshot: Snapshot) -> _Sample:
    columns = snapshot.columns
    orig, reply = columns["orig_rate"], columns["reply_rate"]
    rows = np.flatnonzero((orig > 0) | (reply > 0))  # unknown is NaN, which is not above 0
    return _Sample(
        snapshot.at.wall_s, columns["key"][rows], orig[rows].astype(np.float32), reply[rows].astype(np.float32)
    )


def _rates(sample: _Sample, key: np.uint64, since_s: float) -> tuple[float | None, float | None]:
    """The rates at one tick. In its first one a flow has none yet."""
    at = np.flatnonzero(sample.keys == key)
    if len(at):
        return float(sample.orig[at[0]]), float(sample.reply[at[0]])
    return (0.0, 0.0) if sample.at_s > since_s else (None, None)
