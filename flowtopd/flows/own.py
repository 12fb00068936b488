"""What is one user's of a snapshot, as a snapshot of its own: nothing in it says that there is more.

    Snapshot ─▶ owner ─▶ uid ─▶ the rows of this user, living and closed
                                   └─▶ only the addresses, names, places, owners, … at which these point, renumbered

Rules: a flow is a user's where its socket is; one whose socket nobody has found is nobody's. Where both ends are on
this host it is the user's who has opened it. Everything is cut down, also the tables that flows point into, so that no
filter, order or group, and no code to come, can tell about flows that were left out. The parent of a process is told
only where it is the same user's: /proc may hide those of others (hidepid). Pure.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from flowtopd.flows.dimensions import Dimensions, Owner
from flowtopd.flows.index import KeyIndex
from flowtopd.flows.snapshot import Columns, Snapshot

Rows = NDArray[np.intp]

OVERFLOW_UID: Final = 65534
"""Who is not in this user namespace has this uid, whoever it is (kernel/user_namespace.c). No flow is theirs."""

_ENDS: Final = ("src_at", "dst_at", "reply_src_at", "reply_dst_at", "local_at")


def own(snapshot: Snapshot, uid: int) -> Snapshot:
    """Return the snapshot of the flows whose sockets belong to this user."""
    rows, gone = _rows(snapshot, uid), snapshot.closed
    living = _chosen(snapshot, rows)
    closed = None if gone is None else _chosen(gone, _rows(gone, uid))
    dimensions = _compacted(snapshot.dimensions, [living] if closed is None else [living, closed])
    dimensions = replace(dimensions, owners=tuple(_without_strangers(owner, uid) for owner in dimensions.owners))
    return replace(
        _made(snapshot, living, dimensions),
        means={seconds: (_only(orig, rows), _only(reply, rows)) for seconds, (orig, reply) in snapshot.means.items()},
        closed=None if gone is None or closed is None else _made(gone, closed, dimensions),
    )


def _rows(snapshot: Snapshot, uid: int) -> Rows:
    owners = snapshot.dimensions.owners
    ids = snapshot.columns["owner"]
    if uid == OVERFLOW_UID or not len(ids):
        return np.zeros(0, np.intp)
    theirs = np.zeros(int(ids.max()) + 1, np.bool_)
    theirs[ids] = True
    theirs[0] = False
    for number in np.flatnonzero(theirs).tolist():  # those that have flows: 0.1 µs each
        theirs[number] = owners[number].uid == uid
    return np.flatnonzero(theirs[ids])


def _without_strangers(owner: Owner, uid: int) -> Owner:
    return owner if owner.parent is None or owner.parent.uid == uid else replace(owner, parent=None)


def _only(rates: NDArray[np.float64], rows: Rows) -> NDArray[np.float64]:
    chosen = rates[rows]
    _freeze((chosen,))
    return chosen


def _freeze(columns: Iterable[NDArray[Any]]) -> None:
    for column in columns:
        column.flags.writeable = False


def _chosen(snapshot: Snapshot, rows: Rows) -> Columns:
    return {name: column[rows] for name, column in snapshot.columns.items()}


def _made(snapshot: Snapshot, columns: Columns, dimensions: Dimensions) -> Snapshot:
    """The snapshot with these columns. How many counters were set back says how many flows there are."""
    size = len(columns["key"])
    _freeze(columns.values())
    return Snapshot(
        snapshot.seq,
        snapshot.at,
        snapshot.interval_s,
        size,
        columns,
        0,
        KeyIndex(columns["key"]),
        np.full(size, -1, np.intp),
        dimensions,
        # others look at other flows
        attached={key: each for key, each in snapshot.attached.items() if np.uint64(key) in columns["key"]},
    )


def _compacted(dimensions: Dimensions, tables: Sequence[Columns]) -> Dimensions:
    """Renumber what these tables point at, and return the dimensions with nothing else in them."""
    used = _renumber(tables, _ENDS)
    addresses = {name: column[used] for name, column in dimensions.addresses.items()}
    records = {}
    for kind, name in (("names", "name"), ("places", "place"), ("devices", "device")):
        records[kind] = _picked(getattr(dimensions, kind), _renumber([addresses], (name,)))
    for kind, name in (("owners", "owner"), ("services", "service")):
        records[kind] = _picked(getattr(dimensions, kind), _renumber(tables, (name,)))
    _freeze(addresses.values())
    return Dimensions(addresses, **records)


def _renumber(tables: Sequence[Columns], names: Sequence[str]) -> Rows:
    """Number what these columns hold anew, in the same order; return what each number has been. 0 stays 0."""
    held = [columns[name] for columns in tables for name in names]
    is_used = np.zeros(1 + max(int(column.max(initial=0)) for column in held), np.bool_)
    is_used[0] = True
    for column in held:
        is_used[column] = True
    became = np.cumsum(is_used, dtype=np.int32) - np.int32(1)
    for columns in tables:
        for name in names:
            columns[name] = became[columns[name]]
    return np.flatnonzero(is_used)


def _picked(records: Sequence[Any], used: Rows) -> tuple[Any, ...]:
    return tuple(records[number] for number in used.tolist())
