"""The table of addresses: one row an address, whoever uses it. Row 0 is no address at all.

    addresses (n, 2) ─▶ mixed to 64 bits ─▶ searched among the sorted keys ─▶ row, a new one where there is none

A column that was handed out (`columns`) is never changed: `put` writes into a copy. Rows are never removed from a
table but by `compact`, when too many are of no use any more.
"""

import secrets
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Columns = dict[str, NDArray[Any]]
Pairs = NDArray[np.uint64]
Ids = NDArray[np.int32]

ADDRESS_COLUMNS: Final[dict[str, str]] = {"name": "i4", "place": "i4", "device": "i4", "where": "u1"}
"""Beside `address`, its two halves: ids in the dimensions, and a code of `dimensions.Where`."""

_SECRET: Final = tuple(np.uint64(secrets.randbits(64) | 1) for _factor in range(2))
"""Odd factors that nobody on the network knows: two addresses that share a key cannot be made on purpose, and by
chance among 1 000 000 with a probability of 3 in 10⁸. IPv4 addresses never share one."""


def empty() -> Columns:
    """The columns of a table without addresses: row 0 alone."""
    columns: Columns = {name: np.zeros(1, dtype) for name, dtype in ADDRESS_COLUMNS.items()}
    columns["address"] = np.zeros((1, 2), np.uint64)
    for column in columns.values():
        column.flags.writeable = False
    return columns


class AddressTable:
    """Belongs to one thread; what `columns` returns may be read by any."""

    def __init__(self) -> None:
        self._keys = np.zeros(0, np.uint64)
        self._ids = np.zeros(0, np.int32)
        self._columns = empty()

    @property
    def size(self) -> int:
        """How many rows there are, row 0 included."""
        return len(self._columns["address"])

    @property
    def columns(self) -> Columns:
        """All columns, read-only, as they are now."""
        return dict(self._columns)

    def find(self, addresses: Pairs) -> Ids:
        """Return the row of every address, 0 where there is none."""
        return self._find(_keys(addresses))

    def _find(self, keys: NDArray[np.uint64]) -> Ids:
        if not len(self._keys):
            return np.zeros(len(keys), np.int32)
        at = np.searchsorted(self._keys, keys)
        at[at == len(self._keys)] = 0
        return np.where(self._keys[at] == keys, self._ids[at], np.int32(0))

    def add(self, addresses: Pairs) -> Ids:
        """Return the row of every address; new rows are made, zero but for `address`."""
        keys = _keys(addresses)
        ids = self._find(keys)
        missing = np.flatnonzero(ids == 0)
        if len(missing):
            ids[missing] = self._append(addresses[missing], keys[missing])
        return ids

    def _append(self, addresses: Pairs, keys: NDArray[np.uint64]) -> Ids:
        """Make rows of new addresses, in the order of their keys; return the row of each."""
        new, first, which = np.unique(keys, return_index=True, return_inverse=True)
        rows = np.arange(self.size, self.size + len(new), dtype=np.int32)
        at = np.searchsorted(self._keys, new)
        self._ids = np.insert(self._ids, at, rows)
        self._keys = np.insert(self._keys, at, new)
        for name, column in self._columns.items():
            added = addresses[first] if name == "address" else np.zeros(len(new), column.dtype)
            self._publish(name, np.concatenate((column, added)))
        return rows[which]

    def put(self, name: str, ids: Ids, values: Any) -> None:
        """Write values into a column."""
        column = self._columns[name].copy()
        column[ids] = values
        column[0] = 0
        self._publish(name, column)

    def _publish(self, name: str, column: NDArray[Any]) -> None:
        column.flags.writeable = False
        self._columns[name] = column

    def compact(self, used: NDArray[np.bool_]) -> Ids:
        """Drop the rows that are not used; return for each row where it is now, 0 where it is gone."""
        kept = used.copy()
        kept[0] = True
        mapping: Ids = np.where(kept, np.cumsum(kept, dtype=np.int32) - 1, 0).astype(np.int32)
        for name, column in self._columns.items():
            self._publish(name, column[kept])
        stays = kept[self._ids]
        self._keys, self._ids = self._keys[stays], mapping[self._ids[stays]]
        return mapping


def _keys(addresses: Pairs) -> NDArray[np.uint64]:
    """Mix the halves of each address into one number."""
    keys = addresses[:, 1] * _SECRET[0]
    keys ^= keys >> np.uint64(29)
    keys ^= addresses[:, 0]
    keys *= _SECRET[1]
    keys ^= keys >> np.uint64(32)
    return keys
