"""What has been worked out about one snapshot, kept for the next question: a viewer scrolls, another asks the same.

    selection  protocol, filter, …  ─▶ rows and their totals
    groups     selection, view      ─▶ processes, countries, … with what they add up to
    order      either, sort         ─▶ its first rows and its last rows in order, as many as anybody asked for

A pass over 100 000 rows costs milliseconds, and more while the collector works beside it; a window of rows that are in
order already costs nothing. Results of each kind are few: the one that was used longest ago makes room.
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from flowtopd.flows.looks import look
from flowtopd.flows.snapshot import Snapshot
from flowtopd.netlink.ctrecord import Has, carries
from flowtopd.netlink.uapi import IPS_HW_OFFLOAD_BIT, IPS_OFFLOAD_BIT
from flowtopd.query.groups import Groups, group, sort_values
from flowtopd.query.predicate import matches
from flowtopd.query.rows import row_of
from flowtopd.query.select import select
from flowtopd.query.sort import End, in_order, order, place
from flowtopd.wire.filter_parser import parse
from flowtopd.wire.messages import Query, Totals, View

KEPT: Final = 8
"""Results of each kind; at 100 000 flows one takes up to 0.8 MB."""

_OFFLOADED: Final = 1 << IPS_OFFLOAD_BIT | 1 << IPS_HW_OFFLOAD_BIT

OUTERMOST: Final = 1024
"""Rows are put in order this many at least: several screens for the price of one."""

Rows = NDArray[np.intp]
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, eq=False)
class Selection:
    """The rows that a query means, in no order, and what they add up to.

    Of those that live, `uncounted` have no counters, and `offloaded` are forwarded past conntrack.
    """

    rows: Rows
    totals: Totals
    uncounted: int
    offloaded: int


class Results:
    """The results for one snapshot. Belongs to one thread."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self._looks: dict[tuple[bool, float], Results] = {}
        self._selections: OrderedDict[Hashable, Selection] = OrderedDict()
        self._groups: OrderedDict[Hashable, Groups] = OrderedDict()
        self._orders: OrderedDict[Hashable, Rows] = OrderedDict()

    def looking(self, query: Query) -> "Results":
        """Return the results for the look that the query takes at the snapshot: closed flows, means of rates."""
        taken = query.closed and query.view is View.FLOWS, query.mean
        if not any(taken):
            return self
        if taken not in self._looks:
            self._looks[taken] = Results(look(self.snapshot, closed=taken[0], mean_s=taken[1]))
        return self._looks[taken]

    def selection(self, query: Query) -> Selection:
        """Return the rows that the query means, and their totals."""
        return _kept(self._selections, _what(query), lambda: self._select(query))

    def groups(self, query: Query) -> Groups:
        """Return the groups of the query's view."""
        rows = self.selection(query).rows
        return _kept(self._groups, (_what(query), query.view), lambda: group(self.snapshot, rows, query.view))

    def size(self, query: Query) -> int:
        """Return how many rows the view has."""
        return len(self.selection(query).rows) if query.view is View.FLOWS else self.groups(query).size

    def window(self, query: Query, start: int, stop: int) -> Rows:
        """Return the rows from place `start` to `stop` of the view in the order of the query."""
        behind = self.size(query) - start
        if stop <= behind:
            return self._outermost(query, End.FIRST, stop)[start:stop]
        last = self._outermost(query, End.LAST, behind)
        return last[len(last) - behind : len(last) - behind + stop - start]

    def place(self, query: Query) -> int | None:
        """Return at which place of the flows view the flow that is followed stands, None where it is no row of it."""
        row = row_of(self.snapshot, query.follow) if query.view is View.FLOWS and query.follow else None
        if row is None:
            return None
        rows = self.selection(query).rows
        found = np.flatnonzero(rows == row)
        if not len(found):
            return None
        return place(self.snapshot, rows, query.sort, int(found[0]), descending=query.descending)

    def _outermost(self, query: Query, end: End, count: int) -> Rows:
        """Return at least `count` rows from one end of the order, or all there are."""
        by = (_what(query), query.view, query.sort, query.descending, end)
        known = self._orders.get(by)
        if known is not None and len(known) < min(count, self.size(query)):
            del self._orders[by]
        rounded = max(OUTERMOST, 1 << max(0, count - 1).bit_length())  # doubling, so that scrolling sorts seldom
        return _kept(self._orders, by, lambda: self._order(query, end, rounded))

    def _order(self, query: Query, end: End, count: int) -> Rows:
        if query.view is View.FLOWS:
            rows = self.selection(query).rows
            return order(self.snapshot, rows, query.sort, descending=query.descending, end=end, count=count)
        groups = self.groups(query)
        values = sort_values(self.snapshot, groups, query.sort)
        return in_order(values, groups.numbers, descending=query.descending, end=end, count=count)

    def _select(self, query: Query) -> Selection:
        rows = select(self.snapshot, query)
        if (meant := parse(query.filter)) is not None:
            rows = rows[matches(meant, self.snapshot)[rows]]
        return _selection(self.snapshot, rows)


def _what(query: Query) -> Hashable:
    """The part of a query that says which rows."""
    return query.protocols, query.families, query.active, query.loopback, query.filter


def _kept(results: OrderedDict[Hashable, _T], key: Hashable, make: Callable[[], _T]) -> _T:
    """Return the result of this key, made if need be; it is the last to go now."""
    if key not in results:
        results[key] = make()
        if len(results) > KEPT:
            results.popitem(last=False)
    results.move_to_end(key)
    return results[key]


def _selection(snapshot: Snapshot, rows: Rows) -> Selection:
    """What these rows add up to: those that live; one that has closed is shown, and counts no more."""
    living = rows[snapshot.columns["stop_ns"][rows] == 0]
    counted = living[carries(snapshot.columns["has"][living], Has.COUNTERS)]
    offloaded = int(np.count_nonzero(snapshot.columns["status"][living] & _OFFLOADED))
    return Selection(rows, _totals(snapshot, counted), len(living) - len(counted), offloaded)


def _totals(snapshot: Snapshot, counted: Rows) -> Totals:
    """Sums over flows that are counted."""

    def rate(name: str) -> float | None:
        values = snapshot.columns[name][counted]
        known = values[~np.isnan(values)]
        return float(known.sum()) if len(known) else None

    def count(name: str) -> int | None:
        return int(snapshot.columns[name][counted].sum()) if len(counted) else None

    return Totals(rate("orig_rate"), rate("reply_rate"), count("orig_bytes"), count("reply_bytes"))
