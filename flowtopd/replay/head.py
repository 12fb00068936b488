"""Where in a recording we are: time passes, somebody pauses, seeks, changes the speed. Pure: no clock, no file.

times of the samples   0 ──── 1 ──── 2 ─────── 3 ──── 4
position                          ▲                        number 1; 2 is due in (times[2] - position) / speed
"""

import math
from bisect import bisect_right
from collections.abc import Sequence

from flowtopd.wire.messages import Replay, Seek


class Head:
    """The place that all viewers look at. `times` may become shorter at its end, where a break is found."""

    def __init__(self, times: Sequence[float], *, speed: float = 1.0, loop: bool = False) -> None:
        self._times = times
        self._loop = loop
        self._position_s = 0.0
        self._speed = speed
        self._paused = False
        self.jumps = 0

    @property
    def number(self) -> int:
        """The sample that is shown."""
        return max(0, bisect_right(self._times, self._position_s) - 1)

    @property
    def duration_s(self) -> float:
        """How long the recording is."""
        return self._times[-1] if self._times else 0.0

    @property
    def _end_s(self) -> float:
        """Where time stops, or begins anew: then the last sample is seen as long as the others."""
        between = self.duration_s / (len(self._times) - 1) if len(self._times) > 1 else 1.0
        return self.duration_s + (between if self._loop else 0.0)

    @property
    def is_still(self) -> bool:
        """Whether nothing comes unless somebody seeks."""
        return self._paused or self._position_s >= self._end_s

    @property
    def due_s(self) -> float:
        """In how many seconds something else is shown; infinite where that is never."""
        if self.is_still:
            return math.inf
        later = self.number + 1
        return ((self._times[later] if later < len(self._times) else self._end_s) - self._position_s) / self._speed

    def pass_by(self, seconds: float) -> None:
        """Go on, by so much time of those who look."""
        if not self._paused:
            self._position_s = min(self._position_s + seconds * self._speed, self._end_s)
        if self._loop and self._position_s >= self._end_s:
            self._position_s = 0.0
            self.jumps += 1

    def seek(self, wanted: Seek) -> None:
        """Do what a viewer wants."""
        if wanted.paused is not None:
            self._paused = wanted.paused
        if wanted.speed is not None:
            self._speed = wanted.speed
        if wanted.seconds or wanted.samples:
            number = bisect_right(self._times, self._within(self._position_s + wanted.seconds)) - 1 + wanted.samples
            self._position_s = self._within(self._position_s + wanted.seconds)
            if wanted.samples and self._times:
                self._position_s = self._times[min(max(0, number), len(self._times) - 1)]
        self.jumps += 1

    def _within(self, seconds: float) -> float:
        return min(max(0.0, seconds), self.duration_s)

    def replay(self, trouble: str) -> Replay:
        """Tell viewers about it."""
        return Replay(
            position=self._within(self._position_s),
            duration=self.duration_s,
            speed=self._speed,
            paused=self._paused,
            ended=not self._loop and self._position_s >= self.duration_s,
            trouble=trouble,
        )
