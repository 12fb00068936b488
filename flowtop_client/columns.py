"""What a table of flows can show: every display column once, read by the screen and by `--text` alike.

    PROCESS  PID PROTO  STATE        TIME  ADDRESS          PORT GEO  BYTES   RATE
    firefox 4711 tcp    ESTABLISHED  1h4m  example.com     https  US  1.23M  45.6k

Rules: a column says which wire fields it needs and makes a short text out of their values; it never pads or cuts.
`fit` decides which columns are shown how wide. `→` is conntrack's original direction (from the source to ADDRESS),
`←` the reply. Text is measured by a function that is passed in, so that nothing here knows a terminal.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from flowtop_client.humanize import UNKNOWN, amount, clean, duration, rate

Row = Sequence[Any]

ESSENTIAL: Final = 80
"""Columns with a `keep` from here on stay even while nothing is known for them, so that they do not come and go."""

OPTIONAL: Final = 40
"""Columns with a `keep` below this are shown only where every other column has the width that it wants."""

EXTRA: Final = 20
"""Columns with a `keep` below this are shown only where nothing at all is cut for them: what a wide screen has left."""


class Align(StrEnum):
    """Where the text stands in its column."""

    LEFT = "left"
    RIGHT = "right"


class Cut(StrEnum):
    """What gives way where the text is longer than its column."""

    NEVER = "never"
    """Numbers: half a number is a wrong number."""
    END = "end"
    MIDDLE = "middle"
    """Addresses and host names, which differ at both ends."""


@dataclass(frozen=True, slots=True)
class Units:
    """How numbers are shown."""

    bits: bool = False


Cell = Callable[[Units, Row], str]
"""Takes the values of the column's own fields, in their order."""


@dataclass(frozen=True, slots=True)
class Column:
    """One display column.

    `least`: narrowest useful width; `most`: what it may claim before optional columns get their share.
    `keep`: the columns with the smallest number go first when it gets narrow, all with the same number together.
    """

    name: str
    title: str
    fields: tuple[str, ...]
    sort: str
    cell: Cell
    least: int
    most: int
    keep: int
    align: Align = Align.LEFT
    cut: Cut = Cut.END


@dataclass(frozen=True, slots=True)
class Placed:
    """A column and its width on the screen."""

    column: Column
    width: int


def _text(_units: Units, values: Row) -> str:
    """The first value that is known: a name before an address, a service before a port."""
    for value in values:
        if value is not None and value != "":
            return clean(str(value))
    return UNKNOWN


def _known_sum(values: Row) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def _amount(_units: Units, values: Row) -> str:
    return amount(_known_sum(values))


def _rate(units: Units, values: Row) -> str:
    return rate(_known_sum(values), bits=units.bits)


def _duration(_units: Units, values: Row) -> str:
    return duration(values[0])


def _number(title: str, fields: tuple[str, ...], sort: str, cell: Cell, keep: int) -> Column:
    """A right-aligned column of amounts, with room for the mark of the sorted column."""
    width = len(title) + 1
    return Column(sort, title, fields, sort, cell, width, width, keep, Align.RIGHT, Cut.NEVER)


def _port(name: str, side: str, keep: int) -> Column:
    fields = ("service", f"{side}port") if side == "d" else (f"{side}port",)
    return Column(name, "PORT", fields, f"{side}port", _text, 5, 12, keep, Align.RIGHT)


def _geo(name: str, side: str, keep: int) -> Column:
    return Column(name, "GEO", (f"{side}_country",), f"{side}_country", _text, 4, 4, keep)


def _address(name: str, title: str, side: str, keep: int) -> Column:
    return Column(name, title, (f"{side}_name", side), side, _text, 15, 39, keep, cut=Cut.MIDDLE)


_PROCESS: Final = Column("process", "PROCESS", ("process",), "process", _text, 8, 15, 70)
_PID: Final = Column("pid", "PID", ("pid",), "pid", _text, 5, 7, 45, Align.RIGHT, Cut.NEVER)
_PROTO: Final = Column("proto", "PROTO", ("proto",), "proto", _text, 6, 7, 85)
_STATE: Final = Column("state", "STATE", ("state",), "state", _text, 11, 17, 75)
_TIME: Final = Column("time", "TIME", ("duration",), "duration", _duration, 5, 5, 60, Align.RIGHT, Cut.NEVER)

_EXPIRES: Final = Column("expires", "EXPIRES", ("timeout",), "timeout", _duration, 8, 8, 10, Align.RIGHT, Cut.NEVER)
_NAT: Final = Column("nat", "NAT", ("nat",), "nat", _text, 4, 4, 15)

_SOURCE: Final = (
    _address("source", "SOURCE", "src", 72),
    _port("sport", "s", 55),
    _geo("sgeo", "src", 41),
)

_FLOW: Final = (
    _PROCESS,
    _PID,
    _PROTO,
    _STATE,
    _TIME,
    _EXPIRES,
    _address("address", "ADDRESS", "dst", 100),
    _port("port", "d", 90),
    _geo("geo", "dst", 50),
    _NAT,
    _number("BYTES", ("orig_bytes", "reply_bytes"), "bytes", _amount, 80),
    _number("→BYTES", ("orig_bytes",), "orig_bytes", _amount, 20),
    _number("←BYTES", ("reply_bytes",), "reply_bytes", _amount, 20),
    _number("→PKTS", ("orig_packets",), "orig_packets", _amount, 12),
    _number("←PKTS", ("reply_packets",), "reply_packets", _amount, 12),
    _number("RATE", ("orig_rate", "reply_rate"), "rate", _rate, 95),
    _number("→RATE", ("orig_rate",), "orig_rate", _rate, 30),
    _number("←RATE", ("reply_rate",), "reply_rate", _rate, 30),
)


def flow_columns(*, source: bool) -> tuple[Column, ...]:
    """The columns of the flows view in their order, with or without the source side."""
    if not source:
        return _FLOW
    at = next(index for index, column in enumerate(_FLOW) if column.name == "address")
    return _FLOW[:at] + _SOURCE + _FLOW[at:]


def needed_fields(columns: Sequence[Column]) -> tuple[str, ...]:
    """The wire fields that `columns` read, each once; `id` and `closed` come first, every table needs them."""
    return tuple(dict.fromkeys(("id", "closed", *(field for column in columns for field in column.fields))))


def cells(columns: Sequence[Column], fields: Sequence[str], units: Units) -> Callable[[Row], list[str]]:
    """A function that turns a row with these `fields` into one text a column; a field that is missing is unknown."""
    place = {name: index for index, name in enumerate(fields)}
    missing = len(place)
    plan = [(column.cell, [place.get(name, missing) for name in column.fields]) for column in columns]

    def texts(row: Row) -> list[str]:
        padded = (*row, None)
        return [cell(units, [padded[index] for index in indices]) for cell, indices in plan]

    return texts


def cut(text: str, width: int, how: Cut, measure: Callable[[str], int]) -> str:
    """`text` in at most `width` cells, with `…` where something is missing."""
    if measure(text) <= width:
        return text
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
    """The columns that `width` has room for. `contents` is the longest text of each, 0 where all are unknown.

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
