"""Where ticks and viewers meet. Lives on the event loop; holds the newest tick, and knows who wants the next one.

    ticker ──publish──▶ Hub ──wakes──▶ sessions (each looks at `latest` when it has time: newest wins, no queues)
    sessions ──want────▶ Hub ──demand─▶ ticker

Nothing is collected for nobody: `demand` waits without a timer until some viewer wants ticks.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from flowtopd.flows.rate_history import RateHistory
from flowtopd.flows.snapshot import Tick
from flowtopd.query.results import Results


@dataclass(frozen=True, slots=True, eq=False)
class Published:
    """A tick, what viewers have asked about it so far, and the rates of the ticks up to it, and maybe beyond."""

    tick: Tick
    results: Results
    rates: RateHistory = field(default_factory=RateHistory)


class Hub:
    """The meeting place. One per daemon."""

    def __init__(self) -> None:
        self.latest: Published | None = None
        self.pace_s = 0.0
        self._rates = RateHistory()
        self._intervals: dict[Callable[[], None], float | None] = {}
        self._others: set[Callable[[], None]] = set()
        self._changed = asyncio.Event()

    @property
    def viewers(self) -> int:
        """How many viewers are connected."""
        return len(self._intervals) - len(self._others)

    @property
    def interval_s(self) -> float | None:
        """The shortest interval that any viewer wants, None when none does."""
        return min((interval for interval in self._intervals.values() if interval is not None), default=None)

    def join(self, wake: Callable[[], None], *, viewer: bool = True) -> None:
        """Add a viewer, known by the function that wakes it when there is a new tick. It wants nothing yet.

        Who wants ticks and is no `viewer` is not counted.
        """
        self._intervals[wake] = None
        if not viewer:
            self._others.add(wake)

    def want(self, wake: Callable[[], None], interval_s: float | None) -> None:
        """Note how often this viewer wants a tick; None: not at all for now."""
        if self._intervals[wake] != interval_s:
            self._intervals[wake] = interval_s
            self._changed.set()

    def leave(self, wake: Callable[[], None]) -> None:
        """Remove a viewer."""
        del self._intervals[wake]
        self._others.discard(wake)
        self._changed.set()

    def publish(self, tick: Tick, pace_s: float) -> None:
        """Make this the newest tick; `pace_s` seconds will pass until the next one."""
        self._rates.add(tick.snapshot)
        self.latest = Published(tick, Results(tick.snapshot), self._rates)
        self.pace_s = pace_s
        for wake in self._intervals:
            wake()

    def clear(self) -> None:
        """Drop the newest tick: it is too old to be shown to whoever comes next. What was before is dropped too."""
        self.latest = None
        self._rates.clear()

    def stir(self) -> None:
        """Have who waits in `changed` look again."""
        self._changed.set()

    async def changed(self) -> None:
        """Wait until viewers came, went, or want something else."""
        await self._changed.wait()
        self._changed.clear()
