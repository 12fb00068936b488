"""The state of a viewer, and the wire query that it means. Pure: values in, values out.

    rows of the query, sorted by the daemon          offset: first row on the screen
    ┌ 0 ────────────────────────────────────┐        cursor: the selected row, counted from 0 over all rows
    │      ┌ window_offset ──────────┐      │        page:   rows that the screen has room for
    │      │   ┌ offset ────────┐    │      │        window: what was asked for: about a page before and a page
    │      │   │ screen: page   │    │      │                after the screen, so that a key redraws from what is
    │      │   └────────────────┘    │      │                here, without waiting for the daemon
    │      └─────────────────────────┘      │
    └──────────────────────────────────────┘

Rules:
- `settled` is the only place that moves the window and counts tags. A tag names a query; `epoch` is the first tag that
  means the rows asked for now. An older snapshot has other rows and is not shown; one with an older window is.
- A new window is asked for only when less than half a page is left at one side.
- The view never jumps: a snapshot moves the offset only where the rows end before it.
- The filter asked for is the user's own and those of the groups that were opened, all of them together.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final

from flowtop_client.several import HOST_FIELD, Member, at_host
from flowtop_client.view_state.act import Act, Notice, Tape
from flowtop_client.view_state.column_choice import ColumnChoice
from flowtop_client.view_state.details_page import DetailsPage
from flowtop_client.view_state.filter_line import FilterLine
from flowtop_client.view_state.held_order import MOST, HeldOrder
from flowtop_client.view_state.help_page import HelpPage
from flowtop_client.view_state.place import VIEWS, Crumb, Place
from flowtop_client.view_state.theme import Theme
from flowtopd.wire.fields import FLOW_FIELDS, GROUP_FIELDS, SORT_SUMS, Kind
from flowtopd.wire.filter_parser import parse
from flowtopd.wire.filter_syntax import Either, FilterSyntaxError
from flowtopd.wire.messages import Delete, Family, Kill, Query, Seek, Snapshot, View, Whose

WINDOW_STEP: Final = 32
"""The window's height is three times the page, rounded up to this, so that a small resize needs no new query."""


class ProtocolGroup(StrEnum):
    """What one option or key of the classic tool switches; the value is how it is called on the screen."""

    TCP = "TCP"
    UDP = "UDP"
    DCCP = "DCCP"
    ICMP = "ICMP"
    SCTP = "SCTP"
    OTHER = "other"


class Mode(StrEnum):
    """What the keys mean now."""

    ROWS = "rows"
    FILTER = "filter"
    """A filter is typed."""
    HELP = "help"
    SEARCH = "search"
    """What to search for in the help is typed."""
    COLUMNS = "columns"
    """Columns are chosen."""
    DETAILS = "details"
    """Of one flow."""
    CONFIRM = "confirm"
    """Whether it is meant is asked."""


_NUMBERS: Final = {
    # IANA protocol numbers; UDP-lite goes with UDP and ICMPv6 with ICMP, as in the classic tool
    ProtocolGroup.TCP: frozenset({6}),
    ProtocolGroup.UDP: frozenset({17, 136}),
    ProtocolGroup.DCCP: frozenset({33}),
    ProtocolGroup.ICMP: frozenset({1, 58}),
    ProtocolGroup.SCTP: frozenset({132}),
}

_SOURCE_NAME: Final = "src_name"
"""Asked for only while the source side is shown: the daemon looks up what is asked for, and asks strangers for it."""

_SOURCE_COLUMN: Final = "source"

ALL_PROTOCOLS: Final = frozenset(ProtocolGroup)

PLACE_VIEWS: Final = frozenset({View.COUNTRIES, View.NETWORKS})
"""They show nothing but what GeoIP says."""


@dataclass(frozen=True, slots=True)
class ViewState:
    """Everything that decides what is on the screen, apart from its size in columns."""

    # what the user asked for
    protocols: frozenset[ProtocolGroup] = frozenset({ProtocolGroup.TCP})
    families: tuple[Family, ...] = (Family.IPV4, Family.IPV6)
    active: bool = False
    loopback: bool = False
    names: bool = True
    geoip: bool = True
    source: bool = False
    bits: bool = False
    interval: float = 1.0
    closed: bool = False
    """Flows that have closed lately are shown too."""
    mean: float = 0.0
    """Over how many seconds rates are means; 0: from tick to tick."""
    paused: bool = False
    severed: bool = False
    """Whether what is paused is here alone: the daemon that kept it is gone, or another one."""
    view: View = View.FLOWS
    filter: str = ""
    """The user's own; it parses."""
    path: tuple[Crumb, ...] = ()
    """The groups that were opened, the outermost first."""

    # how it is shown
    theme: Theme = Theme.DARK
    mouse: bool = True
    choices: tuple[tuple[str, ...], ...] = ((),) * len(VIEWS)
    """The columns that were chosen for the views, in the order of VIEWS; none: as many as there is room for."""
    warnings: tuple[str, ...] = ()
    """What is wrong with the configuration file."""
    private: bool = False
    """Whether the daemon is this viewer's own."""

    # what else is open
    line: FilterLine | None = None
    history: tuple[str, ...] = ()
    help: HelpPage | None = None
    chooser: ColumnChoice | None = None
    details: DetailsPage | None = None
    act: Act | None = None
    notice: Notice | None = None
    tape: Tape | None = None
    trend: tuple[tuple[float, float | None], ...] = ()
    """How the rate of the whole line has been: time and bytes/s, the oldest first."""
    orders: tuple[Delete | Kill | Seek, ...] = ()
    """What the daemon is to be told once; whoever tells it takes them away."""

    # the place in the rows
    sort: str = "rate"
    descending: bool = True
    offset: int = 0
    cursor: int = 0
    pinned: str | None = None
    """The key of the selected row, which the cursor follows on the screen; None until the user chose one."""
    follow: bool = False
    """Whether the screen follows the selected row."""
    skipped: int = 0
    """How many columns are scrolled out at the left."""
    total: int = 0
    """How many rows the query has in all, as far as is known."""
    places: tuple[Place, ...] = (Place(),) * len(VIEWS)
    """The places in the other views, in the order of VIEWS."""

    # what the screen has room for, told by `moves.fitted`
    page: int = 1
    sort_choices: tuple[str, ...] = ()
    scroll_limit: int = 0
    offered: tuple[tuple[str, bool], ...] = ()
    """The columns of the view, and which of them are on the screen."""

    # what was asked
    fields: tuple[str, ...] = ()
    """Of a flow; a group comes with all it has."""
    window_offset: int = 0
    tag: int = 1
    epoch: int = 1

    # what came back
    snapshot: Snapshot | None = None
    """Without rows where those would be another view's."""
    held: HeldOrder | None = None
    """The order of the rows while it is kept; the rows of the snapshot are in it."""
    accepted: str = ""
    """The last filter of the user's that the daemon has answered."""
    host: str = ""
    server: str = ""
    """What the daemon says of itself: program and version."""
    may: tuple[str, ...] = ()
    whose: Whose = Whose.ALL
    """The rights of this viewer."""
    plain: bool = False
    """Whether the terminal can write nothing but ASCII."""
    hosts: tuple[Member, ...] = ()
    """Those that are looked at together; none where there is one alone."""
    trouble: str = ""
    """Why there is no daemon; empty while there is one."""
    help_in_trouble: str = ""
    """What may bring it back."""
    forsaken: bool = False
    """Whether nobody looks for it any more."""
    complaint: str = ""
    """What the daemon said about the newest query."""
    heard: float = 0.0
    """When the silence of the daemon began, on the viewer's clock: at its last snapshot, or when one became due."""
    reset_time: float | None = None
    """When a counter reset by another program was last seen, in the time of the snapshots."""

    @property
    def mode(self) -> Mode:
        """What the keys mean now."""
        if self.act is not None and not self.act.sent:
            return Mode.CONFIRM
        if self.help is not None:
            return Mode.HELP if self.help.search is None else Mode.SEARCH
        if self.chooser is not None:
            return Mode.COLUMNS
        if self.line is not None:
            return Mode.FILTER
        return Mode.ROWS if self.details is None else Mode.DETAILS

    @property
    def chosen(self) -> tuple[str, ...]:
        """The columns that were chosen for this view."""
        return self.choices[VIEWS.index(self.view)]

    @property
    def placeless(self) -> bool:
        """Whether the view is one of places, which are switched off."""
        return not self.geoip and self.view in PLACE_VIEWS

    @property
    def outdated(self) -> bool:
        """Whether what is here answers an older question, with other rows or in another order."""
        return self.snapshot is not None and self.snapshot.tag < self.epoch

    @property
    def waiting(self) -> bool:
        """Whether rows that belong on the screen are on their way."""
        if self.snapshot is None or self.trouble or self.help is not None or self.details is not None:
            return False
        begin, end = self.snapshot.offset, self.snapshot.offset + len(self.snapshot.rows)
        return self.outdated or self.offset < begin or min(self.offset + self.page, self.total) > end

    def row(self, index: int) -> list[Any] | None:
        """The row at `index`, or None where it is not here."""
        if self.snapshot is None:
            return None
        place = index - self.snapshot.offset
        return self.snapshot.rows[place] if 0 <= place < len(self.snapshot.rows) else None

    def value(self, index: int, field: str) -> Any:
        """A field of the row at `index`, or None where it is not here."""
        row = self.row(index)
        if row is None or self.snapshot is None or field not in self.snapshot.fields:
            return None
        return row[self.snapshot.fields.index(field)]

    @property
    def selected(self) -> int | None:
        """The index of the selected row; None while that is off the screen: no other row is meant in its place."""
        here = self.key(self.cursor)
        return self.cursor if self.pinned is None or here is None or here == self.pinned else None

    def key(self, index: int) -> str | None:
        """What tells the row at `index` from all others, or None where it is not here."""
        row = self.row(index)
        return None if row is None or self.snapshot is None else row_key(self.view, self.snapshot.fields)(row)


def row_key(view: View, fields: Sequence[str]) -> Callable[[list[Any]], str | None]:
    """A function that tells what a row of these fields is called, which no other row is."""
    name = "id" if view is View.FLOWS else "key"
    if name not in fields:
        return lambda _row: None
    at, host = fields.index(name), fields.index(HOST_FIELD) if HOST_FIELD in fields else None

    def key(row: list[Any]) -> str | None:
        if row[at] is None or host is None:
            return None if row[at] is None else str(row[at])
        return at_host(str(row[at]), str(row[host]))

    return key


def protocol_numbers(groups: frozenset[ProtocolGroup]) -> tuple[int, ...] | None:
    """The wire's form of a choice of groups: None is every protocol, an empty tuple none."""
    if groups == ALL_PROTOCOLS:
        return None
    named: frozenset[int] = frozenset().union(*_NUMBERS.values())
    chosen: set[int] = set(range(256)) - named if ProtocolGroup.OTHER in groups else set()
    for group in groups - {ProtocolGroup.OTHER}:
        chosen |= _NUMBERS[group]
    return tuple(sorted(chosen))


def starts_descending(sort: str) -> bool:
    """Whether a sort field begins with its largest value: amounts do, text begins with A."""
    fields = (*FLOW_FIELDS, *GROUP_FIELDS)
    return sort in SORT_SUMS or any(field.name == sort and field.kind is not Kind.TEXT for field in fields)


def window_height(page: int) -> int:
    """How many rows are asked for, with `page` of them on the screen."""
    return 3 * WINDOW_STEP * -(-page // WINDOW_STEP)


def conjunction(filters: Sequence[str]) -> str:
    """The filter that means what all of these mean; the first begins it, behind a parenthesis where it needs one."""
    wanted = [text for text in filters if text.strip()]
    return wanted[0] if len(wanted) == 1 else " and ".join(map(_part, wanted))


def _part(text: str) -> str:
    try:
        alone = isinstance(parse(text), Either)
    except FilterSyntaxError:  # of a daemon that knows more
        alone = True
    return f"({text})" if alone else text


def whole_filter(state: ViewState) -> str:
    """The user's filter and those of the groups that were opened."""
    return conjunction([state.filter, *(crumb.filter for crumb in state.path)])


def query_for(state: ViewState) -> Query:
    """The query that `state` means."""
    source = state.source or _SOURCE_COLUMN in state.choices[VIEWS.index(View.FLOWS)]
    fields = tuple(field for field in state.fields if source or field != _SOURCE_NAME)
    return Query(
        tag=state.tag,
        view=state.view,
        filter=whole_filter(state),
        protocols=protocol_numbers(state.protocols),
        families=state.families,
        active=state.active,
        loopback=state.loopback,
        names=state.names,
        geoip=state.geoip,
        sort=state.sort,
        descending=state.descending,
        offset=state.window_offset,
        limit=max(window_height(state.page), MOST if state.held is not None and state.held.whole else 0),
        interval=state.interval,
        closed=state.closed,
        mean=state.mean,
        history=True,
        follow=state.pinned
        if state.follow and state.pinned and state.held is None and state.view is View.FLOWS
        else "",
        paused=state.paused,
        fields=fields if state.view is View.FLOWS else (),
    )


def _window_offset(state: ViewState) -> int:
    """Where the window should begin: where it is, as long as half a page is left at both sides of the screen."""
    height, margin = window_height(state.page), max(1, state.page // 2)
    begin, end = state.window_offset, state.window_offset + height
    if state.held is not None and state.held.whole:
        return begin  # all rows are here, those too that the daemon has no longer
    before = begin == 0 or state.offset - begin >= margin
    after = end >= state.total or end - (state.offset + state.page) >= margin
    if begin <= state.offset and before and after:
        return begin
    return max(0, state.offset + state.page // 2 - height // 2)


def settled(old: ViewState, new: ViewState) -> ViewState:
    """`new` with the window and the tags that it needs, coming from `old`."""
    new = replace(new, window_offset=_window_offset(new))
    before, after = query_for(old), query_for(new)
    if before == after:
        return new
    tag = old.tag + 1
    if _rows_meant(before) == _rows_meant(after):
        return replace(new, tag=tag)
    return replace(new, tag=tag, epoch=tag, held=None)


def _rows_meant(query: Query) -> Query:
    """A query without what does not change which rows stand where."""
    return replace(
        query, tag=0, offset=0, limit=None, paused=False, interval=1.0, names=True, geoip=True, fields=(), follow=""
    )


def changed(state: ViewState, **values: object) -> ViewState:
    """`state` with these values, settled; the very same object where they change nothing."""
    new = replace(state, **values)  # type: ignore[arg-type]  # names and types are checked by the callers' tests
    return state if new == state else settled(state, new)


def to_top(state: ViewState, **values: object) -> ViewState:
    """Other rows or another order: begin at the first one again, or where the row is that the screen follows."""
    return changed(state, offset=0, cursor=0, pinned=state.pinned if state.follow else None, **values)
