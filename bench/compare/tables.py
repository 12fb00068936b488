"""The cells as Markdown: ratios first, then absolute numbers, a table for each load; and as the panels of the plot."""

from collections.abc import Callable, Iterable, Sequence
from typing import Final

from bench.compare.cell import Cell, Tool, find
from bench.compare.plot import Line, Panel
from bench.report import table, thousands

NOTHING: Final = "-"
_BASE: Final = Tool.FLOWTOP
_CPU_FLOOR: Final = 0.1
_SHOWN_KEYS: Final = (Tool.FLOWTOP, Tool.CLASSIC, Tool.IPTSTATE)


def load_name(load: int) -> str:
    """What was going on."""
    return f"{thousands(load)} new flows a second" if load else "idle"


def ratio_table(cells: list[Cell]) -> str:
    """CPU time of each tool as a multiple of flowtop's with one viewer, on the same table, under the same load."""
    others = [tool for tool in Tool if tool is not _BASE]
    rows = []
    for flows, load in _grounds(cells):
        base = find(cells, _BASE, flows, load)
        ratios = [_ratio(find(cells, tool, flows, load), base) for tool in others]
        rows.append((thousands(flows), load_name(load), *ratios))
    return table(("flows", "load", *others), rows)


def _ratio(cell: Cell | None, base: Cell | None) -> str:
    if cell is None or base is None or cell.cpu_minute is None or not base.cpu_minute:
        return NOTHING
    return f"{cell.cpu_minute / base.cpu_minute:.2f}"


def _grounds(cells: Iterable[Cell]) -> list[tuple[int, int]]:
    """Sizes and loads, each once, idle ones first."""
    return sorted({(cell.flows, cell.load) for cell in cells}, key=lambda ground: (ground[1], ground[0]))


def absolute_tables(cells: list[Cell]) -> str:
    """Everything measured, a table for each load."""
    head = (
        "flows",
        "tool",
        "CPU s / min",
        "CPU s to start",
        "memory MB",
        "first screen s",
        "key ms, median",
        "p99",
        "shown / in the table",
        "events lost",
        "remark",
    )
    parts = []
    for load in sorted({cell.load for cell in cells}):
        rows = [_row(cell) for cell in sorted((c for c in cells if c.load == load), key=lambda cell: cell.flows)]
        title = load_name(load)
        parts.append(f"### {title[0].upper()}{title[1:]}\n\n{table(head, rows)}")
    return "\n".join(parts)


def _row(cell: Cell) -> tuple[str, ...]:
    keys = cell.keys
    return (
        thousands(cell.flows),
        cell.tool,
        number(cell.cpu_minute, 2),
        number(cell.cpu_start or None, 2),
        memory(cell.memory),
        number(cell.first_screen_s, 2),
        number(keys.median_ms if keys else None, 1),
        number(keys.p99_ms if keys else None, 1),
        _shown(cell),
        NOTHING if cell.lost is None else thousands(cell.lost),
        cell.remark,
    )


def number(value: float | None, digits: int) -> str:
    """A number, or that there is none."""
    return NOTHING if value is None else f"{value:.{digits}f}"


def memory(parts: Sequence[float]) -> str:
    """Sum, and what it is made of: the daemon and its viewers."""
    if len(parts) <= 1:
        return number(sum(parts) or None, 1)
    if len(parts) == 2:
        return f"{parts[0]:.1f} + {parts[1]:.1f}"
    return f"{parts[0]:.1f} + {len(parts) - 1} x {sum(parts[1:]) / (len(parts) - 1):.1f}"


def _shown(cell: Cell) -> str:
    if cell.shown is None or cell.present is None:
        return NOTHING
    return f"{thousands(cell.shown)} / {thousands(cell.present)}"


def panels(cells: list[Cell]) -> list[Panel]:
    """Four plots over the size of the table."""
    loads = sorted({cell.load for cell in cells})
    busiest = loads[-1]
    return [
        _cpu_panel(cells, loads[0]),
        _cpu_panel(cells, busiest),
        Panel(
            "Key press to new screen, p99 in ms, idle (dashed: 30)",
            _lines(cells, 0, _SHOWN_KEYS, lambda cell: cell.keys.p99_ms if cell.keys else None),
            1,
            30,
        ),
        Panel("Time to first screen or list, s, idle", _lines(cells, 0, Tool, lambda cell: cell.first_screen_s), 0.01),
    ]


def _cpu_panel(cells: list[Cell], load: int) -> Panel:
    return Panel(
        f"CPU s a minute, {load_name(load)} (dashed: a core)",
        _lines(cells, load, Tool, lambda cell: cell.cpu_minute),
        _CPU_FLOOR,
        60,
    )


def _lines(
    cells: Iterable[Cell], load: int, tools: Iterable[Tool], value: Callable[[Cell], float | None]
) -> tuple[Line, ...]:
    """What was measured of each tool, by size. A tool keeps its colour in all panels."""
    colours = {tool: colour for colour, tool in enumerate(Tool)}
    points: dict[Tool, list[tuple[float, float]]] = {tool: [] for tool in tools}
    for cell in sorted(cells, key=lambda cell: cell.flows):
        y = value(cell)
        if cell.load == load and cell.tool in points and y is not None:
            points[cell.tool].append((cell.flows, y))
    return tuple(Line(tool, colours[tool], tuple(of_tool)) for tool, of_tool in points.items())
