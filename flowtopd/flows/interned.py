"""Records with ids: equal ones are kept once, and found by a small integer. Id 0 is the unknown."""

from collections.abc import Hashable, Iterable, Sequence
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

T = TypeVar("T", bound=Hashable)


class Interned(Generic[T]):
    """A list of different values that only grows, but for `compact`."""

    def __init__(self, unknown: T) -> None:
        self._values = [unknown]
        self._ids = {unknown: 0}

    @property
    def values(self) -> Sequence[T]:
        """All values by id. It may grow; what it holds never changes."""
        return self._values

    def id(self, value: T) -> int:
        """Return the id of this value, a new one if need be."""
        known = self._ids.get(value)
        if known is None:
            known = self._ids[value] = len(self._values)
            self._values.append(value)
        return known

    def ids(self, values: Iterable[T]) -> NDArray[np.int32]:
        """Return the ids of these values."""
        return np.fromiter(map(self.id, values), np.int32)

    def copy(self) -> "Interned[T]":
        """The same values under the same ids, for whoever goes on without this one."""
        made = Interned(self._values[0])
        for value in self._values[1:]:
            made.id(value)
        return made

    def compact(self, used: NDArray[np.int32]) -> NDArray[np.int32]:
        """Drop the values whose ids are not used; return for each id what it is now, 0 where it is gone.

        Sequences that were handed out stay as they are.
        """
        values, self._values, self._ids = self._values, self._values[:1], {self._values[0]: 0}
        mapping = np.zeros(len(values), np.int32)
        for number in np.unique(used).tolist():
            mapping[number] = self.id(values[number])
        return mapping
