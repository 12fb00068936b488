"""Finds rows by key: an open hash table of one probe, in numpy, with a sorted remainder for what collides.

    slots   ┌──┬──┬──┬──┬──┐   a key's low bits name its slot, the slot holds a row; at eight slots a row about
            │ 7│  │ 2│ 0│  │   6 % of the rows find theirs taken and stand in the remainder, sorted by key
            └──┴──┴──┴──┴──┘

Sorting all keys and searching them costs three times as much at 100 000 rows.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

Keys = NDArray[np.uint64]
Rows = NDArray[np.intp]

SLOTS_A_ROW: Final = 8


class KeyIndex:
    """An index over the keys of a snapshot, made once and never changed."""

    def __init__(self, keys: Keys) -> None:
        bits = max(8, (len(keys) * SLOTS_A_ROW - 1).bit_length())
        self._keys = keys
        self._mask = np.uint64((1 << bits) - 1)
        self._slots = np.zeros(1 << bits, np.int32)
        rows = np.arange(len(keys), dtype=np.int32)
        slots = (keys & self._mask).astype(np.intp)
        self._slots[slots] = rows
        winners = self._slots[slots]
        losers = np.flatnonzero(winners != rows)
        self._doubled = bool((keys[winners[losers]] == keys[losers]).any())
        self._rest = losers[np.argsort(keys[losers])]
        self._rest_keys = keys[self._rest]
        self._doubled |= bool((self._rest_keys[1:] == self._rest_keys[:-1]).any())

    @property
    def has_duplicates(self) -> bool:
        """Whether two rows have the same key."""
        return self._doubled

    def find(self, wanted: Keys) -> Rows:
        """Return the row of every key in `wanted`, -1 where there is none."""
        if not len(self._keys):
            return np.full(len(wanted), -1, np.intp)
        rows = self._slots[(wanted & self._mask).astype(np.intp)].astype(np.intp)
        missed = np.flatnonzero(self._keys[rows] != wanted)
        rows[missed] = -1
        if len(missed) and len(self._rest):
            at = np.searchsorted(self._rest_keys, wanted[missed])
            at[at == len(self._rest)] = 0
            found = self._rest_keys[at] == wanted[missed]
            rows[missed[found]] = self._rest[at[found]]
        return rows
