"""Which flows a query means, before its filter: protocol, family, active; and loopback, with the daemon's own lookups.

The filter is a mask on these rows (`results`).
"""

import socket
from collections.abc import Iterable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from flowtopd.flows.snapshot import Snapshot
from flowtopd.wire.messages import Family, Query

FAMILIES: Final = {Family.IPV4: int(socket.AF_INET), Family.IPV6: int(socket.AF_INET6)}

Rows = NDArray[np.intp]


def select(snapshot: Snapshot, query: Query) -> Rows:
    """Return the rows that the query means, but for its filter, in the order of the table."""
    columns = snapshot.columns
    mask = np.ones(snapshot.size, np.bool_)
    if query.protocols is not None:
        mask &= _members(query.protocols)[columns["proto"]]
    if set(query.families) != set(Family):
        mask &= _members(FAMILIES[family] for family in query.families)[columns["family"]]
    if not query.loopback:
        mask &= ~(columns["loopback"] | columns["own"])
    if query.active:
        mask &= (columns["orig_rate"] > 0) | (columns["reply_rate"] > 0)  # unknown (NaN) is not active
    return np.flatnonzero(mask)


def _members(numbers: Iterable[int]) -> NDArray[np.bool_]:
    """A table of 256 that is true at these numbers."""
    table = np.zeros(256, np.bool_)
    table[list(numbers)] = True
    return table
