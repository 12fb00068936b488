"""Ways to look at a snapshot: with the flows that have closed, with rates that are means. The same snapshot otherwise.

    snapshot ─┬─ closed ─▶ the closed ones stand behind the living, in every column
              └─ mean ───▶ other columns of rates

Made only for who asks, and of what is looked at only: a column is put together when it is first read.
"""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flowtopd.flows.schema import RATES
from flowtopd.flows.snapshot import Columns, Snapshot


class _Together(dict[str, NDArray[Any]]):
    """Columns of one table behind those of another."""

    def __init__(self, first: Columns, second: Columns) -> None:
        super().__init__()
        self._tables = first, second

    def __missing__(self, name: str) -> NDArray[Any]:
        column = self[name] = np.concatenate([table[name] for table in self._tables])
        column.flags.writeable = False
        return column


def look(snapshot: Snapshot, *, closed: bool = False, mean_s: float = 0.0) -> Snapshot:
    """Return the snapshot as it is asked for. Means that nobody has wanted in time are the rates of the last tick.

    With closed flows, `rows_of` still finds the living alone.
    """
    rates = snapshot.means.get(mean_s)
    columns = snapshot.columns if rates is None else snapshot.columns | dict(zip(RATES, rates, strict=True))
    gone = snapshot.closed
    if not closed or gone is None or not gone.size:
        return snapshot if rates is None else replace(snapshot, columns=columns)
    return replace(snapshot, size=snapshot.size + gone.size, columns=_Together(columns, gone.columns))
