"""What was learnt about names, and for how long it stands.

    a name       an hour: few change, and who watches for a day should see it
    no name      five minutes: most addresses without one never get one, but a new device or zone should show soon
    no answer    ten seconds, then twice as long each time up to five minutes: it may have been a lost packet, or a zone
                 whose servers are broken for good

The resolver does not tell how long a record is good for. What was learnt longest ago is the first to be forgotten when
there is too much. A name that is too old is not told any more, until it was asked for again.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from flowtopd.enrich.rdns.hostname import Address

FOUND_S: Final = 3600.0
NONE_S: Final = 300.0
FAILED_S: Final = (10.0, 300.0)


class Unknown(Enum):
    """Why nothing can be said about a name. That there is none can be said: None."""

    UNASKED = auto()
    """Never asked for, or too long ago."""
    FAILED = auto()
    """Asked for in vain; too early to ask again."""


Answer = str | Unknown | None


@dataclass(frozen=True, slots=True)
class _Entry:
    """`waited_s`: for how long the last failures in a row stand, 0 after an answer."""

    answer: Answer
    until_s: float
    waited_s: float


class Known:
    """For one thread at a time."""

    def __init__(self, limit: int, clock: Callable[[], float]) -> None:
        self._limit = limit
        self._clock = clock
        self._entries: OrderedDict[Address, _Entry] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def recall(self, address: Address) -> Answer:
        """What is known now."""
        entry = self._entries.get(address)
        return entry.answer if entry is not None and self._clock() < entry.until_s else Unknown.UNASKED

    def learn(self, address: Address, answer: Answer) -> None:
        """Keep what the resolver said, or that it failed."""
        before = self._entries.pop(address, None)
        waits_s = 0.0
        if isinstance(answer, Unknown):
            shortest, longest = FAILED_S
            waits_s = min(longest, max(shortest, before.waited_s * 2 if before else 0.0))
        stands_s = waits_s or (NONE_S if answer is None else FOUND_S)
        self._entries[address] = _Entry(answer, self._clock() + stands_s, waits_s)
        if len(self._entries) > self._limit:
            self._entries.popitem(last=False)

    def forget(self) -> None:
        """Know nothing."""
        self._entries.clear()
