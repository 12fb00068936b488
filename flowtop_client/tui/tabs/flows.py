"""The flows tab: which columns, which rows, and how they look. Layout and keys are not its business."""

import textwrap
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from flowtop_client.columns.column import Column, Units
from flowtop_client.columns.flows import flow_columns
from flowtop_client.tui.widgets.line import Line, clipped
from flowtop_client.tui.widgets.table import Table
from flowtop_client.view_state.problems import empty_reason
from flowtop_client.view_state.state import ViewState

TITLE: Final = "Flows"

_SORTED: Final = 94
_OPENING: Final = frozenset({"SYN_SENT", "SYN_SENT2", "SYN_RECV", "REQUEST", "RESPOND", "COOKIE_WAIT", "COOKIE_ECHOED"})
_CLOSING: Final = frozenset(
    {
        "FIN_WAIT",
        "CLOSE_WAIT",
        "LAST_ACK",
        "TIME_WAIT",
        "CLOSE",
        "CLOSED",
        "CLOSEREQ",
        "CLOSING",
        "TIMEWAIT",
        "SHUTDOWN_SENT",
        "SHUTDOWN_RECD",
        "SHUTDOWN_ACK_SENT",
    }
)


def _cell_style(column: Column, text: str) -> str:
    if text in column.blank or text in _CLOSING:
        return "class:dim"
    if column.name == "state" and text in _OPENING:
        return "class:state.opening"
    if column.name in {"rate", "orig_rate", "reply_rate"}:
        return "class:dim" if text == "0" else "class:rate"
    return "class:name" if column.name in {"address", "process", "device"} else ""


def _sorted_by(sort: str) -> Callable[[Column], Column]:
    """A column as it is, but the sorted one is among the last to give way: it says what the order means."""

    def lasting(column: Column) -> Column:
        if column.sort != sort:
            return column
        return replace(column, keep=max(column.keep, _SORTED), shy=False, stand_in="")

    return lasting


class FlowsTab:
    """Draws the window of flows that a state holds. Mutable: it keeps the table between two redraws."""

    def __init__(self) -> None:
        self._key: object = None
        self._table = Table((), Units(), 0, _cell_style)

    def fit(self, state: ViewState, width: int, page: int) -> tuple[tuple[str, ...], int]:
        """Prepare what a screen of `width` and `page` rows shows: the sort fields on it, and the limit of scrolling."""
        key = (state.source, state.names, state.geoip, state.bits, width, state.epoch)
        if key != self._key:
            self._key = key
            columns = flow_columns(source=state.source, names=state.names, geoip=state.geoip)
            lasting = tuple(map(_sorted_by(state.sort), columns))
            self._table = Table(lasting, Units(state.bits), width, _cell_style)
        rows = {index: row for index in range(state.offset, state.offset + page) if (row := state.row(index))}
        fields = state.snapshot.fields if state.snapshot else ()
        self._table.show(rows, fields, state.snapshot, state.skipped)
        return self._table.sort_choices, self._table.scroll_limit

    def titles(self, state: ViewState) -> Line:
        """The line above the rows."""
        return self._table.titles(state.sort, "▼" if state.descending else "▲")

    def body(self, state: ViewState, width: int) -> list[Line]:
        """The rows of the page, or why there are none."""
        if not state.total:
            told = [part for text in empty_reason(state) for part in textwrap.wrap(text, max(10, width - 4))]
            return [[], *(clipped([("class:message", "  " + text)], width) for text in told)]
        return [self._line(state, index) for index in range(state.offset, min(state.offset + state.page, state.total))]

    def _line(self, state: ViewState, index: int) -> Line:
        row = state.row(index)
        if row is None or state.snapshot is None:
            return [("class:dim", "…")]  # on its way: the answer to the query for this place
        if index == state.cursor:
            return self._table.line(index, "class:cursor")
        fields = state.snapshot.fields
        closed = "closed" in fields and row[fields.index("closed")]
        return self._table.line(index, "class:dim" if closed else None)
