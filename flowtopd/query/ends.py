"""The ends of flows: source and destination, and seen from this house the local and the remote one.

The local end is `local_at`: an address of this host or its LAN. The remote end is the other one; of a flow without a
local end, the destination.
"""

import numpy as np
from numpy.typing import NDArray

from flowtopd.flows.snapshot import Snapshot
from flowtopd.wire.filter_fields import Side

Ids = NDArray[np.int32]
Ports = NDArray[np.uint16]
_All = slice(None)


def rows_at(snapshot: Snapshot, side: Side, rows: NDArray[np.intp] | slice = _All) -> Ids:
    """Return for every flow the row of the address table that this end has."""
    columns = snapshot.columns
    if side is Side.SRC:
        return columns["src_at"][rows]
    if side is Side.DST:
        return columns["dst_at"][rows]
    if side is Side.LOCAL:
        return columns["local_at"][rows]
    return np.where(_opened_by_others(snapshot, rows), columns["src_at"][rows], columns["dst_at"][rows])


def ports_at(snapshot: Snapshot, side: Side) -> Ports:
    """Return for every flow the port of this end. Of a local end behind a forwarded port it is the one that it has."""
    columns = snapshot.columns
    if side is Side.SRC:
        return columns["sport"]
    if side is Side.DST:
        return columns["dport"]
    mine, theirs = columns["reply_sport"], columns["sport"]
    if side is Side.REMOTE:
        mine, theirs = columns["sport"], columns["dport"]
    return np.where(_opened_by_others(snapshot), mine, theirs)


def _opened_by_others(snapshot: Snapshot, rows: NDArray[np.intp] | slice = _All) -> NDArray[np.bool_]:
    """Tell of which flows the local end is the one that was called."""
    local = snapshot.columns["local_at"][rows]
    others: NDArray[np.bool_] = (local > 0) & (local != snapshot.columns["src_at"][rows])
    return others
