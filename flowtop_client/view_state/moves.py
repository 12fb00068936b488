"""What a key, a snapshot or a change of the connection does to the state: one pure function each.

`MOVES` is the table that the keys are bound to. Every function returns a settled state, and the very same
object where nothing changes, so that the caller can tell whether to redraw with `is`.
"""

from collections.abc import Callable
from dataclasses import replace
from enum import StrEnum
from typing import Final

from flowtop_client.view_state.state import ProtocolGroup, ViewState, settled, starts_descending
from flowtopd.wire.messages import Snapshot

Move = Callable[[ViewState], ViewState]


class Action(StrEnum):
    """What the user can do to the view."""

    UP = "up"
    DOWN = "down"
    PAGE_UP = "page-up"
    PAGE_DOWN = "page-down"
    HOME = "home"
    END = "end"
    LEFT = "left"
    RIGHT = "right"
    NEXT_TAB = "next-tab"
    HELP = "help"
    CLOSE = "close"
    BITS = "bits"
    ACTIVE = "active"
    SOURCE = "source"
    NAMES = "names"
    GEOIP = "geoip"
    PAUSE = "pause"
    SORT_LEFT = "sort-left"
    SORT_RIGHT = "sort-right"
    REVERSE = "reverse"
    TCP = "tcp"
    UDP = "udp"
    DCCP = "dccp"
    ICMP = "icmp"
    SCTP = "sctp"
    OTHER = "other"


def _changed(state: ViewState, **values: object) -> ViewState:
    new = replace(state, **values)  # type: ignore[arg-type]  # names and types are checked by the callers' tests
    return state if new == state else settled(state, new)


def _to_top(state: ViewState, **values: object) -> ViewState:
    """Other rows or another order: begin at the first one again."""
    return _changed(state, offset=0, cursor=0, pinned=None, **values)


def _go(state: ViewState, cursor: int, offset: int) -> ViewState:
    """Select the row `cursor`, with the screen at `offset` or as near as keeps the cursor on it."""
    cursor = max(0, min(cursor, state.total - 1))
    offset = min(offset, cursor, max(0, state.total - state.page))
    offset = max(0, offset, cursor - state.page + 1)
    return _changed(state, cursor=cursor, offset=offset, pinned=state.flow_id(cursor))


def _by(rows: int) -> Move:
    def move(state: ViewState) -> ViewState:
        if state.help_line is not None:
            return _changed(state, help_line=max(0, min(state.help_line + rows, state.help_limit)))
        return _go(state, state.cursor + rows, state.offset)

    return move


def _by_pages(pages: int) -> Move:
    def move(state: ViewState) -> ViewState:
        rows = pages * state.page
        return _by(rows)(state) if state.help_line is not None else _go(state, state.cursor + rows, state.offset + rows)

    return move


def _home(state: ViewState) -> ViewState:
    """The first row, whichever flow that is from now on."""
    return _changed(state, cursor=0, offset=0, pinned=None)


def _end(state: ViewState) -> ViewState:
    return _go(state, state.total - 1, state.total)


def _scroll(columns: int) -> Move:
    return lambda state: _changed(state, skipped=max(0, min(state.skipped + columns, state.scroll_limit)))


def _sort_by(step: int) -> Move:
    def move(state: ViewState) -> ViewState:
        choices = state.sort_choices
        if not choices:
            return state
        at = choices.index(state.sort) + step if state.sort in choices else 0
        sort = choices[at % len(choices)]
        return _to_top(state, sort=sort, descending=starts_descending(sort))

    return move


def _toggle(group: ProtocolGroup) -> Move:
    return lambda state: _to_top(state, protocols=state.protocols ^ {group})


MOVES: Final[dict[Action, Move]] = {
    Action.UP: _by(-1),
    Action.DOWN: _by(1),
    Action.PAGE_UP: _by_pages(-1),
    Action.PAGE_DOWN: _by_pages(1),
    Action.HOME: _home,
    Action.END: _end,
    Action.LEFT: _scroll(-1),
    Action.RIGHT: _scroll(1),
    Action.NEXT_TAB: lambda state: state,  # one tab so far: the next one is the same
    Action.HELP: lambda state: _changed(state, help_line=0 if state.help_line is None else None),
    Action.CLOSE: lambda state: _changed(state, help_line=None),
    Action.BITS: lambda state: _changed(state, bits=not state.bits),
    Action.ACTIVE: lambda state: _to_top(state, active=not state.active),
    Action.SOURCE: lambda state: _changed(state, source=not state.source, skipped=0),
    Action.NAMES: lambda state: _changed(state, names=not state.names, skipped=0),
    Action.GEOIP: lambda state: _changed(state, geoip=not state.geoip, skipped=0),
    Action.PAUSE: lambda state: _changed(state, paused=not state.paused),
    Action.SORT_LEFT: _sort_by(-1),
    Action.SORT_RIGHT: _sort_by(1),
    Action.REVERSE: lambda state: _to_top(state, descending=not state.descending),
    Action.TCP: _toggle(ProtocolGroup.TCP),
    Action.UDP: _toggle(ProtocolGroup.UDP),
    Action.DCCP: _toggle(ProtocolGroup.DCCP),
    Action.ICMP: _toggle(ProtocolGroup.ICMP),
    Action.SCTP: _toggle(ProtocolGroup.SCTP),
    Action.OTHER: _toggle(ProtocolGroup.OTHER),
}


def fitted(
    state: ViewState, *, page: int, sort_choices: tuple[str, ...], scroll_limit: int, help_limit: int
) -> ViewState:
    """The screen has room for this much. A smaller page keeps the cursor on it, a larger one leaves no room unused."""
    page = max(1, page)
    offset = max(0, min(max(state.offset, state.cursor - page + 1), state.cursor, state.total - page))
    return _changed(
        state,
        page=page,
        offset=offset,
        sort_choices=sort_choices,
        scroll_limit=scroll_limit,
        skipped=min(state.skipped, scroll_limit),
        help_limit=help_limit,
        help_line=None if state.help_line is None else min(state.help_line, help_limit),
    )


def joined(part: Snapshot | None, snapshot: Snapshot) -> Snapshot:
    """A part of a window and the one after it as one; a part that does not follow begins a new window."""
    if part is None or (part.tag, part.seq) != (snapshot.tag, snapshot.seq):
        return snapshot
    if part.offset + len(part.rows) != snapshot.offset:
        return snapshot
    return replace(snapshot, offset=part.offset, rows=part.rows + snapshot.rows)


def received(state: ViewState, snapshot: Snapshot) -> ViewState:
    """A whole snapshot arrived. The cursor follows its flow while that is on the screen; the screen stays."""
    if snapshot.tag < state.epoch:
        return state
    old = state.snapshot
    reset = old is not None and snapshot.status.resets > old.status.resets
    new = replace(
        state,
        snapshot=snapshot,
        complaint="",
        reset_time=snapshot.time if reset else state.reset_time,
        offset=max(0, min(state.offset, snapshot.status.matched - state.page)),
    )
    cursor = max(0, min(new.cursor, new.total - 1))
    if new.pinned is not None:
        shown = range(new.offset, new.offset + new.page)
        cursor = next((index for index in shown if new.flow_id(index) == new.pinned), cursor)
        cursor = max(new.offset, min(cursor, new.offset + new.page - 1))
        new = replace(new, pinned=new.flow_id(cursor) or new.pinned)
    return settled(state, replace(new, cursor=cursor))


def connected(state: ViewState, host: str) -> ViewState:
    """A daemon answered."""
    return _changed(state, host=host, trouble="")


def heard(state: ViewState, now: float) -> ViewState:
    """The daemon said something, or from now on it should."""
    return _changed(state, heard=now)


def lost(state: ViewState, reason: str) -> ViewState:
    """The daemon is gone. What was last seen stays on the screen."""
    return _changed(state, trouble=reason)


def complained(state: ViewState, message: str) -> ViewState:
    """The daemon did not like a query."""
    return _changed(state, complaint=message)
