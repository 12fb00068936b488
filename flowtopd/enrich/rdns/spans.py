"""When lookups took place that were so short that their sockets may be gone before anybody can look whose they are.

By these times the flows are known that the daemon's own questions make. Only the newest are kept, in a ring.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

QUICK_NS: Final = 100_000_000
"""Longer lookups are found by their socket."""

KEPT_NS: Final = 60_000_000_000
"""An answered question stays 30 s in the kernel's table, by default (nf_conntrack_udp_timeout)."""


class Spans:
    """For one thread at a time. Times are those of the wall clock."""

    def __init__(self, limit: int) -> None:
        self._ring = np.zeros((limit, 2), np.int64)
        self._count = 0

    def add(self, begin_ns: int, end_ns: int) -> None:
        """Keep it if it was short. Where the wall clock was set meanwhile nobody can tell, and it is not kept."""
        if 0 <= end_ns - begin_ns <= QUICK_NS:
            self._ring[self._count % len(self._ring)] = begin_ns, end_ns
            self._count += 1

    def recent(self, now_ns: int) -> NDArray[np.int64]:
        """The spans of the last minute, shape (n, 2), begin and end, in no order."""
        return self._ring[self._ring[:, 1] > now_ns - KEPT_NS]
