"""Lines on log-log axes as SVG: numbers in, text out. Readable on a light page and on a dark one.

    title ────────────────┐
    60 ┤        ●───●     │     one panel of four: a line for each tool, a name at its last point
     1 ┤   ●───●          │
       └───┬───┬───┬──────┘
          500 5k  100k

A point that could not be measured is missing; a line goes on only between points that are there.
"""

import html
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

_PANEL: Final = (460, 300)
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 118, 34, 34
_COLUMNS: Final = 2
_NAME_HEIGHT: Final = 13
_STYLE: Final = """<style>
.back { fill: #ffffff }
text { font: 12px system-ui, sans-serif; fill: #24292f }
.title { font-weight: 600; font-size: 13px }
.grid { stroke: #d0d7de; stroke-width: 1 }
.limit { stroke: #57606a; stroke-width: 1; stroke-dasharray: 4 3 }
polyline { fill: none; stroke-width: 2 }
.s0 { stroke: #0969da; fill: #0969da } .s1 { stroke: #54aeff; fill: #54aeff } .s2 { stroke: #cf222e; fill: #cf222e }
.s3 { stroke: #9a6700; fill: #9a6700 } .s4 { stroke: #1a7f37; fill: #1a7f37 } .s5 { stroke: #8250df; fill: #8250df }
.s6 { stroke: #bf3989; fill: #bf3989 }
polyline.s0, polyline.s1, polyline.s2, polyline.s3, polyline.s4, polyline.s5, polyline.s6 { fill: none }
text.s0, text.s1, text.s2, text.s3, text.s4, text.s5, text.s6 { stroke: none }
@media (prefers-color-scheme: dark) {
.back { fill: #0d1117 } text { fill: #e6edf3 } .grid { stroke: #30363d } .limit { stroke: #9198a1 }
.s0 { stroke: #4493f8; fill: #4493f8 } .s1 { stroke: #a5d6ff; fill: #a5d6ff } .s2 { stroke: #ff7b72; fill: #ff7b72 }
.s3 { stroke: #d29922; fill: #d29922 } .s4 { stroke: #3fb950; fill: #3fb950 } .s5 { stroke: #bc8cff; fill: #bc8cff }
.s6 { stroke: #ff9bce; fill: #ff9bce }
}
</style>"""


@dataclass(frozen=True, slots=True)
class Line:
    """One tool: its name, which of the seven colours, and (x, y) of what was measured, x growing."""

    name: str
    colour: int
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Panel:
    """One plot. `floor`: what lies below it is drawn on it, for a log axis has no zero."""

    title: str
    lines: tuple[Line, ...]
    floor: float
    limit: float | None = None


@dataclass(frozen=True, slots=True)
class _Axis:
    """A log axis from `low` to `high` onto pixels from `start` to `end`."""

    low: float
    high: float
    start: float
    end: float

    def at(self, value: float) -> float:
        share = math.log(max(self.low, value) / self.low) / math.log(self.high / self.low)
        return self.start + share * (self.end - self.start)


def short(value: float) -> str:
    """A number as an axis names it: 0.1, 60, 20k, 1M."""
    if value >= 1_000_000:
        return f"{value / 1_000_000:g}M"
    return f"{value / 1_000:g}k" if value >= 1_000 else f"{value:g}"


def svg(panels: Sequence[Panel]) -> str:
    """The panels, two in a row."""
    width = _PANEL[0] * min(_COLUMNS, len(panels))
    height = _PANEL[1] * math.ceil(len(panels) / _COLUMNS)
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}">', _STYLE]
    parts.append(f'<rect class="back" width="{width}" height="{height}"/>')
    for number, panel in enumerate(panels):
        x, y = number % _COLUMNS * _PANEL[0], number // _COLUMNS * _PANEL[1]
        parts += [f'<g transform="translate({x} {y})">', *_panel(panel), "</g>"]
    return "\n".join([*parts, "</svg>"]) + "\n"


def _panel(panel: Panel) -> Iterator[str]:
    yield f'<text class="title" x="{_LEFT}" y="18">{html.escape(panel.title)}</text>'
    points = [point for line in panel.lines for point in line.points]
    if not points:
        yield f'<text x="{_LEFT}" y="{_PANEL[1] / 2}">nothing measured</text>'
        return
    across, up = _axes(panel, points)
    for value in sorted({x for x, _ in points}):
        x = across.at(value)
        yield f'<line class="grid" x1="{x:.1f}" y1="{up.start}" x2="{x:.1f}" y2="{up.end}"/>'
        yield f'<text x="{x:.1f}" y="{up.start + 16}" text-anchor="middle">{short(value)}</text>'
    value = up.low
    while value <= up.high * 1.001:
        y = up.at(value)
        yield f'<line class="grid" x1="{across.start}" y1="{y:.1f}" x2="{across.end}" y2="{y:.1f}"/>'
        yield f'<text x="{across.start - 6}" y="{y + 4:.1f}" text-anchor="end">{short(value)}</text>'
        value = float(f"{value * 10:.3g}")
    if panel.limit is not None:
        y = up.at(panel.limit)
        yield f'<line class="limit" x1="{across.start}" y1="{y:.1f}" x2="{across.end}" y2="{y:.1f}"/>'
    yield from _lines(panel.lines, across, up)


def _axes(panel: Panel, points: Sequence[tuple[float, float]]) -> tuple[_Axis, _Axis]:
    xs = [x for x, _ in points]
    ys = [y for _, y in points] + [panel.limit or panel.floor]
    decades = max(1, math.ceil(math.log10(max(ys) / panel.floor)))
    across = _Axis(min(xs), max(*xs, min(xs) * 10), _LEFT, _PANEL[0] - _RIGHT)
    return across, _Axis(panel.floor, panel.floor * 10.0**decades, _PANEL[1] - _BOTTOM, _TOP)


def _lines(lines: Sequence[Line], across: _Axis, up: _Axis) -> Iterator[str]:
    names: list[tuple[float, float, Line]] = []
    for line in lines:
        if not line.points:
            continue
        places = [(across.at(x), up.at(y)) for x, y in line.points]
        drawn = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        yield f'<polyline class="s{line.colour}" points="{drawn}"/>'
        yield from (f'<circle class="s{line.colour}" cx="{x:.1f}" cy="{y:.1f}" r="2.5"/>' for x, y in places)
        names.append((places[-1][1], places[-1][0], line))
    lowest = 0.0
    for y, x, line in sorted(names, key=lambda name: name[0]):  # names that would cover one another move down
        lowest = max(y, lowest + _NAME_HEIGHT)
        place = f'x="{max(x, across.end) + 6:.1f}" y="{lowest + 4:.1f}"'
        yield f'<text class="s{line.colour}" {place}>{html.escape(line.name)}</text>'
