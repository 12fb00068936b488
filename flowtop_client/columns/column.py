"""A display column: which wire fields it reads, and the short text that it makes of their values.

Rules: a column never pads or cuts, `fit` decides which ones are shown how wide. A text that is one of a column's
`blank` ones says that there is no value.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from flowtop_client.humanize import UNKNOWN

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
    BAR = "bar"
    """A number and a bar behind it: a part of a bar is a wrong one, so that it goes as a whole."""


@dataclass(frozen=True, slots=True)
class Units:
    """How numbers are shown. `whole` is what shares are of, in bytes or bytes/s; with `bars` they are also drawn."""

    bits: bool = False
    whole: float | None = None
    bars: bool = False


Cell = Callable[[Units, Row], str]
"""Takes the values of the column's own fields, in their order."""


@dataclass(frozen=True, slots=True)
class Column:
    """One display column.

    `sort`: the field by which it is sorted, empty where it cannot be.
    `least`: narrowest useful width; `most`: what it may claim before optional columns get their share.
    `keep`: the columns with the smallest number go first when it gets narrow, all with the same number together.
    While it has nothing but `blank` texts, a `shy` column is the first to go, and one that has a `stand_in` is so
    where that other column has something to say.
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
    shy: bool = False
    stand_in: str = ""
    blank: frozenset[str] = frozenset({UNKNOWN})


def needed_fields(columns: Sequence[Column]) -> tuple[str, ...]:
    """The wire fields that `columns` of flows read, each once; `id` and `closed` come first, every table needs them."""
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
