"""An order that is kept: rows stay where they are while what they say changes. Pure: rows in, rows out.

    kept          came                shown
    0 a           0 b  faster now     0 a   as the newest snapshot has it
    1 b           1 a                 1 b
    2 c           2 d  new            2 c   gone: what was last known of it
                                      3 d   new ones come at the end

Rules: a row keeps its place among all rows. What came but has no place goes to places that are free, in the order in
which it came. A row that did not come is gone, or in another part of a table of which only a part is here. Rows that
are gone are let go from the end as soon as there are too many.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from flowtopd.wire.messages import Snapshot

MOST: Final = 1000
"""Rows that are kept in order, with those that are gone."""

Row = list[Any]


@dataclass(frozen=True, slots=True)
class HeldOrder:
    """The rows in their order from `begin` on, which of them are `gone`, and the snapshot as it came last.

    `whole`: all rows of the query are here.
    """

    begin: int
    rows: tuple[Row, ...]
    newest: Snapshot
    gone: frozenset[str] = frozenset()
    whole: bool = False


def ordered(old: HeldOrder, new: Snapshot, key: Callable[[Row], str]) -> HeldOrder:
    """The rows of a new snapshot in the old order."""
    came = {key(row): row for row in new.rows}
    whole = new.offset == 0 and len(new.rows) >= new.status.matched
    known = {old.begin + place: row for place, row in enumerate(old.rows)}
    begin = old.begin if old.whole else new.offset
    last_known = old.begin + len(old.rows) if old.whole or whole else 0
    places = range(begin, max(new.offset + len(new.rows), last_known))
    placed = {key(row) for index, row in known.items() if index in places}
    fresh = iter([row for name, row in came.items() if name not in placed])
    rows: list[Row] = []
    for index in places:
        row = known.get(index)
        row = next(fresh, None) if row is None else came.get(key(row), row)
        if row is not None:
            rows.append(row)
    if whole or old.whole:
        rows += fresh
    rows = _bounded(rows, came, key)
    gone = frozenset(name for row in rows if (name := key(row)) not in came)
    return HeldOrder(begin, tuple(rows), new, gone, whole or old.whole)


def _bounded(rows: Sequence[Row], came: dict[str, Row], key: Callable[[Row], str]) -> list[Row]:
    """Without the last ones of those that are gone, as far as there are too many."""
    spare = len(rows) - MOST
    kept: list[Row] = []
    for row in reversed(rows):
        if spare > 0 and key(row) not in came:
            spare -= 1
        else:
            kept.append(row)
    return kept[::-1]
