"""What typing does to the state: a filter, or what is searched for in the help. Pure.

Rules: a filter is on as soon as it parses, while it is typed; one that does not leaves the last good one on. Enter
keeps it, and does nothing as long as it is wrong. Esc brings back the filter and the place from before.
"""

from collections.abc import Callable
from dataclasses import replace

from flowtop_client.view_state.completion import values_seen
from flowtop_client.view_state.filter_line import (
    FilterLine,
    Mistake,
    completed,
    recalled,
    remembered,
    with_input,
)
from flowtop_client.view_state.help_page import ended, searched
from flowtop_client.view_state.state import ViewState, changed, conjunction, settled, to_top, whole_filter
from flowtop_client.view_state.tabs import Move, at_place, place_of
from flowtop_client.view_state.text_input import EDITS, Edit, Input
from flowtopd.wire.filter_parser import LONGEST
from flowtopd.wire.messages import Error


def line_opened(state: ViewState) -> ViewState:
    """A filter is about to be typed."""
    snapshot = state.snapshot
    seen = values_seen(snapshot.fields, snapshot.rows) if snapshot else {}
    return changed(state, line=FilterLine(Input.of(state.filter), state.filter, place_of(state), seen))


def typed(state: ViewState, text: str) -> ViewState:
    """A character was typed, or a text pasted."""
    return _retyped(state, lambda line: line.typed(text))


def edited(edit: Edit) -> Move:
    """A key that edits was pressed."""
    return lambda state: _retyped(state, EDITS[edit])


def _retyped(state: ViewState, edit: Callable[[Input], Input]) -> ViewState:
    if state.help is not None and state.help.search is not None:
        return changed(state, help=searched(state.help, edit(state.help.search)))
    return state if state.line is None else _live(state, with_input(state.line, edit(state.line.input)))


def _live(state: ViewState, line: FilterLine) -> ViewState:
    """With this line, and with its filter on where it is one."""
    text = line.input.text.strip()
    if line.mistake is None and _length(state, text) > LONGEST:
        line = replace(line, mistake=Mistake(len(line.input.text), f"longer than {LONGEST} characters"))
    if line.mistake is not None or text == state.filter:
        return changed(state, line=line)
    return to_top(state, line=line, filter=text)


def _length(state: ViewState, text: str) -> int:
    return len(conjunction([text, *(crumb.filter for crumb in state.path)]))


def recalling(step: int) -> Move:
    """An older filter of the history, or with -1 a newer one."""

    def move(state: ViewState) -> ViewState:
        return state if state.line is None else _live(state, recalled(state.line, state.history, step))

    return move


def completing(step: int) -> Move:
    """The next word that fits, or with -1 the one before."""

    def move(state: ViewState) -> ViewState:
        return state if state.line is None else _live(state, completed(state.line, step))

    return move


def kept(state: ViewState) -> ViewState:
    """What was typed is right."""
    if state.help is not None:
        return changed(state, help=ended(state.help, keep=True))
    if state.line is None:
        return state
    if state.line.mistake is not None:
        return changed(state, line=replace(state.line, offers=None))  # they hid what is wrong
    return changed(state, line=None, history=remembered(state.history, state.filter))


def given_up(state: ViewState) -> ViewState:
    """All is to be as it was before the line was opened."""
    if state.help is not None:
        return changed(state, help=ended(state.help, keep=False))
    line = state.line
    if line is None:
        return state
    place = {} if state.filter == line.before else at_place(line.place)
    return settled(state, replace(state, line=None, filter=line.before, **place))


def refused(state: ViewState, error: Error) -> ViewState:
    """The daemon does not understand the filter, though this viewer does: the last one that it did is on again."""
    if state.filter == state.accepted:
        return changed(state, complaint=error.message)  # not the user's: nothing to go back to
    text = state.filter
    whole = whole_filter(state)
    begin = max(0, whole.find(text))  # behind a parenthesis, perhaps
    offset = len(text) if error.offset is None else max(0, min(error.offset - begin, len(text)))
    state = state if state.line else line_opened(state)
    assert state.line is not None
    line = replace(state.line, before=state.accepted, mistake=Mistake(offset, error.message))
    return to_top(state, line=line, filter=state.accepted)
