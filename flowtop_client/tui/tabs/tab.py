"""The rows of whichever view a state is in, drawn as a table. Layout and keys are not its business.

A view has its columns and the style of its cells; everything else is the same for all of them.
"""

import textwrap
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final

from flowtop_client.columns.chosen import chosen_columns
from flowtop_client.columns.column import Column, Units
from flowtop_client.columns.meanings import all_columns
from flowtop_client.tui.widgets.line import Line, clipped
from flowtop_client.tui.widgets.table import CellStyle, Table
from flowtop_client.view_state.newness import is_new
from flowtop_client.view_state.problems import empty_reason
from flowtop_client.view_state.state import ViewState

SORTED: Final = 94
"""The sorted column is among the last to give way: it says what the order means."""

_TOTAL: Final = -1
_NEW: Final = "+"
_GONE: Final = "-"


@dataclass(frozen=True, slots=True)
class Look:
    """What a view shows: its columns, the styles of their cells, what shares are of, and the row of the total.

    The columns are those where none are chosen.
    """

    columns: Callable[[ViewState], tuple[Column, ...]]
    cell_style: CellStyle
    whole: Callable[[ViewState], float | None]
    total: Callable[[ViewState], list[Any] | None]


def _lasting(column: Column, sort: str) -> Column:
    if column.sort != sort:
        return column
    return replace(column, keep=max(column.keep, SORTED), shy=False, stand_in="")


class Tab:
    """Draws the window of rows that a state holds. Mutable: it keeps the table between two redraws."""

    def __init__(self, looks: Callable[[ViewState], Look]) -> None:
        self._looks = looks
        self._key: object = None
        self._table = Table((), 0, lambda _column, _text: "")
        self._all: tuple[Column, ...] = ()

    def fit(self, state: ViewState, width: int, page: int) -> tuple[tuple[str, ...], int]:
        """Prepare what a screen of `width` and `page` rows shows: the sort fields on it, and the limit of scrolling."""
        look = self._looks(state)
        # not the filter: the columns stand still while one is typed
        order = (state.view, state.path, state.sort, state.descending, state.protocols, state.families, state.active)
        several = bool(state.hosts)
        key = (*order, several, state.chosen, state.source, state.names, state.geoip, state.bits, width)
        if key != self._key:
            self._key = key
            self._all = all_columns(state.view, state.sort, names=state.names, geoip=state.geoip, hosts=several)
            columns = chosen_columns(self._all, state.chosen, source=state.source)
            if not columns:
                columns = tuple(_lasting(column, state.sort) for column in look.columns(state))
            self._table = Table(columns, width, look.cell_style)
        rows = {index: row for index in range(state.offset, state.offset + page) if (row := state.row(index))}
        if (total := look.total(state)) is not None:
            rows[_TOTAL] = total
        fields = state.snapshot.fields if state.snapshot else ()
        units = Units(state.bits, look.whole(state), bars=True)
        self._table.show(rows, fields, units, state.snapshot, state.skipped)
        return self._table.sort_choices, self._table.scroll_limit

    @property
    def offered(self) -> tuple[tuple[str, bool], ...]:
        """All columns of the view, and which of them are on the screen."""
        shown = self._table.shown
        return tuple((column.name, column.name in shown) for column in self._all)

    def sort_at(self, x: int) -> str:
        """The sort field of the title at this cell; empty where there is none."""
        return self._table.sort_at(x)

    def titles(self, state: ViewState) -> Line:
        """The line above the rows."""
        return self._table.titles(state.sort, "▼" if state.descending else "▲")

    def total(self, state: ViewState) -> Line:
        """The line of the total; in a view that has one."""
        if self._looks(state).total(state) is None:
            return [("class:dim", "…")]
        return self._table.line(_TOTAL, "class:total")

    def body(self, state: ViewState, width: int) -> list[Line]:
        """The rows of the page, or why there are none."""
        if not state.total or state.placeless:
            told = [part for text in empty_reason(state) for part in textwrap.wrap(text, max(10, width - 4))]
            return [[], *(clipped([("class:message", "  " + text)], width) for text in told)]
        return [self._line(state, index) for index in range(state.offset, min(state.offset + state.page, state.total))]

    def text(self, state: ViewState) -> str:
        """The selected row, as text; empty where it is not here."""
        selected = state.selected
        return "" if selected is None or state.row(selected) is None else self._table.text(selected)

    def _line(self, state: ViewState, index: int) -> Line:
        row = state.row(index)
        if row is None:
            return [("class:dim", "…")]  # on its way: the answer to the query for this place
        mark = _NEW if is_new(state, index) else ""
        if index == state.selected:
            return self._table.line(index, "class:cursor", mark)
        if state.held is not None and state.key(index) in state.held.gone:
            return self._table.line(index, "class:dim", _GONE)
        if state.value(index, "closed"):
            return self._table.line(index, "class:dim")
        return self._table.line(index, "class:new" if mark else None, mark)
