"""What the mouse means: a cell of the screen and what was done there in, a state out. Pure.

Rules: the wheel scrolls the rows and leaves the selected one alone as long as it stays on the screen. A click selects
a row, one on the selected row opens it as Enter does, so that a double click opens. A click on a title sorts by that
column, or the other way round; one on a tab goes to it. In the help and among columns only the wheel has a meaning.
"""

from typing import Final

from flowtop_client.tui.layout import TABS, regions
from flowtop_client.tui.tabs.tab import Tab
from flowtop_client.tui.widgets.tab_bar import tab_at
from flowtop_client.view_state.choosing import Choose
from flowtop_client.view_state.moves import MOVES, Action
from flowtop_client.view_state.place import VIEWS
from flowtop_client.view_state.state import Mode, ViewState, changed, starts_descending, to_top
from flowtop_client.view_state.tabs import to_view

_WHEEL_ROWS: Final = 3


def wheeled(state: ViewState, step: int) -> ViewState:
    """The wheel was turned by one step: down, or up with -1."""
    if state.chooser is not None:
        return MOVES[Choose.DOWN if step > 0 else Choose.UP](state)
    if state.help is not None:
        action = Action.DOWN if step > 0 else Action.UP
        for _ in range(_WHEEL_ROWS):
            state = MOVES[action](state)
        return state
    offset = max(0, min(state.offset + step * _WHEEL_ROWS, state.total - state.page))
    cursor = max(offset, min(state.cursor, offset + state.page - 1))
    if cursor == state.cursor:
        return changed(state, offset=offset)
    return changed(state, offset=offset, cursor=cursor, pinned=state.key(cursor))


def clicked(state: ViewState, tab: Tab, size: tuple[int, int], cell: tuple[int, int]) -> ViewState:
    """The left button was pressed at `cell` (x, y), on a screen of `size` (width, height) drawn by `tab`."""
    if state.mode not in {Mode.ROWS, Mode.FILTER}:
        return state
    (width, height), (x, y) = size, cell
    show = regions(height, state)
    y -= show.header + show.second
    if show.tabs:
        if y == 0:
            at = tab_at(TABS, VIEWS.index(state.view), width, x)
            return state if at is None or state.line is not None else to_view(VIEWS[at])(state)
        y -= 1
    if show.titles:
        if y == 0:
            return _sorted(state, tab.sort_at(x))
        y -= 1
    return _row(state, state.offset + y - show.total) if show.total <= y < show.total + show.page else state


def _sorted(state: ViewState, field: str) -> ViewState:
    if not field:
        return state
    if field == state.sort:
        return to_top(state, descending=not state.descending)
    return to_top(state, sort=field, descending=starts_descending(field))


def _row(state: ViewState, index: int) -> ViewState:
    if index >= state.total or state.placeless:
        return state
    if index == state.selected and state.line is None:
        return MOVES[Action.OPEN](state)
    return changed(state, cursor=index, pinned=state.key(index))
