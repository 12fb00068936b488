"""Flows that have closed lately, with all that was known of them: the living of two ticks and the endings between in.

    last tick ─┐                        in the last dump, not in this one: closed, whatever the events said
    this tick ─┼─▶ who has gone ─┐
    endings ───┴─▶ final counters ├─▶ a table like that of the living, of the last `keep_s` seconds
                  └─ never seen ──┘   lived between two dumps: known by its ending alone

Rules: the dump is the truth. Where an ending is lost, and of flows that began before anybody listened, of which the
kernel tells none (nf_conntrack_events = 2), the last counters known are the final ones. An ending of a flow that this
dump still has came after it was read: it waits for the next one, and what is still there then is not what has ended.
Nothing moves any more: rates are unknown. Counters never fall: where another program had set them back, the last ones
known stand. A key that lives again, or has closed again, is the newer flow's; the older one gets another.

At most MOST are kept, the oldest go first; with all that is carried along that is 3 MB.
"""

from collections.abc import Container
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from flowtopd.flows.index import KeyIndex, Keys, Rows
from flowtopd.flows.schema import COUNTERS, DERIVED, RATES
from flowtopd.flows.snapshot import Columns, Moment, Snapshot
from flowtopd.flows.table import loopback
from flowtopd.netlink.ctrecord import COLUMNS, Has, allocate, carries

MOST: Final = 10_000

_COLUMNS: Final = COLUMNS | DERIVED
_MULTIPLIER: Final = np.uint64(0x9E3779B97F4A7C15)  # as in flows.identity


@dataclass(frozen=True, slots=True, eq=False)
class Closing:
    """The closed flows at a tick. `came`: rows that were alive at the last tick, in the rows `at` of it."""

    snapshot: Snapshot
    came: Rows
    at: Rows


class ClosedFlows:
    """Remembers them. Belongs to the thread that ticks."""

    def __init__(self, keep_s: float, most: int = MOST) -> None:
        self.keep_s = keep_s
        self._most = most
        self.forget()

    def forget(self) -> None:
        """Drop all of them."""
        columns = _none()
        self._kept = Snapshot(0, Moment(0.0, 0.0), None, 0, columns, 0, KeyIndex(columns["key"]))
        self._waiting = columns

    def follow(self, living: Snapshot, last: Snapshot | None, ended: Columns) -> Closing:
        """Take note of who has gone since `last`, the tick before `living`. `ended`: a batch of endings with `key`."""
        before, now = self._kept, living.at
        kept = np.flatnonzero(before.columns["sampled_s"] > now.monotonic_s - self.keep_s)
        gone = _gone(living, last)[: self._most]
        ended = self._due(living, ended)
        again = living.rows_of(before.columns["key"]) >= 0
        if not (len(gone) or len(ended["key"]) or len(kept) < before.size or again.any()):
            self._kept = replace(before, at=now, seq=living.seq, previous=None)
            return Closing(self._kept, gone, gone)
        where = _found(before, kept, ended, 0)
        if last is not None and len(gone):
            where = np.maximum(where, _found(last, gone, ended, len(kept)))
        strangers = np.flatnonzero(where < 0)
        cut = max(0, len(kept) + len(gone) + len(strangers) - self._most)
        kept, gone, strangers = _without_first(cut, kept, gone, strangers)
        lately = before.columns if last is None else last.columns  # nobody has gone without a last tick
        columns = _gathered((before.columns, kept), (lately, gone), (ended, strangers))
        _close(columns, len(kept), len(strangers), now)
        told = np.flatnonzero(where >= cut)
        _finish(columns, where[told] - cut, _chosen(ended, told))
        _rename(columns, living)
        return self._publish(living, columns, kept, gone)

    def _due(self, living: Snapshot, ended: Columns) -> Columns:
        """Put off the endings of flows that the dump still had; return the others, and those that were put off."""
        waiting, self._waiting = self._waiting, self._waiting
        ended_now = _rows_of(living, ended) < 0
        over = _rows_of(living, waiting) < 0
        self._waiting = _chosen(ended, np.flatnonzero(~ended_now))
        due = ended
        if len(waiting["key"]) or not ended_now.all():
            due = _gathered((waiting, np.flatnonzero(over)), (ended, np.flatnonzero(ended_now)), names=ended)
        _keys, first = np.unique(due["key"], return_index=True)
        return due if len(first) == len(due["key"]) else _chosen(due, np.sort(first))

    def _publish(self, living: Snapshot, columns: Columns, kept: Rows, gone: Rows) -> Closing:
        for column in columns.values():
            column.flags.writeable = False
        size = len(columns["key"])
        previous = np.full(size, -1, np.intp)
        previous[: len(kept)] = kept
        came = np.arange(len(kept), len(kept) + len(gone))
        index = KeyIndex(columns["key"])
        self._kept = Snapshot(living.seq, living.at, None, size, columns, 0, index, previous)
        return Closing(self._kept, came, gone)


def _none() -> Columns:
    """No flows, in all columns."""
    return _gathered()


def _chosen(columns: Columns, rows: Rows) -> Columns:
    return {name: columns[name][rows] for name in _COLUMNS if name in columns}


def _gathered(*parts: tuple[Columns, Rows], names: Container[str] = _COLUMNS) -> Columns:
    """These rows of several tables, one behind the other; what a table does not have is not initialised.

    A column at a time: whole tables that are copied twice would be in memory three times.
    """
    size = sum(len(rows) for _columns, rows in parts)
    gathered: Columns = allocate(size)
    gathered |= {name: np.empty(size, dtype) for name, dtype in DERIVED.items()}
    for name in list(gathered):
        if name not in names:
            del gathered[name]
            continue
        at = 0
        for columns, rows in parts:
            if name in columns:
                gathered[name][at : at + len(rows)] = columns[name][rows]
            at += len(rows)
    return gathered


def _without_first(cut: int, *parts: Rows) -> tuple[Rows, ...]:
    """These rows but for the first so many of all together."""
    left = []
    for rows in parts:
        left.append(rows[cut:])
        cut = max(0, cut - len(rows))
    return tuple(left)


def _gone(living: Snapshot, last: Snapshot | None) -> Rows:
    """The rows of the last tick whose flows this one does not have."""
    if last is None or living.previous is None:
        return np.zeros(0, np.intp)
    gone = np.ones(last.size + 1, np.bool_)
    gone[living.previous] = False  # -1, a new flow, is the place behind the last
    return np.flatnonzero(gone[:-1])


def _rows_of(snapshot: Snapshot, flows: Columns) -> Rows:
    """The rows of these flows, -1 where there is none, or another one that has the key now."""
    rows = snapshot.rows_of(flows["key"])
    if snapshot.size:
        rows[snapshot.columns["start_ns"][rows] != flows["start_ns"]] = -1
    return rows


def _found(snapshot: Snapshot, chosen: Rows, flows: Columns, first: int) -> Rows:
    """Where these flows stand in a table whose rows from `first` on are the chosen ones of the snapshot; else -1."""
    place = np.full(snapshot.size + 1, -1, np.intp)
    place[chosen] = np.arange(first, first + len(chosen))
    return place[_rows_of(snapshot, flows)]


def _close(columns: Columns, first: int, strangers: int, now: Moment) -> None:
    """Mark the rows from `first` on as closed: found out now, and ended now where nobody says when.

    `sampled_s` is when that was. The last ones, the table never had: they get what it makes of flows.
    """
    columns["sampled_s"][first:] = now.monotonic_s
    stopped_ns = columns["stop_ns"][first:]
    stopped_ns[stopped_ns == 0] = np.uint64(now.wall_s * 1e9)
    for name in RATES:
        columns[name][first:] = np.nan
    new = slice(len(columns["key"]) - strangers, None)
    columns["loopback"][new] = loopback({name: column[new] for name, column in columns.items()})
    columns["first_seen_s"][new] = now.wall_s


def _finish(columns: Columns, rows: Rows, ended: Columns) -> None:
    """Write what the endings of these rows say."""
    stopped = ended["stop_ns"] > 0
    columns["stop_ns"][rows[stopped]] = ended["stop_ns"][stopped]
    counted: NDArray[Any] = carries(ended["has"], Has.COUNTERS)
    rows = rows[counted]
    for name in COUNTERS:
        columns[name][rows] = np.maximum(columns[name][rows], ended[name][counted])
    columns["has"][rows] |= np.uint8(Has.COUNTERS)


def _rename(columns: Columns, living: Snapshot) -> None:
    """Give flows another key whose own is a newer one's: of a living flow, or one that closed later."""
    keys: Keys = columns["key"]
    _keys, from_behind = np.unique(keys[::-1], return_index=True)
    older = np.ones(len(keys), np.bool_)
    older[len(keys) - 1 - from_behind] = False
    older |= living.rows_of(keys) >= 0
    keys[older] ^= (columns["start_ns"][older] | np.uint64(1)) * _MULTIPLIER
