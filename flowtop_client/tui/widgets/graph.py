"""A graph of values over time in block characters, or in ASCII where the terminal has no others.

    45.6 MB/s ▏           ▂█▆                 the largest value, at the top
              ▏ ▁▁   ▃▅▇█████▇▅▃▁
              5m ago                 now      the time that the width stands for

Rules: time runs to the newest point, at least `SHORTEST_S` fit. A cell shows the largest value of its time, so that no
peak is lost, and where none came then, the one before goes on. What is not known is left blank.
"""

from collections.abc import Sequence
from typing import Final

Point = tuple[float, float | None]
"""A time in seconds, and the value then."""

SHORTEST_S: Final = 60.0
_BLOCKS: Final = " ▁▂▃▄▅▆▇█"
_ASCII: Final = " .:#"


def is_plain(encoding: str | None) -> bool:
    """Whether a terminal in this encoding has nothing but ASCII to draw with; what has none is no terminal."""
    try:
        f"{_BLOCKS}→▶".encode(encoding or "utf-8")
    except (LookupError, UnicodeEncodeError):
        return True
    return False


def span_of(points: Sequence[Point]) -> float:
    """How many seconds the graph stands for."""
    return max(SHORTEST_S, points[-1][0] - points[0][0]) if points else SHORTEST_S


def sampled(points: Sequence[Point], width: int) -> list[float | None]:
    """The value of each of `width` cells."""
    cells: list[float | None] = [None] * width
    if not points:
        return cells
    end, step = points[-1][0], span_of(points) / width
    last = width - 1
    taken: set[int] = set()
    for at, value in points:
        cell = max(0, min(last, last - int((end - at) / step)))
        known = cells[cell] if cell in taken else None
        cells[cell] = value if known is None or (value is not None and value > known) else known
        taken.add(cell)
    for cell in range(min(taken) + 1, width):
        if cell not in taken:
            cells[cell] = cells[cell - 1]
    return cells


def peak_of(points: Sequence[Point]) -> float | None:
    """The largest value."""
    return max((value for _, value in points if value is not None), default=None)


def graph(points: Sequence[Point], width: int, height: int, *, plain: bool) -> list[str]:
    """`height` lines of `width` cells; the largest value reaches the top, and what is above 0 is seen."""
    levels = _ASCII if plain else _BLOCKS
    peak, steps = peak_of(points) or 0.0, len(levels) - 1
    marks = [
        0 if not value or not peak else max(1, round(value / peak * height * steps))
        for value in sampled(points, max(1, width))
    ]
    return [
        "".join(levels[max(0, min(steps, mark - row * steps))] for mark in marks) for row in reversed(range(height))
    ]
