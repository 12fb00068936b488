"""Going from view to view, into a group and back. Pure.

Rules: every view keeps its order, cursor and offset. A group that is opened begins at the first row of its flows; the
way back leads to the very place, with the filter that was on there. Rows of one view are never taken for another's:
they are forgotten on the way.
"""

from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any, Final

from flowtop_client.view_state.filter_line import remembered
from flowtop_client.view_state.place import VIEWS, Crumb, Place
from flowtop_client.view_state.state import ViewState, changed, conjunction, settled, to_top, whole_filter
from flowtopd.wire.filter_parser import LONGEST
from flowtopd.wire.messages import View

Move = Callable[[ViewState], ViewState]

_FIELDS: Final = tuple(field.name for field in fields(Place))


def place_of(state: ViewState) -> Place:
    """The place where one is."""
    return Place(**{name: getattr(state, name) for name in _FIELDS})


def at_place(place: Place) -> dict[str, Any]:
    """The fields of a state that is there."""
    return {name: getattr(place, name) for name in _FIELDS}


def _places(state: ViewState) -> tuple[Place, ...]:
    """The places in all views."""
    here = VIEWS.index(state.view)
    return (*state.places[:here], place_of(state), *state.places[here + 1 :])


def _go(state: ViewState, view: View, places: tuple[Place, ...], **values: Any) -> ViewState:
    snapshot = state.snapshot and replace(state.snapshot, rows=[], offset=0)
    place = at_place(places[VIEWS.index(view)])
    return settled(state, replace(state, view=view, places=places, snapshot=snapshot, **place, **values))


def to_view(view: View) -> Move:
    """To this view, where one was in it."""
    return lambda state: state if view is state.view else _go(state, view, _places(state))


def to_neighbour(step: int) -> Move:
    """To the view whose tab is the next one, or with -1 the one before."""
    return lambda state: to_view(VIEWS[(VIEWS.index(state.view) + step) % len(VIEWS)])(state)


def opened(state: ViewState) -> ViewState:
    """The flows of the selected group. Where the rows are not those that were asked for, nothing can be meant."""
    name, meant = state.key(state.cursor), state.value(state.cursor, "filter")
    if name is None or not meant or state.outdated or state.placeless or state.selected is None:
        return state
    if len(conjunction([whole_filter(state), meant])) > LONGEST:
        return changed(state, complaint="too many groups in one another: Esc goes back")
    places = _places(state)
    crumb = Crumb(state.view, name, meant, state.filter, places)
    fresh = tuple(Place(place.sort, place.descending) for place in places)
    return _go(state, View.FLOWS, fresh, path=(*state.path, crumb))


def back(state: ViewState) -> ViewState:
    """Out of the group that was opened last, to the very place."""
    if not state.path:
        return state
    crumb = state.path[-1]
    history = remembered(state.history, state.filter) if state.filter != crumb.own else state.history
    return _go(state, crumb.view, crumb.places, path=state.path[:-1], filter=crumb.own, history=history)


def stepped_out(state: ViewState) -> ViewState:
    """One step out of what was narrowed down: out of a group, else without the filter."""
    return back(state) if state.path else unfiltered(state)


def unfiltered(state: ViewState) -> ViewState:
    """Without the user's filter; the history keeps it."""
    if not state.filter:
        return state
    return to_top(state, filter="", history=remembered(state.history, state.filter))
