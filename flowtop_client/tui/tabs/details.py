"""The details of a flow as lines: its path, its rates, and all that is known of it. Pure.

    Path
      laptop                seen as              one.one.one.one
      192.168.1.11:40001 ─▶ 203.0.113.1:40001 ─▶ 1.1.1.1:443

    Rates   original, at most 45.6 kB/s          reply, at most 1.23 MB/s
          ▁▂▃▅▂                                ▇██▆▃
    5m ago                       now     5m ago                      now

    Traffic                                    Process
      original  12.3 kB/s, 1.23 MB, …            process  firefox[4711]

On a narrow screen all of it is one below the other.
"""

import textwrap
from collections.abc import Sequence
from typing import Final

from flowtop_client.columns.column import Cut
from flowtop_client.columns.details import Group, Station, groups, stations
from flowtop_client.columns.fit import cut
from flowtop_client.humanize import duration, rate_with_unit
from flowtop_client.tui.widgets.blocks import arranged, block_width
from flowtop_client.tui.widgets.graph import Point, graph, peak_of, span_of
from flowtop_client.tui.widgets.line import EMPTY, Line, cell_width, clipped, spread
from flowtop_client.view_state.details_page import DetailsPage
from flowtop_client.view_state.problems import how_to_update, lacks
from flowtop_client.view_state.state import ViewState
from flowtopd.wire.messages import Detail

GRAPH_HEIGHT: Final = 4
_LABEL: Final = 12
_INDENT: Final = "  "


def detail_lines(state: ViewState, page: DetailsPage, width: int) -> list[Line]:
    """All lines, however many the screen has room for."""
    return [clipped(line, width) for line in _lines(state, page, width)]


def _lines(state: ViewState, page: DetailsPage, width: int) -> list[Line]:
    lines: list[Line] = []
    if page.gone:
        known = "what was last known of it:" if page.detail else "nothing is known of it"
        lines += [[("class:gone", "This flow is gone"), ("", f"  {known}")], EMPTY]
    elif page.detail is None:
        lines.append([("class:message", f"waiting for the details{'...' if state.plain else '…'}")])
    if page.detail is None:
        return lines
    told = groups(page.detail, bits=state.bits, zone=None, missing=_missing(state))
    blocks = [_block(group, block_width(width)) for group in told]
    lines += [[("class:heading", "Path")], *_path(stations(page.detail), width, plain=state.plain), EMPTY]
    return [*lines, *_rates(state, page.detail, width), EMPTY, *arranged(blocks, width)]


def _missing(state: ViewState) -> dict[str, str]:
    """What is not known of places for want of a database, and how to get one."""
    if state.snapshot is None or not state.geoip:
        return {}
    return {kind: how_to_update(state) for kind in ("city", "asn") if lacks(state.snapshot.status, kind)}


def details_text(lines: Sequence[Line]) -> str:
    """The same without styles, for the clipboard."""
    return "\n".join("".join(text for _, text in line).rstrip() for line in lines).strip("\n") + "\n"


def _path(path: Sequence[Station], width: int, *, plain: bool) -> list[Line]:
    """The stations beside one another, where there is room for it."""
    arrow = " -> " if plain else " ─▶ "
    widths = [max(map(cell_width, (station.who, station.address, station.what))) for station in path]
    if sum(widths) + len(arrow) * (len(path) - 1) + len(_INDENT) > width:
        return _way_down(path, width, plain=plain)
    parts = (("class:label", "what", "    "), ("class:name", "who", "    "), ("class:value", "address", arrow))
    lines = []
    for style, field, between in parts:
        texts = [_padded(getattr(station, field), room) for station, room in zip(path, widths, strict=True)]
        lines.append([("", _INDENT), (style, between.join(texts).rstrip())])
    return lines


def _way_down(path: Sequence[Station], width: int, *, plain: bool) -> list[Line]:
    arrow = "->" if plain else "└▶"
    lines = []
    for number, station in enumerate(path):
        mark = _INDENT + (arrow + " " if number else "   ")
        address = cut(station.address, max(1, width - len(mark)), Cut.MIDDLE, cell_width)
        said = f"{station.what}: {station.who}"
        one = cell_width(mark + address + _INDENT + said) <= width
        lines.append([("class:label", mark), ("class:value", address), *([("", _INDENT + said)] if one else [])])
        if not one:
            lines.append([("", " " * len(mark) + said)])
    return lines


def _padded(text: str, width: int) -> str:
    return text + " " * (width - cell_width(text))


def _rates(state: ViewState, detail: Detail, width: int) -> list[Line]:
    """Both graphs, one beside the other where there is room for it."""
    if not detail.history:
        return [
            [("class:heading", "Rates")],
            [("class:dim", f"{_INDENT}not known: the kernel does not count this flow")],
        ]
    blocks = []
    for column, name in ((1, "original"), (2, "reply")):
        points: list[Point] = [(point[0], point[column]) for point in detail.history]
        blocks.append(_graph(state, points, name, block_width(width)))
    return arranged(blocks, width)


def _graph(state: ViewState, points: Sequence[Point], name: str, width: int) -> list[Line]:
    room = max(1, width - len(_INDENT))
    peak = rate_with_unit(peak_of(points), bits=state.bits)
    newest = rate_with_unit(points[-1][1], bits=state.bits)
    title: Line = [("class:heading", f"Rate {name}"), ("", "  now "), ("class:value", newest)]
    drawn = graph(points, room, GRAPH_HEIGHT, plain=state.plain)
    return [
        clipped([*title, ("", "  at most "), ("class:value", peak)], width),
        *([("", _INDENT), ("class:share", line)] for line in drawn),
        spread([("class:label", f"{_INDENT}{duration(span_of(points))} ago")], [("class:label", "now")], width),
    ]


def _block(group: Group, width: int) -> list[Line]:
    lines: list[Line] = [[("class:heading", group.heading)]]
    room = max(10, width - _LABEL - len(_INDENT))
    for label, text in group.pairs:
        first, *rest = _wrapped(text, room)
        lines.append(clipped([("class:label", f"{_INDENT}{label:<{_LABEL}}"), ("", first)], width))
        lines += [clipped([("", " " * (_LABEL + len(_INDENT)) + part)], width) for part in rest]
    return lines


def _wrapped(text: str, room: int) -> list[str]:
    """The text in lines of so many cells; wide characters fill two."""
    wide = cell_width(text) > len(text)
    return textwrap.wrap(text, max(1, room // 2 if wide else room), break_on_hyphens=False) or [""]
