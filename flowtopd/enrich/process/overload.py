"""Whether events come faster than they can be read, and when to try again. Pure: the clock is passed in.

    handled, missed ─▶ windows of a second ─▶ bad: MISSED_RATE a second were missed, and more than a part MISSED of all
                                                │ WINDOWS bad ones in a row, or the one of a trial
                                                ▼
                                               too much

A burst is no overload: what it loses is healed by the next dump, and the events after it are worth having.
"""

from collections.abc import Callable
from typing import Final

WINDOW_S: Final = 1.0
WINDOWS: Final = 3
MISSED: Final = 0.25
MISSED_RATE: Final = 500.0
"""A second: fewer do not matter, whatever their part."""

PAUSES_S: Final = (5.0, 15.0)
"""Until the first trial, and the most between two: so long after a storm events are back at the latest."""

CALM_S: Final = 60.0
"""After so long a time of events the next pause is the shortest again."""


class Load:
    """Judges what becomes of events."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self.begin()

    def begin(self) -> None:
        """Know nothing: events begin now."""
        self._from_s = self._clock()
        self._handled = self._missed = self._bad = self._windows = 0

    def note(self, handled: int, missed: int) -> None:
        """Take note of what became of some events."""
        seconds = self._clock() - self._from_s
        if seconds >= WINDOW_S:
            # a turn may have taken long: its rate tells, not when it ended
            self._bad = self._bad + 1 if self._is_bad(seconds) else 0
            self._from_s, self._handled, self._missed = self._clock(), 0, 0
            self._windows += 1
        self._handled += handled
        self._missed += missed

    def _is_bad(self, seconds: float) -> bool:
        return self._missed > MISSED_RATE * seconds and self._missed > MISSED * (self._handled + self._missed)

    @property
    def is_too_much(self) -> bool:
        """Whether events come faster than they can be read, and have done so for some time."""
        return self._bad >= WINDOWS

    @property
    def is_tried(self) -> bool | None:
        """How a trial of one window went that has begun with `begin`: whether it went well; None while it lasts."""
        seconds = self._clock() - self._from_s
        if self._bad or self._is_bad(max(seconds, WINDOW_S)):
            return False
        return True if self._windows or seconds >= WINDOW_S else None


class Pauses:
    """How long to wait before the next trial: longer after each in a row."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._pause_s = 0.0
        self._well_since_s = clock()

    def well(self) -> None:
        """It works from now on."""
        self._well_since_s = self._clock()

    def next(self) -> float:
        """It does not work, or not any more. Return the pause."""
        shortest, longest = PAUSES_S
        calm = self._clock() - self._well_since_s >= CALM_S
        self._pause_s = shortest if calm else min(longest, max(shortest, self._pause_s * 2))
        self._well_since_s = self._clock()
        return self._pause_s
