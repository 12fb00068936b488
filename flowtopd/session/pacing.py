"""How fast a viewer may talk: a bucket of tokens. Pure; the clock is passed in.

    RATE tokens a second ─▶ [ up to BURST ] ─▶ one a message; who has none left waits

A key that is held down repeats 30 to 60 times a second, and each may be a query: nobody who types ever waits.
"""

from collections.abc import Callable
from typing import Final

RATE: Final = 100.0
BURST: Final = 200.0


class Bucket:
    """The tokens of one viewer."""

    def __init__(self, clock: Callable[[], float], rate: float = RATE, burst: float = BURST) -> None:
        self._clock = clock
        self._rate = rate
        self._burst = burst
        self._tokens = burst
        self._at_s = clock()

    def take(self) -> float:
        """Take a token for a message; return how many seconds to wait before the next one is read."""
        now_s = self._clock()
        self._tokens = min(self._burst, self._tokens + (now_s - self._at_s) * self._rate)
        self._at_s = now_s
        self._tokens -= 1
        return max(0.0, -self._tokens / self._rate)
