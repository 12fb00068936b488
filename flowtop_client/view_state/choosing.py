"""What the keys of the column chooser do to the state. Pure.

Rules: nothing changes on the screen of rows until the choice is kept. A choice is one of the view it was made in. Esc
leaves all as it was.
"""

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Final

from flowtop_client.view_state.column_choice import ColumnChoice, begun, moved, shifted, toggled
from flowtop_client.view_state.place import VIEWS
from flowtop_client.view_state.state import ViewState, changed
from flowtop_client.view_state.tabs import Move

_PAGE: Final = 10
_ALL: Final = 1 << 10


class Choose(StrEnum):
    """What the user can do about the columns."""

    OPEN = "columns"
    UP = "column-up"
    DOWN = "column-down"
    PAGE_UP = "column-page-up"
    PAGE_DOWN = "column-page-down"
    FIRST = "column-first"
    LAST = "column-last"
    TOGGLE = "column-toggle"
    EARLIER = "column-earlier"
    LATER = "column-later"
    AUTOMATIC = "columns-automatic"
    KEEP = "columns-keep"
    GIVE_UP = "columns-give-up"


def _opened(state: ViewState) -> ViewState:
    return changed(state, chooser=begun(state.offered, state.chosen))


def _with(step: Callable[[ColumnChoice], ColumnChoice]) -> Move:
    return lambda state: state if state.chooser is None else changed(state, chooser=step(state.chooser))


def columns_kept(state: ViewState) -> ViewState:
    """The rows are shown with the columns that were chosen."""
    if state.chooser is None:
        return state
    here = VIEWS.index(state.view)
    choices = (*state.choices[:here], state.chooser.chosen, *state.choices[here + 1 :])
    return changed(state, choices=choices, chooser=None, skipped=0)


CHOICES: Final[Mapping[Choose, Move]] = {
    Choose.OPEN: _opened,
    Choose.UP: _with(lambda choice: moved(choice, -1)),
    Choose.DOWN: _with(lambda choice: moved(choice, 1)),
    Choose.PAGE_UP: _with(lambda choice: moved(choice, -_PAGE)),
    Choose.PAGE_DOWN: _with(lambda choice: moved(choice, _PAGE)),
    Choose.FIRST: _with(lambda choice: moved(choice, -_ALL)),
    Choose.LAST: _with(lambda choice: moved(choice, _ALL)),
    Choose.TOGGLE: _with(toggled),
    Choose.EARLIER: _with(lambda choice: shifted(choice, -1)),
    Choose.LATER: _with(lambda choice: shifted(choice, 1)),
    Choose.AUTOMATIC: lambda state: columns_kept(
        changed(state, chooser=state.chooser and ColumnChoice(state.offered, automatic=True))
    ),
    Choose.KEEP: columns_kept,
    Choose.GIVE_UP: lambda state: changed(state, chooser=None),
}
