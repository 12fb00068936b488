"""A query against a snapshot: select, put together, sum up, sort, cut. Pure: the same two always give the same page.

select ─▶ filter ─┬─▶ flows ────────────┬─▶ sort ─▶ cut ─▶ Page ─▶ rendered
                  └─▶ groups of a view ─┘
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from flowtopd.query.groups import render_groups
from flowtopd.query.joins import NAME_FIELDS, PLACE_FIELDS
from flowtopd.query.results import Results, Rows
from flowtopd.query.rows import render
from flowtopd.wire.errors import ErrorCode, RemoteProtocolError
from flowtopd.wire.fields import RECORDED_FIELD_NAMES, VIEW_FIELDS, sort_fields
from flowtopd.wire.filter_parser import parse
from flowtopd.wire.filter_syntax import FilterSyntaxError
from flowtopd.wire.messages import MAX_INTERVAL_S, MEANS_S, MIN_INTERVAL_S, Query, Totals, View


@dataclass(frozen=True, slots=True)
class Page:
    """The answer: which rows of the view, from which place on, and what all flows that matched add up to.

    `rows` are rows of the snapshot in the flows view, else places in the groups. `uncounted` and `offloaded` are flows.
    """

    rows: NDArray[np.intp]
    offset: int
    matched: int
    totals: Totals
    uncounted: int = 0
    offloaded: int = 0


def check(query: Query) -> None:
    """Raise RemoteProtocolError when the values of a well-formed query make no sense."""
    if query.sort not in sort_fields(query.view):
        raise RemoteProtocolError(ErrorCode.SORT, f"no sort field {query.sort!r:.40}")
    try:
        parse(query.filter)
    except FilterSyntaxError as error:
        raise RemoteProtocolError(ErrorCode.FILTER, error.message, error.offset) from None
    wrong = None
    if any(not 0 <= number <= 255 for number in query.protocols or ()):
        wrong = "protocols are numbers from 0 to 255"
    elif query.offset < 0 or (query.limit is not None and query.limit < 0):
        wrong = "offset and limit are not negative"
    elif not MIN_INTERVAL_S <= query.interval <= MAX_INTERVAL_S:
        wrong = f"interval is {MIN_INTERVAL_S} to {MAX_INTERVAL_S:.0f} seconds"
    elif query.mean not in MEANS_S:
        wrong = f"mean is one of {', '.join(f'{seconds:g}' for seconds in MEANS_S)} seconds"
    elif unknown := [field for field in query.fields if field not in _askable(query.view)]:
        wrong = f"no field {unknown[0]!r:.40}"
    if wrong:
        raise RemoteProtocolError(ErrorCode.FIELD, f"query: {wrong}")


def _askable(view: View) -> tuple[str, ...]:
    return RECORDED_FIELD_NAMES if view is View.FLOWS else VIEW_FIELDS[view]


def execute(results: Results, query: Query) -> Page:
    """Answer a query that `check` has passed. An offset beyond the end is moved to the last full window.

    A window without the flow that is followed is moved to where that is in the middle.
    """
    matched = results.size(query)
    limit = matched if query.limit is None else query.limit
    offset = min(query.offset, max(0, matched - limit))
    at = results.place(query)
    if at is not None and not offset <= at < offset + limit:
        offset = max(0, min(at - limit // 2, matched - limit))
    rows = results.window(query, offset, min(matched, offset + limit))
    chosen = results.selection(query)
    return Page(rows, offset, matched, chosen.totals, chosen.uncounted, chosen.offloaded)


def rendered(results: Results, query: Query, rows: Rows, fields: tuple[str, ...]) -> list[list[Any]]:
    """Return the values of some rows of a page, in the order of `fields`; what the viewer has turned off is None."""
    if query.view is View.FLOWS:
        hidden = {*(() if query.names else NAME_FIELDS), *(() if query.geoip else PLACE_FIELDS)}
        return render(results.snapshot, rows, fields, hidden)
    hidden = {*(() if query.names else ("name",)), *(() if query.geoip else _HOST_PLACE)}
    return render_groups(results.snapshot, results.groups(query), rows, fields, hidden)


_HOST_PLACE: Final = ("country", "city", "asn", "org")
