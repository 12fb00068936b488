"""The joined columns of one tick in the making: what was known of a flow a tick ago, and what is new.

    last tick's columns ── where each row stood ──▶ Draft ── write ──▶ publish ─▶ Snapshot, and the next tick

Columns that nobody writes are the very arrays of the last tick where no flow came or went. What has been published is
never changed: the first write makes a copy.
"""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from flowtopd.flows.schema import JOINED
from flowtopd.flows.snapshot import Snapshot

Columns = dict[str, NDArray[Any]]
Rows = NDArray[np.intp]

CARRIED: Final[dict[str, str]] = JOINED | {"due_s": "f8", "tries": "u1", "state": "u1"}
"""And when the process of a flow is asked for next, on the monotonic clock (infinite: never), how often it was, and the
state that the flow had."""


class Draft:
    """Made anew for every tick. `flows`: the columns of the table; `new`: the rows that the last tick did not have."""

    def __init__(self, snapshot: Snapshot, last: Columns | None) -> None:
        self.snapshot = snapshot
        self.flows = snapshot.columns
        self._written: set[str] = set()
        previous = snapshot.previous
        if last is not None and previous is None:
            self.new: Rows = np.zeros(0, np.intp)
            self._columns = dict(last)
            return
        self._written.update(CARRIED)
        if last is None or previous is None or not (previous >= 0).any():
            self.new = np.arange(snapshot.size)
            self._columns = {name: np.zeros(snapshot.size, dtype) for name, dtype in CARRIED.items()}
            return
        self.new = np.flatnonzero(previous < 0)
        self._columns = {name: column[previous] for name, column in last.items()}
        for column in self._columns.values():
            column[self.new] = 0

    def bring(self, rows: Rows, last: Columns, at: Rows) -> None:
        """Take over what another draft knew of flows that stand in `rows` now: they are not new."""
        if len(rows):
            for name, column in self._columns.items():
                column[rows] = last[name][at]
            self.new = np.setdiff1d(self.new, rows, assume_unique=True)

    def __getitem__(self, name: str) -> NDArray[Any]:
        """A column as it is now, not to be written to."""
        return self._columns[name]

    def write(self, name: str, rows: Rows, values: Any) -> None:
        """Set the values of some rows."""
        if len(rows):
            if name not in self._written:
                self._written.add(name)
                self._columns[name] = self._columns[name].copy()
            self._columns[name][rows] = values

    def replace(self, name: str, mapping: NDArray[Any]) -> None:
        """Set every value to what `mapping` has in its place."""
        self._written.add(name)
        self._columns[name] = mapping[self._columns[name]]

    def publish(self) -> Columns:
        """All columns, read-only from now on."""
        for column in self._columns.values():
            column.flags.writeable = False
        return self._columns

    def joined(self) -> Columns:
        """Those of the schema."""
        return {name: self._columns[name] for name in JOINED}
