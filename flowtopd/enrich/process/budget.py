"""Lets a share of the time be spent, with some saved up for bursts. Pure: the clock is passed in.

             ┌ spend ┐
burst_s ─────┘       └─ rest_s: until nothing is owed ─ saved up again, `share` of a second a second ─▶ burst_s
"""

from collections.abc import Callable


class Budget:
    """What may be spent, in seconds of work or of anything else that is counted as such."""

    def __init__(self, share: float, burst_s: float, clock: Callable[[], float]) -> None:
        self._share = share
        self._burst_s = burst_s
        self._clock = clock
        self._left_s = burst_s
        self._at_s = clock()

    def spend(self, seconds: float) -> None:
        """Take note of work that was done."""
        now = self._clock()
        self._left_s = min(self._burst_s, self._left_s + (now - self._at_s) * self._share) - seconds
        self._at_s = now

    def rest_s(self) -> float:
        """How long to do nothing, so that the share is kept."""
        self.spend(0.0)
        return max(0.0, -self._left_s / self._share)
