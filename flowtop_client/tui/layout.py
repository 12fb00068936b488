"""The whole screen as lines of styled text: a pure function of the state, the size and what the tab prepared.

    flowtop myhost   flows 1 234 of 262 144   shown 870   → 1.23 MB/s  ← 34.5 MB/s   header
    accounting is off: new flows have no bytes …                                     what is wrong, else the pace
    Flows |                                                                          tabs
    PROCESS  PID   PROTO  STATE       TIME  ADDRESS          PORT GEO  BYTES   RATE▼ titles
    -            - tcp    ESTABLISHED 1h4m  192.0.2.7         443 -    1.23M  45.6k  rows, one of them selected
    …
    1-18 of 870  rate ▼  TCP UDP  active                            ? help  q quit   footer

On a low screen the tabs go first, then the second line, the header, the footer and the titles: rows stay to the last.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from flowtop_client.humanize import clean, count, rate_with_unit, seconds
from flowtop_client.tui.tabs.flows import TITLE, FlowsTab
from flowtop_client.tui.widgets.line import EMPTY, Line, clipped, joined, line_width, spread
from flowtop_client.tui.widgets.manual import Section, manual
from flowtop_client.view_state.problems import problems
from flowtop_client.view_state.state import ALL_PROTOCOLS, ProtocolGroup, ViewState
from flowtopd.wire.messages import Family, Snapshot

TABS: Final = (TITLE,)
"""Every tab's title in order; the grouped views will stand behind the flows."""


@dataclass(frozen=True, slots=True)
class Regions:
    """Which lines a screen has besides its rows, and how many rows it has room for."""

    tabs: bool
    second: bool
    header: bool
    footer: bool
    titles: bool
    page: int


def regions(height: int) -> Regions:
    """What a screen of `height` lines shows."""
    tabs, second, header, footer, titles = (height >= least for least in (8, 7, 5, 4, 3))
    return Regions(tabs, second, header, footer, titles, max(1, height - tabs - second - header - footer - titles))


def help_lines(sections: Sequence[Section], width: int, height: int) -> tuple[list[Line], int]:
    """The help, and how far it can be scrolled on a screen of this size."""
    lines = manual(sections, width)
    return lines, max(0, len(lines) - max(1, height - 2))


def screen(
    state: ViewState, tab: FlowsTab, sections: Sequence[Section], width: int, height: int, *, now: float
) -> list[Line]:
    """All lines, at most `height` of at most `width` cells. The tab was fitted to the same state and width."""
    if state.help_line is not None:
        lines, limit = help_lines(sections, width, height)
        first = min(state.help_line, limit)
        shown = lines[first : first + max(1, height - 2)]
        shown += [EMPTY] * (height - 2 - len(shown))
        more = "Up and Down scroll  " if limit else ""
        return [clipped(_program(state), width), *shown, clipped([("class:label", f"{more}? closes the help")], width)][
            :height
        ]
    show = regions(height)
    lines = []
    if show.header:
        lines.append(_header(state, width))
    if show.second:
        lines.append(_second(state, width, now))
    if show.tabs:
        lines.append(_tabs(state, width))
    if show.titles:
        lines.append(tab.titles(state))
    body = tab.body(state, width)[: show.page]
    lines += body + [EMPTY] * (show.page - len(body))
    if show.footer:
        lines.append(_footer(state, width))
    return lines


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
    return next((line for line in lines if line_width(line) <= width), clipped(program, width))


def _numbers(state: ViewState, snapshot: Snapshot) -> tuple[Line, Line, Line, Line]:
    """Flows in the table, the table's limit, flows that match, rates."""
    status, totals = snapshot.status, snapshot.totals
    limit: Line = [] if status.max is None else [("class:label", f" of {count(status.max)}")]
    up = rate_with_unit(totals.orig_rate, bits=state.bits)
    down = rate_with_unit(totals.reply_rate, bits=state.bits)
    rates = joined([_labelled("→", up), _labelled("←", down)])
    return _labelled("flows", count(status.flows)), limit, _labelled("shown", count(status.matched)), rates


def _second(state: ViewState, width: int, now: float) -> Line:
    """What is wrong, as far as there is room for it; when all is well, how it runs."""
    wrong = problems(state, now)
    if wrong:
        style = "class:gone" if state.trouble else "class:problem"
        return clipped(joined([[(style, text)] for text in wrong], "  |  "), width)
    if state.snapshot is None:
        return EMPTY
    status = state.snapshot.status
    parts = [f"every {seconds(state.interval)}", f"tick {seconds(status.tick_seconds)}"]
    parts.append("1 viewer" if status.viewers == 1 else f"{status.viewers} viewers")
    if status.events_lost:
        parts.append(f"{count(status.events_lost)} events lost")
    return clipped([("class:label", ", ".join(parts))], width)


def _tabs(state: ViewState, width: int) -> Line:
    line: Line = []
    for index, title in enumerate(TABS):
        line += [("class:tab.current" if index == state.tab else "class:tab", title), ("class:tab", " | ")]
    return clipped([*line[:-1], ("class:tab", " |")], width)


def _place(state: ViewState) -> str:
    """Which rows are on the screen."""
    if state.outdated:
        return "…"
    if not state.total:
        return "no flow"
    last = min(state.offset + state.page, state.total)
    return f"{count(state.offset + 1)}-{count(last)} of {count(state.total)}"


def _footer(state: ViewState, width: int) -> Line:
    on = [group.value for group in ProtocolGroup if group in state.protocols]
    toggles = ["all protocols"] if state.protocols == ALL_PROTOCOLS else on or ["no protocol"]
    if len(state.families) == 1:
        toggles.append("IPv4" if state.families[0] is Family.IPV4 else "IPv6")
    flags = (
        ("active only", state.active),
        ("loopback", state.loopback),
        ("source", state.source),
        ("bits/s", state.bits),
        ("no names", not state.names),
        ("no GeoIP", not state.geoip),
    )
    toggles += [name for name, is_on in flags if is_on]
    left = [
        [("class:value", _place(state))],
        [("class:problem", "PAUSED")] if state.paused else [],
        [("class:label", "sort "), ("class:on", f"{state.sort} {'▼' if state.descending else '▲'}")],
        [("class:on", " ".join(toggles))],
    ]
    return spread(joined(left), [("class:label", "? help  q quit")], width)
