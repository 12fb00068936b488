"""What a key, a snapshot or a change of the connection does to the state: one pure function each.

`MOVES` is the table that the keys are bound to. Every function returns a settled state, and the very same
object where nothing changes, so that the caller can tell whether to redraw with `is`.
"""

from dataclasses import replace
from enum import StrEnum
from typing import Final

from flowtop_client.several import Member
from flowtop_client.view_state import details_page
from flowtop_client.view_state.acting import confirmed, deleting, ending, refrained
from flowtop_client.view_state.choosing import CHOICES, Choose
from flowtop_client.view_state.filtering import completing, edited, given_up, kept, line_opened, recalling
from flowtop_client.view_state.help_page import HelpPage, matched, scrolled, searching, told
from flowtop_client.view_state.holding import held, in_held_order, released
from flowtop_client.view_state.looking import at_begin, at_end, entered, left, scrolling, went_back
from flowtop_client.view_state.pausing import severed, stands_alone
from flowtop_client.view_state.place import VIEWS
from flowtop_client.view_state.replaying import STEP_S, paused, seeking
from flowtop_client.view_state.state import ProtocolGroup, ViewState, changed, settled, starts_descending, to_top
from flowtop_client.view_state.tabs import Move, to_neighbour, to_view, unfiltered
from flowtop_client.view_state.text_input import Edit
from flowtop_client.view_state.theme import next_theme
from flowtopd.wire.messages import MEANS_S, Snapshot, Whose

TREND: Final = 600
"""Samples of the line that are kept."""


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
    PREVIOUS_TAB = "previous-tab"
    FLOWS = "flows"
    PROCESSES = "processes"
    DEVICES = "devices"
    HOSTS = "hosts"
    COUNTRIES = "countries"
    NETWORKS = "networks"
    SERVICES = "services"
    CONTAINERS = "containers"
    OPEN = "open"
    LEAVE = "leave"
    BACK = "back"
    FILTER = "filter"
    UNFILTER = "unfilter"
    KEEP = "keep"
    GIVE_UP = "give-up"
    COMPLETE = "complete"
    COMPLETE_BACK = "complete-back"
    OLDER = "older"
    NEWER = "newer"
    HELP = "help"
    SEARCH = "search"
    NEXT_MATCH = "next-match"
    PREVIOUS_MATCH = "previous-match"
    FOLLOW = "follow"
    HOLD = "hold"
    THEME = "theme"
    BITS = "bits"
    CLOSED = "closed"
    MEAN = "mean"
    ACTIVE = "active"
    SOURCE = "source"
    NAMES = "names"
    GEOIP = "geoip"
    PAUSE = "pause"
    BACKWARD = "backward"
    FORWARD = "forward"
    DELETE = "delete"
    END_FLOW = "end-flow"
    CONFIRM = "confirm"
    REFRAIN = "refrain"
    SORT_LEFT = "sort-left"
    SORT_RIGHT = "sort-right"
    REVERSE = "reverse"
    TCP = "tcp"
    UDP = "udp"
    DCCP = "dccp"
    ICMP = "icmp"
    SCTP = "sctp"
    OTHER = "other"


def _go(state: ViewState, cursor: int, offset: int) -> ViewState:
    """Select the row `cursor`, with the screen at `offset` or as near as keeps the cursor on it."""
    cursor = max(0, min(cursor, state.total - 1))
    offset = min(offset, cursor, max(0, state.total - state.page))
    offset = max(0, offset, cursor - state.page + 1)
    return changed(state, cursor=cursor, offset=offset, pinned=state.key(cursor))


def _by(rows: int) -> Move:
    def move(state: ViewState) -> ViewState:
        if state.help is not None:
            return changed(state, help=scrolled(state.help, state.help.line + rows))
        if state.details is not None:
            return scrolling(lines=rows)(state)
        return _go(state, state.cursor + rows, state.offset)

    return move


def _by_pages(pages: int) -> Move:
    def move(state: ViewState) -> ViewState:
        if state.help is not None:
            return _by(pages * state.help.page)(state)
        if state.details is not None:
            return scrolling(pages=pages)(state)
        rows = pages * state.page
        return _go(state, state.cursor + rows, state.offset + rows)

    return move


def _home(state: ViewState) -> ViewState:
    """The first row, whichever that is from now on: there is no row to follow then."""
    if state.help is not None:
        return changed(state, help=scrolled(state.help, 0))
    if state.details is not None:
        return at_begin(state)
    return changed(state, cursor=0, offset=0, pinned=None, follow=False)


def _end(state: ViewState) -> ViewState:
    if state.help is not None:
        return changed(state, help=scrolled(state.help, state.help.limit))
    if state.details is not None:
        return at_end(state)
    return _go(state, state.total - 1, state.total)


def _match(step: int) -> Move:
    return lambda state: state if state.help is None else changed(state, help=matched(state.help, step))


def _search(state: ViewState) -> ViewState:
    return state if state.help is None else changed(state, help=searching(state.help))


def _scroll(columns: int) -> Move:
    return lambda state: changed(state, skipped=max(0, min(state.skipped + columns, state.scroll_limit)))


def _sort_by(step: int) -> Move:
    def move(state: ViewState) -> ViewState:
        choices = state.sort_choices
        if not choices:
            return state
        at = choices.index(state.sort) + step if state.sort in choices else 0
        sort = choices[at % len(choices)]
        return to_top(state, sort=sort, descending=starts_descending(sort))

    return move


def _toggle(group: ProtocolGroup) -> Move:
    return lambda state: to_top(state, protocols=state.protocols ^ {group})


MOVES: Final[dict[Action | Edit | Choose, Move]] = {
    Action.UP: _by(-1),
    Action.DOWN: _by(1),
    Action.PAGE_UP: _by_pages(-1),
    Action.PAGE_DOWN: _by_pages(1),
    Action.HOME: _home,
    Action.END: _end,
    Action.LEFT: _scroll(-1),
    Action.RIGHT: _scroll(1),
    Action.NEXT_TAB: to_neighbour(1),
    Action.PREVIOUS_TAB: to_neighbour(-1),
    **{Action(view): to_view(view) for view in VIEWS},
    Action.OPEN: entered,
    Action.LEAVE: left,
    Action.BACK: went_back,
    Action.FILTER: line_opened,
    Action.UNFILTER: unfiltered,
    Action.KEEP: kept,
    Action.GIVE_UP: given_up,
    Action.COMPLETE: completing(1),
    Action.COMPLETE_BACK: completing(-1),
    Action.OLDER: recalling(1),
    Action.NEWER: recalling(-1),
    **{edit: edited(edit) for edit in Edit},
    Action.HELP: lambda state: changed(state, help=HelpPage() if state.help is None else None),
    Action.SEARCH: _search,
    Action.NEXT_MATCH: _match(1),
    Action.PREVIOUS_MATCH: _match(-1),
    **{choice: CHOICES[choice] for choice in Choose},
    Action.FOLLOW: lambda state: changed(
        state, follow=not state.follow, pinned=state.pinned or state.key(state.cursor)
    ),
    Action.HOLD: lambda state: released(state) if state.held else held(state),
    Action.THEME: lambda state: changed(state, theme=next_theme(state.theme)),
    Action.BITS: lambda state: changed(state, bits=not state.bits),
    Action.CLOSED: lambda state: changed(state, closed=not state.closed),
    Action.MEAN: lambda state: changed(state, mean=MEANS_S[(MEANS_S.index(state.mean) + 1) % len(MEANS_S)]),
    Action.ACTIVE: lambda state: to_top(state, active=not state.active),
    Action.SOURCE: lambda state: changed(state, source=not state.source, skipped=0),
    Action.NAMES: lambda state: changed(state, names=not state.names, skipped=0),
    Action.GEOIP: lambda state: changed(state, geoip=not state.geoip, skipped=0),
    Action.PAUSE: paused,
    Action.BACKWARD: seeking(-STEP_S),
    Action.FORWARD: seeking(STEP_S),
    Action.END_FLOW: ending,
    Action.DELETE: deleting,
    Action.CONFIRM: confirmed,
    Action.REFRAIN: refrained,
    Action.SORT_LEFT: _sort_by(-1),
    Action.SORT_RIGHT: _sort_by(1),
    Action.REVERSE: lambda state: to_top(state, descending=not state.descending),
    Action.TCP: _toggle(ProtocolGroup.TCP),
    Action.UDP: _toggle(ProtocolGroup.UDP),
    Action.DCCP: _toggle(ProtocolGroup.DCCP),
    Action.ICMP: _toggle(ProtocolGroup.ICMP),
    Action.SCTP: _toggle(ProtocolGroup.SCTP),
    Action.OTHER: _toggle(ProtocolGroup.OTHER),
}


def fitted(
    state: ViewState,
    *,
    page: int,
    sort_choices: tuple[str, ...],
    scroll_limit: int,
    help_texts: tuple[str, ...] = (),
    help_page: int = 1,
    offered: tuple[tuple[str, bool], ...] = (),
    details_length: int = 0,
    details_room: int = 1,
) -> ViewState:
    """The screen has room for this much. A smaller page keeps the cursor on it, a larger one leaves no room unused."""
    page = max(1, page)
    offset = max(0, min(max(state.offset, state.cursor - page + 1), state.cursor, state.total - page))
    return changed(
        state,
        page=page,
        offset=offset,
        sort_choices=sort_choices,
        scroll_limit=scroll_limit,
        offered=offered,
        skipped=state.skipped if state.outdated else min(state.skipped, scroll_limit),
        help=state.help and told(state.help, help_texts, help_page),
        details=state.details and details_page.told(state.details, details_length, details_room),
    )


def joined(part: Snapshot | None, snapshot: Snapshot) -> Snapshot:
    """A part of a window and the one after it as one; a part that does not follow begins a new window."""
    if part is None or (part.tag, part.seq) != (snapshot.tag, snapshot.seq):
        return snapshot
    if part.offset + len(part.rows) != snapshot.offset:
        return snapshot
    return replace(snapshot, offset=part.offset, rows=part.rows + snapshot.rows, history=part.history)


def received(state: ViewState, snapshot: Snapshot) -> ViewState:
    """A whole snapshot arrived. The cursor follows its row while that is on the screen; the screen stays.

    A row that leaves the screen stays the selected one, and is marked again when it comes back; where it is gone for
    good the one that stands in its place is selected. A screen that follows its row goes where that is.
    """
    state = _with_trend(state, snapshot)
    if snapshot.tag < state.epoch or stands_alone(state):
        return state
    order, snapshot, total = in_held_order(state, snapshot)
    old = state.snapshot
    reset = old is not None and snapshot.status.resets > old.status.resets
    new = replace(
        state,
        snapshot=snapshot,
        held=order,
        accepted=state.filter,
        total=total,
        complaint="",
        reset_time=snapshot.time if reset else state.reset_time,
        offset=max(0, min(state.offset, total - state.page)),
    )
    cursor = max(0, min(new.cursor, new.total - 1))
    if new.pinned is not None:
        if new.follow:
            new = _following(new)
        shown = range(new.offset, new.offset + new.page)
        cursor = next((index for index in shown if new.key(index) == new.pinned), cursor)
        cursor = max(new.offset, min(cursor, new.offset + new.page - 1))
        if len(snapshot.rows) >= total and new.pinned not in map(new.key, range(total)):
            new = replace(new, pinned=new.key(cursor) or new.pinned)
    return settled(state, replace(new, cursor=cursor))


def _following(state: ViewState) -> ViewState:
    """The screen moved as little as brings the selected row onto it, where that is here."""
    snapshot = state.snapshot
    here = () if snapshot is None else range(snapshot.offset, snapshot.offset + len(snapshot.rows))
    at = next((index for index in here if state.key(index) == state.pinned), None)
    return state if at is None else replace(state, offset=max(0, at - state.page + 1, min(state.offset, at)))


def _with_trend(state: ViewState, snapshot: Snapshot) -> ViewState:
    """What the daemon tells of the line is told once, whatever question it comes with."""
    news = [(at, None if orig is None or reply is None else orig + reply) for at, orig, reply in snapshot.history or ()]
    if not news:
        return state
    # after the daemon was gone, it tells all of it again
    kept = [point for point in state.trend if point[0] < news[0][0]]
    return replace(state, trend=tuple((kept + news)[-TREND:]))


def connected(
    state: ViewState, host: str, may: tuple[str, ...] = (), server: str = "", whose: Whose = Whose.ALL
) -> ViewState:
    """A daemon answered, lets this viewer do so much, and shows it so much; `server` is what it says of itself."""
    state = severed(state)
    return changed(state, host=host, may=may, server=server, whose=whose, trouble="", help_in_trouble="")


def mustered(state: ViewState, hosts: tuple[Member, ...]) -> ViewState:
    """So it stands with several hosts. What may be done at one of them may be offered."""
    may = tuple(sorted({right for host in hosts for right in host.may}))
    if [host.trouble for host in hosts] != [host.trouble for host in state.hosts]:
        state = severed(state)
    return changed(state, hosts=hosts, may=may)


def heard(state: ViewState, now: float) -> ViewState:
    """The daemon said something, or from now on it should."""
    return changed(state, heard=now)


def lost(state: ViewState, reason: str, hint: str = "", *, forever: bool = False) -> ViewState:
    """The daemon is gone. What was last seen stays on the screen."""
    return changed(state, trouble=reason, help_in_trouble=hint, forsaken=forever, act=None)


def complained(state: ViewState, message: str) -> ViewState:
    """The daemon did not like a query."""
    return changed(state, complaint=message)
