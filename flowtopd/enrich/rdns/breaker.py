"""Keeps away from a resolver that does not answer.

    closed   lookups begin at once
      │ as many hung in a row as there are threads
      ▼
    open     for a pause nothing is asked; then one lookup is tried. It hangs: again, for twice as long
      │ any lookup comes back
      ▼
    closed

A lookup *hung* when it failed after having kept a thread waiting. Failures that come at once (SERVFAIL, no route,
nobody listens) cost nothing and do not count: each is put off for its own address. Nor does a late answer count.
"""

from collections.abc import Callable
from typing import Final

HANG_S: Final = 0.5
"""A failure that took longer was a time-out; the shortest that a resolv.conf can ask for is a second."""


class Breaker:
    """For one thread at a time."""

    def __init__(self, most_hangs: int, pauses_s: tuple[float, float], clock: Callable[[], float]) -> None:
        self._most_hangs = most_hangs
        self._pauses_s = pauses_s
        self._clock = clock
        self._hangs = 0
        self._trying = False
        self._pause_s = 0.0
        self._until_s = 0.0

    @property
    def is_open(self) -> bool:
        """Whether the resolver is spared."""
        return self._hangs >= self._most_hangs

    def wait_s(self) -> float | None:
        """How long to wait before a lookup, 0 for not at all; None: until the one that is tried comes back."""
        if not self.is_open:
            return 0.0
        return None if self._trying else max(0.0, self._until_s - self._clock())

    def begin(self) -> bool:
        """A lookup begins. Return whether it is the one that is tried; `end` wants to know."""
        self._trying = self.is_open
        return self._trying

    def end(self, *, hung: bool, tried: bool) -> None:
        """A lookup came back, or hung."""
        if not hung:
            self._hangs, self._trying, self._pause_s = 0, False, 0.0
            return
        self._hangs += 1
        if tried or self._hangs == self._most_hangs:
            shortest, longest = self._pauses_s
            self._pause_s = min(longest, max(shortest, self._pause_s * 2))
            self._until_s = self._clock() + self._pause_s
            self._trying = False
