"""Mean rates over some seconds: what every flow has moved, added up in a few segments of time.

    seconds ago   10        8        6        4        2        0
                   ├────────┼────────┼────────┼────────┼─ now ──┤   what moved, and in how many seconds, a flow
                   oldest: goes when the others cover the time      the newest: grows with every tick

A mean is all that moved in the segments over all the time in them that the flow was sampled, so that a younger flow's
is over its life so far. The time covered is exact to half a segment, a tenth of the mean's seconds, or to a tick where
ticks are longer. Costs 12 bytes a flow and segment, of which there are up to SEGMENTS + 1; nothing where nobody asks.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from flowtopd.flows.index import Rows

SEGMENTS: Final = 5

Sums = NDArray[np.float32]
"""Shape (3, flows): bytes of both directions, seconds. 24 bits are exact to 16 MB and to 0.1 ppm beyond."""

Rates = tuple[NDArray[np.float64], NDArray[np.float64]]


@dataclass(slots=True, eq=False)
class _Segment:
    seconds: float
    sums: Sums


class Mean:
    """The means over one time. `add` every tick of one table, in turn."""

    def __init__(self, mean_s: float) -> None:
        self._mean_s = mean_s
        self._segment_s = mean_s / SEGMENTS
        self._segments: list[_Segment] = []

    def add(self, moved: Sums, elapsed_s: float, previous: Rows | None) -> Rates:
        """Add what moved since the last tick, `elapsed_s` ago; return the means, NaN where unknown.

        `previous`: where each flow stood at the last tick, as in a snapshot.
        """
        if previous is not None:
            self._follow(previous)
        newest = self._segments[-1] if self._segments else None
        if newest is None or newest.seconds + elapsed_s / 2 > self._segment_s:
            self._segments.append(_Segment(elapsed_s, moved))
        else:
            newest.seconds += elapsed_s
            newest.sums = newest.sums + moved
        covered_s = sum(segment.seconds for segment in self._segments)
        while covered_s - self._segments[0].seconds >= self._mean_s - self._segment_s / 2:
            covered_s -= self._segments.pop(0).seconds
        return self._rates()

    def _follow(self, previous: Rows) -> None:
        new = previous < 0
        for segment in self._segments:
            if segment.sums.shape[1]:
                segment.sums = segment.sums[:, previous]
                segment.sums[:, new] = 0
            else:
                segment.sums = np.zeros((3, len(previous)), np.float32)

    def _rates(self) -> Rates:
        total = self._segments[0].sums.astype(np.float64)
        for segment in self._segments[1:]:
            total += segment.sums
        orig, reply, seconds = total
        seconds[seconds == 0] = np.nan
        orig /= seconds
        reply /= seconds
        for rate in (orig, reply):
            rate.flags.writeable = False
        return orig, reply
