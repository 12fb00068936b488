"""A query against a snapshot: select, sum up, sort, cut. Pure: the same two always give the same page.

The grouped views (processes, devices, countries, …) will be further functions beside `_flows`, chosen by the
query's view; the filter language will be one more mask in `select`.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from flowtopd.query.results import Results
from flowtopd.query.rows import RENDERERS
from flowtopd.query.sort import SORT_KEYS
from flowtopd.wire.errors import ErrorCode, RemoteProtocolError
from flowtopd.wire.messages import MAX_INTERVAL_S, MIN_INTERVAL_S, Query, Totals


@dataclass(frozen=True, slots=True)
class Page:
    """The answer: which rows of the snapshot, from which place on, and what all that matched add up to."""

    rows: NDArray[np.intp]
    offset: int
    matched: int
    totals: Totals


def check(query: Query) -> None:
    """Raise RemoteProtocolError when the values of a well-formed query make no sense."""
    if query.sort not in SORT_KEYS:
        raise RemoteProtocolError(ErrorCode.SORT, f"no sort field {query.sort!r:.40}")
    if query.filter:
        raise RemoteProtocolError(ErrorCode.FILTER, "this daemon has no filters yet", 0)
    wrong = None
    if any(not 0 <= number <= 255 for number in query.protocols or ()):
        wrong = "protocols are numbers from 0 to 255"
    elif query.offset < 0 or (query.limit is not None and query.limit < 0):
        wrong = "offset and limit are not negative"
    elif not MIN_INTERVAL_S <= query.interval <= MAX_INTERVAL_S:
        wrong = f"interval is {MIN_INTERVAL_S} to {MAX_INTERVAL_S:.0f} seconds"
    elif unknown := [field for field in query.fields if field not in RENDERERS]:
        wrong = f"no field {unknown[0]!r:.40}"
    if wrong:
        raise RemoteProtocolError(ErrorCode.FIELD, f"query: {wrong}")


def execute(results: Results, query: Query) -> Page:
    """Answer a query that `check` has passed. An offset beyond the end is moved to the last full window."""
    selection = results.selection(query)
    matched = len(selection.rows)
    limit = matched if query.limit is None else query.limit
    offset = min(query.offset, max(0, matched - limit))
    rows = results.window(query, offset, min(matched, offset + limit))
    return Page(rows, offset, matched, selection.totals)
