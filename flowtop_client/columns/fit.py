"""How columns share a line: which ones are shown, how wide each is, and what is left of a text that is too long.

Pure. Text is measured by a function that is passed in, so that nothing here knows a terminal. `contents` is the
longest text of each column, 0 where it has nothing but blank ones.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from flowtop_client.columns.column import ESSENTIAL, EXTRA, OPTIONAL, Column, Cut


@dataclass(frozen=True, slots=True)
class Placed:
    """A column and its width on the screen."""

    column: Column
    width: int


def speaking(columns: Sequence[Column], contents: Sequence[int]) -> list[int]:
    """The places of the columns that are worth a look; a shy one with nothing to say is not."""
    known = {column.name for column, content in zip(columns, contents, strict=True) if content}
    return [
        place
        for place, column in enumerate(columns)
        if column.name in known or not (column.shy or column.stand_in in known)
    ]


def _wants(column: Column, content: int) -> int:
    """The width a column asks for, with `content` its longest text."""
    return max(column.least, min(content, column.most))


def _whole(column: Column, content: int) -> int:
    """The width at which nothing is cut."""
    return max(column.least, content)


def _needs(column: Column, content: int) -> int:
    """The width below which a column goes rather than lie."""
    return max(column.least, content) if column.cut is Cut.NEVER else column.least


def fit(columns: Sequence[Column], contents: Sequence[int], width: int, gap: int = 1) -> tuple[Placed, ...]:
    """The columns that `width` has room for.

    First the extra columns give way to the whole texts of the others, then empty and optional ones to the wishes of
    the rest, then the least important ones go until the rest has its minimum; what is left over goes to the most
    important ones that want more.
    The most important column always stays, cut down to `width`.
    """
    kept = list(zip(columns, contents, strict=True))

    def total(measure: Callable[[Column, int], int]) -> int:
        return sum(measure(column, content) for column, content in kept) + gap * (len(kept) - 1)

    def spare(column: Column, content: int) -> bool:
        return column.keep < OPTIONAL or (not content and column.keep < ESSENTIAL)

    # one cell more between each two: there is room on a wide screen, and many columns are hard to tell apart without
    while total(_whole) + len(kept) - 1 > width and (
        extras := [column.keep for column, _ in kept if column.keep < EXTRA]
    ):
        kept = [pair for pair in kept if pair[0].keep != min(extras)]
    while total(_wants) > width and (spares := [pair for pair in kept if spare(*pair)]):
        least = min(column.keep for column, _ in spares)
        kept = [pair for pair in kept if pair[0].keep != least or pair not in spares]
    while len(kept) > 1 and total(_needs) > width:
        least = min(column.keep for column, _ in kept)
        kept = [(column, content) for column, content in kept if column.keep != least]
    widths = {column.name: min(_needs(column, content), width) for column, content in kept}
    left = width - sum(widths.values()) - gap * (len(kept) - 1)
    for column, content in sorted(kept, key=lambda pair: -pair[0].keep):
        more = min(left, max(0, content - widths[column.name]))
        widths[column.name] += more
        left -= more
    return tuple(Placed(column, widths[column.name]) for column, _ in kept)


def scroll_limit(columns: Sequence[Column], contents: Sequence[int], width: int, gap: int = 1) -> int:
    """How many columns may be scrolled out at the left: just enough to bring the last one into view."""
    skip = 0
    while skip < len(columns) - 1:
        placed = fit(columns[skip:], contents[skip:], width, gap)
        if len(placed) == len(columns) - skip:
            return skip
        skip += 1
    return skip


def cut(text: str, width: int, how: Cut, measure: Callable[[str], int]) -> str:
    """`text` in at most `width` cells, with `…` where something is missing that cannot be done without."""
    if measure(text) <= width:
        return text
    if how is Cut.BAR:
        bar = text.lstrip().partition(" ")[2]
        number = text.removesuffix(bar).rstrip()
        if measure(number) <= width:
            return number
    if width < 2:
        return "…"[:width]
    tail = (width - 1) // 2 if how is Cut.MIDDLE else 0
    end = _head(text[::-1], tail, measure)[::-1]
    return _head(text, width - 1 - tail, measure) + "…" + end


def _head(text: str, width: int, measure: Callable[[str], int]) -> str:
    """The longest beginning of `text` that fits into `width` cells."""
    end = min(width, len(text))
    while measure(text[:end]) > width:
        end -= 1
    return text[:end]
