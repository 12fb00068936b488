"""The columns that a user chose, for `fit`: all of them are wanted, from the left on. Pure.

Rules: the order is the user's. Where there is no room for all, those at the right give way and are scrolled to; a
column with nothing to say stays. While the source side is asked for by its key, its address and port stand before the
address of the other end, chosen or not. Of several hosts the host is always there.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from flowtop_client.columns.cells import HOST
from flowtop_client.columns.column import ESSENTIAL, Column

_SOURCE: Final = ("source", "sport")
_BEFORE: Final = "address"


def chosen_columns(columns: Sequence[Column], chosen: Sequence[str], *, source: bool = False) -> tuple[Column, ...]:
    """Those of `columns` that were chosen, in that order; none where none of them is here."""
    known = {column.name: column for column in columns}
    if HOST.name in known and chosen and HOST.name not in chosen:
        chosen = [HOST.name, *chosen]
    names = [name for name in (_with_source(chosen) if source else chosen) if name in known]
    if not any(name in known for name in chosen if name != HOST.name):
        return ()
    last = len(names) - 1
    return tuple(
        replace(known[name], keep=ESSENTIAL + last - place, shy=False, stand_in="") for place, name in enumerate(names)
    )


def _with_source(chosen: Sequence[str]) -> list[str]:
    missing = [name for name in _SOURCE if name not in chosen]
    at = chosen.index(_BEFORE) if _BEFORE in chosen else len(chosen)
    return [*chosen[:at], *missing, *chosen[at:]]
