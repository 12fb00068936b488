"""The whole screen as lines of styled text: a pure function of the state, the size and what the tab prepared.

    flowtop myhost   flows 1 234 of 262 144   shown 870   → 1.23 MB/s  ← 34.5 MB/s   header
    Processes > firefox[11]   every 1 s, tick 12 ms, 1 viewer                        the way here; what is wrong, or how
    1Flows 2Processes 3Devices 4Hosts 5Countries 6Networks …                         tabs                    [it runs
    PROCESS  PID   PROTO  STATE       TIME  ADDRESS          PORT GEO  BYTES   RATE▼ titles
    total                                                              60.3M  95.7M  in the grouped views
    -            - tcp    ESTABLISHED 1h4m  192.0.2.7         443 -    1.23M  45.6k  rows, one of them selected
    …
    1-18 of 870  /port 443  sort rate ▼  TCP UDP, active only    / filter  ? help    footer

The details of a flow take the room between the first line and the footer. A recording that is shown, and one that is
written, are told behind the way here. A question has three lines in place of the footer, a notice has its line.

While a filter is typed, its line and what is wrong with it stand in place of the footer. On a low screen the tabs go
first, then the second line, the total, the header, the footer and the titles: rows stay to the last, and the line that
is typed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from flowtop_client.columns.column import Cut
from flowtop_client.columns.fit import cut
from flowtop_client.humanize import clean, count, rate_with_unit, seconds
from flowtop_client.tui.column_page import column_page
from flowtop_client.tui.tabs.details import detail_lines
from flowtop_client.tui.tabs.flows import FLOWS
from flowtop_client.tui.tabs.groups import GROUPS
from flowtop_client.tui.tabs.tab import Tab
from flowtop_client.tui.widgets.answer_line import notice_line, question_lines
from flowtop_client.tui.widgets.graph import graph, peak_of
from flowtop_client.tui.widgets.input_line import choice_line, input_line, mark_line
from flowtop_client.tui.widgets.line import EMPTY, Line, cell_width, clipped, joined, line_width, spread
from flowtop_client.tui.widgets.manual import Section, manual, marked, prose
from flowtop_client.tui.widgets.recording_line import replay_line, tape_line
from flowtop_client.tui.widgets.tab_bar import tab_bar
from flowtop_client.view_state.act import QUESTIONS
from flowtop_client.view_state.details_page import DetailsPage
from flowtop_client.view_state.filter_line import FilterLine
from flowtop_client.view_state.help_page import HelpPage
from flowtop_client.view_state.place import VIEWS
from flowtop_client.view_state.problems import problems
from flowtop_client.view_state.state import ALL_PROTOCOLS, Mode, ProtocolGroup, ViewState
from flowtopd.wire.filter_parser import MANUAL
from flowtopd.wire.messages import Family, Right, Snapshot, View, Whose

TABS: Final = tuple(view.value.capitalize() for view in VIEWS)
"""Every tab's title in order."""

_STEP: Final = " \u203a "
"""Between two parts of the way here."""

_PROMPT: Final = "/"
_HINTS: Final = ("/ filter  ? help  q quit", "? help  q quit", "? help")
_ACT_HINT: Final = "x end  X delete  "
_LONGEST_FILTER: Final = 3
"""The filter may have so much of the footer: a third."""


def new_tab() -> Tab:
    """What draws the rows of every view."""
    return Tab(lambda state: FLOWS if state.view is View.FLOWS else GROUPS)


_TREND_POINTS: Final = 300
_NARROWEST_SPARKLINE: Final = 8
_WIDEST_SPARKLINE: Final = 40


@dataclass(frozen=True, slots=True)
class Regions:
    """Which lines a screen has besides its rows, how many for the footer, and how many rows it has room for."""

    tabs: bool
    second: bool
    total: bool
    header: bool
    footer: int
    titles: bool
    page: int


def regions(height: int, state: ViewState) -> Regions:
    """What a screen of `height` lines shows."""
    tabs, second, header, titles = (height >= least for least in (8, 7, 5, 3))
    total = height >= 6 and state.view is not View.FLOWS and not state.placeless
    footer = footer_height(height, state)
    taken = tabs + second + total + header + footer + titles
    return Regions(tabs, second, total, header, footer, titles, max(1, height - taken))


def footer_height(height: int, state: ViewState) -> int:
    """How many lines of a screen of `height` lines are below the rows, the details or the help."""
    if state.mode is Mode.CONFIRM:
        return 3 if height >= 6 else 1
    return int(height >= 4) if state.line is None else 1 + (height >= 3)


def details_room(height: int, state: ViewState) -> int:
    """How many lines of the details a screen of `height` lines shows, below the header."""
    return max(1, height - footer_height(height, state) - (height >= 5))


@lru_cache(maxsize=2)
def help_lines(sections: tuple[Section, ...], width: int) -> tuple[tuple[Line, ...], tuple[str, ...]]:
    """The help on a screen of this width, and the texts of its lines."""
    heading = clipped([("class:heading", "Filters")], width)
    lines = [*manual(sections, width), EMPTY, heading, *prose(MANUAL, width)]
    return tuple(lines), tuple("".join(text for _, text in line) for line in lines)


def help_page(height: int) -> int:
    """How many lines of the help a screen of `height` lines shows."""
    return max(1, height - 2)


def screen(
    state: ViewState, tab: Tab, sections: tuple[Section, ...], width: int, height: int, *, now: float
) -> list[Line]:
    """All lines, at most `height` of at most `width` cells. The tab was fitted to the same state and width."""
    if state.help is not None:
        return _help(state, state.help, help_lines(sections, width)[0], width, height)
    if state.chooser is not None:
        return column_page(state, state.chooser, width, height)
    if state.details is not None:
        return _details(state, state.details, width, height, now)
    show = regions(height, state)
    lines = []
    if show.header:
        lines.append(_header(state, width))
    if show.second:
        lines.append(_second(state, width, now))
    if show.tabs:
        lines.append(tab_bar(TABS, VIEWS.index(state.view), width))
    if show.titles:
        lines.append(tab.titles(state))
    if show.total:
        lines.append(tab.total(state))
    body = tab.body(state, width)[: show.page]
    lines += body + [EMPTY] * (show.page - len(body))
    lines += _below(state, width, show.footer)[: show.footer]
    return lines[-height:]


def _help(state: ViewState, page: HelpPage, lines: Sequence[Line], width: int, height: int) -> list[Line]:
    """The program, a part of the help, and what can be done with it."""
    room = help_page(height)
    shown = []
    for index in range(page.line, min(page.line + room, len(lines))):
        current = index == page.found
        shown.append(marked(lines[index], page.pattern, "class:match.current" if current else "class:match"))
    shown += [EMPTY] * (room - len(shown))
    return [clipped(_program(state), width), *shown, _help_footer(page, width)][-max(height, 1) :]


def _details(state: ViewState, page: DetailsPage, width: int, height: int, now: float) -> list[Line]:
    """The header, a part of the details, and what can be done with the flow."""
    room = details_room(height, state)
    shown = detail_lines(state, page, width)[page.line : page.line + room]
    shown += [EMPTY] * (room - len(shown))
    wrong: Line = [("class:problem", "  |  ".join(problems(state, now)))] if problems(state, now) else []
    header = [clipped(joined([_program(state), wrong, _modes(state)], "   "), width)] if height >= 5 else []
    return [*header, *shown, *_below(state, width, footer_height(height, state))][-max(height, 1) :]


def _paused(state: ViewState) -> Line:
    return [("class:problem", "PAUSED")] if state.paused else []


def _details_footer(state: ViewState, page: DetailsPage, width: int) -> Line:
    where = f"{page.line + 1}-{min(page.line + page.page, page.length)} of {page.length}"
    left = joined([[("class:value", where)], _paused(state)])
    acts = _ACT_HINT if Right.ACT in state.may and not page.gone else ""
    hints = (f"{acts}c copy  Esc back  ? help", f"{acts}c copy  Esc back", "Esc back")
    hint = next((hint for hint in hints if line_width(left) + len(hint) < width), hints[-1])
    return spread(left, [("class:label", hint)], width)


def _help_footer(page: HelpPage, width: int) -> Line:
    if page.search is not None:
        line = input_line(_PROMPT, page.search, width)
        lost = page.pattern and page.found is None
        return spread(line, [("class:problem", "not found")], width) if lost else line
    where = f"{page.line + 1}-{min(page.line + page.page, len(page.texts))} of {len(page.texts)}"
    keys = "n N next match  q closes the help" if page.pattern else "/ searches  q closes the help"
    return clipped([("class:value", where), ("class:label", f"  Up Down scroll  {keys}")], width)


def _program(state: ViewState) -> Line:
    return joined([[("class:program", "flowtop")], [("", clean(state.host))] if state.host else []], " ")


def _labelled(label: str, value: str) -> Line:
    return [("class:label", f"{label} "), ("class:value", value)]


def _header(state: ViewState, width: int) -> Line:
    """Program and host, the kernel's table, and the rates of all matched flows, as much as there is room for."""
    program = _program(state)
    if state.snapshot is None:
        return clipped(program, width)
    flows, limit, shown, rates = _numbers(state, state.snapshot)
    choices = ([flows + limit, shown, rates], [flows + limit, rates], [flows, rates], [rates])
    lines = [joined([program, *parts], "   ") for parts in choices]
    line = next((line for line in lines if line_width(line) <= width), clipped(program, width))
    return spread(line, _sparkline(state, width - line_width(line) - len("   ")), width)


def _sparkline(state: ViewState, room: int) -> Line:
    """The rate of the whole line over the last minutes, and its peak, where there is room for it."""
    points = state.trend[-_TREND_POINTS:]
    peak = peak_of(points)
    label = f" {rate_with_unit(peak, bits=state.bits)} peak"
    cells = min(_WIDEST_SPARKLINE, room - len(label))
    if not peak or len(points) < 2 or cells < _NARROWEST_SPARKLINE:
        return []
    return [("class:rate", graph(points, cells, 1, plain=state.plain)[0]), ("class:label", label)]


def _numbers(state: ViewState, snapshot: Snapshot) -> tuple[Line, Line, Line, Line]:
    """Flows in the table, the table's limit, rows that match, rates."""
    status, totals = snapshot.status, snapshot.totals
    limit: Line = [] if status.max is None else [("class:label", f" of {count(status.max)}")]
    up = rate_with_unit(totals.orig_rate, bits=state.bits)
    down = rate_with_unit(totals.reply_rate, bits=state.bits)
    rates = joined([_labelled("→", up), _labelled("←", down)])
    shown = "shown" if snapshot.view is View.FLOWS else snapshot.view.value
    whose = "your flows" if state.whose is Whose.OWN else "flows"
    return _labelled(whose, count(status.flows)), limit, _labelled(shown, count(status.matched)), rates


def _second(state: ViewState, width: int, now: float) -> Line:
    """The way to the group that is open; what is wrong, as far as there is room for it; else how it runs."""
    way: Line = []
    for crumb in state.path:
        way += [("class:crumb", f"{_STEP if way else ''}{crumb.view.value.capitalize()}{_STEP}{clean(crumb.name)}")]
    way = joined([way, _modes(state)], "   ")
    wrong = problems(state, now)
    if wrong:
        style = "class:gone" if state.trouble or any(host.trouble for host in state.hosts) else "class:problem"
        return clipped(joined([way, joined([[(style, text)] for text in wrong], "  |  ")], "   "), width)
    return clipped(joined([way, _pace(state)], "   "), width)


def _modes(state: ViewState) -> Line:
    """Where in a recording this is, and the one that is being written."""
    replay = state.snapshot.replay if state.snapshot else None
    return joined([replay_line(replay) if replay else [], tape_line(state.tape) if state.tape else []], "   ")


def _pace(state: ViewState) -> Line:
    if state.snapshot is None:
        return EMPTY
    status = state.snapshot.status
    parts = [f"every {seconds(state.interval)}"]
    if state.whose is Whose.ALL:  # how long it takes with the flows of others nobody else is told
        parts.append(f"tick {seconds(status.tick_seconds)}")
    if state.hosts:
        parts.append(f"{len(state.hosts)} hosts")
    else:
        parts.append("1 viewer" if status.viewers == 1 else f"{status.viewers} viewers")
    if status.events_lost:
        parts.append(f"{count(status.events_lost)} events lost")
    return [("class:label", ", ".join(parts))]


def _below(state: ViewState, width: int, height: int) -> list[Line]:
    """A question, the line in which a filter is typed and under it what helps, a notice, or the footer."""
    if state.mode is Mode.CONFIRM and state.act is not None:
        return question_lines(QUESTIONS[state.act.deed], state.act.flow, width, height)
    if state.line is None:
        return [_last(state, width)] if height else []
    return [input_line(_PROMPT, state.line.input, width), _under(state.line, width)]


def _last(state: ViewState, width: int) -> Line:
    if state.notice is not None:
        said = notice_line(state.notice.text, width, good=state.notice.good)
    elif state.act is not None:
        said = notice_line(f"{state.act.deed}: {state.act.flow}: waiting for the daemon", width, good=True)
    else:
        return _footer(state, width) if state.details is None else _details_footer(state, state.details, width)
    return clipped(joined([_paused(state), said]), width)


def _under(line: FilterLine, width: int) -> Line:
    """What is wrong with the filter that is typed, else the words that fit, else the keys."""
    if line.offers is not None:
        return choice_line(line.offers.words, line.offers.chosen, width)
    if line.mistake is not None:
        return mark_line(_PROMPT, line.input, line.mistake.offset, line.mistake.message, width)
    return clipped([("class:label", "Enter keeps  Esc as before  TAB completes  Up Down history")], width)


def _place(state: ViewState) -> str:
    """Which rows are on the screen."""
    if state.outdated:
        return "…"
    if not state.total or state.placeless:
        return "no flow" if state.view is View.FLOWS else "nothing"
    last = min(state.offset + state.page, state.total)
    return f"{count(state.offset + 1)}-{count(last)} of {count(state.total)}"


def _footer(state: ViewState, width: int) -> Line:
    """Where this is and what is on; in short where it would push out how to the help, which stays in any case."""
    way_out = len(_HINTS[-1])
    line = _footer_left(state, width, short=False)
    if line_width(line) + way_out >= width:
        line = _footer_left(state, width, short=True)
    if line_width(line) + way_out >= width > 2 * way_out:
        line = clipped(line, width - way_out - 1)
    may = state.view is View.FLOWS and Right.ACT in state.may
    hints = ([_ACT_HINT + _HINTS[0]] if may else []) + list(_HINTS)
    hint = next((hint for hint in hints if line_width(line) + len(hint) < width), _HINTS[-1])
    return spread(line, [("class:label", hint)], width)


def _footer_left(state: ViewState, width: int, *, short: bool) -> Line:
    on = [group.value for group in ProtocolGroup if group in state.protocols]
    toggles = ["all protocols" if state.protocols == ALL_PROTOCOLS else " ".join(on) or "no protocol"]
    if len(state.families) == 1:
        toggles.append("IPv4" if state.families[0] is Family.IPV4 else "IPv6")
    flags = (
        ("selected: off the screen", "selected off", state.selected is None),
        ("following", "follows", state.follow),
        ("order kept", "kept", state.held is not None),
        ("active only", "active", state.active),
        ("loopback", "lo", state.loopback),
        ("source", "src", state.source),
        ("bits/s", "bits", state.bits),
        ("closed too", "closed", state.closed),
        (f"means of {state.mean:g} s", f"{state.mean:g} s", state.mean > 0),
        ("no names", "no names", not state.names),
        ("no GeoIP", "no geo", not state.geoip),
    )
    toggles += [brief if short else name for name, brief, is_on in flags if is_on]
    filtered = cut(clean(_PROMPT + state.filter), max(12, width // _LONGEST_FILTER), Cut.END, cell_width)
    order = [("class:on", f"{state.sort} {'▼' if state.descending else '▲'}")]
    return joined(
        [
            [("class:value", _place(state))],
            _paused(state),
            [("class:problem", filtered)] if state.filter else [],
            order if short else [("class:label", "sort "), *order],
            [("class:on", ", ".join(toggles))],
        ]
    )
