"""A table: columns fitted to a width, each row formatted once.

Rules: widths only grow, and a column that once had something to say stays worth a look, so that the columns stand
still while rows come and go; other columns, another order or another width are another Table. Only rows that are shown
are formatted. A row with an index below 0 is none of the list, as a total: what it does not know is left blank. The
table knows nothing of what the columns mean.
"""

from collections.abc import Callable, Mapping
from typing import Final

from flowtop_client.columns.column import Align, Column, Row, Units, cells
from flowtop_client.columns.fit import Placed, cut, fit, scroll_limit, speaking
from flowtop_client.tui.widgets.line import Line, cell_width

CellStyle = Callable[[Column, str], str]
"""The style of a cell, from its column and its text."""

_WIDE_GAP: Final = 2


class Table:
    """Draws rows of one query. Mutable: it remembers widths and what it has drawn."""

    def __init__(self, columns: tuple[Column, ...], width: int, cell_style: CellStyle) -> None:
        self._columns = columns
        self._width = width
        self._cell_style = cell_style
        self._contents = [0] * len(columns)
        self._source: object = None
        self._texts: dict[int, list[str]] = {}
        self._lines: dict[tuple[int, str | None, str], Line] = {}
        self._arranged: object = None
        """What the columns were last placed for."""
        self._placed: tuple[Placed, ...] = ()
        self._scroll_limit = 0
        self._places: list[int] = []
        self._gap = ""

    def show(
        self, rows: Mapping[int, Row], fields: tuple[str, ...], units: Units, source: object, skipped: int
    ) -> None:
        """Make ready to draw `rows`, by index, without the first `skipped` columns.

        `source` is where the rows and the units come from: with another object, what was formatted before is old.
        """
        if source is not self._source:
            self._source = source
            self._texts.clear()
            self._lines.clear()
        texts = cells(self._columns, fields, units)
        for index in rows.keys() - self._texts.keys():
            row = texts(rows[index])
            if index < 0:
                row = ["" if text in column.blank else text for column, text in zip(self._columns, row, strict=True)]
            self._texts[index] = row
            widths = map(_content_width, self._columns, row)
            self._contents = [max(pair) for pair in zip(self._contents, widths, strict=True)]
        self._arrange(skipped)

    def _arrange(self, skipped: int) -> None:
        """Place the columns, where that may come out otherwise than the last time: it takes a part of a redraw."""
        arranged = (*self._contents, skipped)
        if arranged == self._arranged:
            return
        self._arranged = arranged
        at = speaking(self._columns, self._contents)
        columns, contents = [self._columns[place] for place in at], [self._contents[place] for place in at]
        self._scroll_limit = scroll_limit(columns, contents, self._width)
        skipped = min(skipped, self._scroll_limit)
        placed = fit(columns[skipped:], contents[skipped:], self._width)
        if placed != self._placed:
            self._lines.clear()
            self._placed = placed
            self._places = [self._columns.index(place.column) for place in placed]
            wide = sum(place.width for place in placed) + _WIDE_GAP * (len(placed) - 1) <= self._width
            self._gap = " " * (_WIDE_GAP if wide else 1)

    @property
    def scroll_limit(self) -> int:
        """How many columns may be skipped."""
        return self._scroll_limit

    @property
    def sort_choices(self) -> tuple[str, ...]:
        """The sort fields of the columns that are shown."""
        return tuple(place.column.sort for place in self._placed if place.column.sort)

    def titles(self, sort: str, mark: str) -> Line:
        """The line of titles; that of the sorted column ends with `mark`."""
        line: Line = []
        for place in self._placed:
            title, style = place.column.title, "class:title"
            if place.column.sort == sort:
                title, style = title[: place.width - 1] + mark, "class:title.sorted"
            line += [("class:title", self._gap), (style, _padded(place, title))]
        used = sum(place.width for place in self._placed) + len(self._gap) * (len(self._placed) - 1)
        return [*line[1:], ("class:title", " " * (self._width - used))]

    @property
    def shown(self) -> tuple[str, ...]:
        """The names of the columns that are shown."""
        return tuple(place.column.name for place in self._placed)

    def sort_at(self, x: int) -> str:
        """The sort field of the column at this cell; empty where it has none."""
        for place in self._placed:
            x -= place.width + len(self._gap)
            if x < 0:
                return place.column.sort
        return ""

    def text(self, index: int) -> str:
        """The texts of a row that was shown, none of them cut."""
        return "  ".join(self._texts[index][at] for at in self._places)

    def line(self, index: int, style: str | None = None, mark: str = "") -> Line:
        """A row that was shown. `style` replaces the styles of its cells and fills the line to its end.

        `mark` is a character that stands in the gap behind the first column, where there is one.
        """
        key = (index, style, mark)
        if key not in self._lines:
            self._lines[key] = self._format(self._texts[index], style, mark)
        return self._lines[key]

    def _format(self, texts: list[str], style: str | None, mark: str) -> Line:
        padded = [_padded(place, texts[at]) for place, at in zip(self._placed, self._places, strict=True)]
        if mark and style is not None and len(padded) > 1:
            padded[:2] = [f"{padded[0]}{mark}{self._gap[1:]}{padded[1]}"]
        if style is not None:
            text = self._gap.join(padded)
            return [(style, text + " " * (self._width - cell_width(text)))]
        last = len(padded) - 1
        return [
            (self._cell_style(place.column, texts[at]), text if number == last else text + self._gap)
            for number, (place, at, text) in enumerate(zip(self._placed, self._places, padded, strict=True))
        ]


def _content_width(column: Column, text: str) -> int:
    return 0 if text in column.blank else cell_width(text)


def _padded(place: Placed, text: str) -> str:
    shown = cut(text, place.width, place.column.cut, cell_width)
    pad = " " * (place.width - cell_width(shown))
    return pad + shown if place.column.align is Align.RIGHT else shown + pad
