"""Where ticks and viewers meet. Lives on the event loop; holds the newest tick, and knows who wants the next one.

    ticker ──publish──▶ Hub ──wakes──▶ sessions (each looks at `latest` when it has time: newest wins, no queues)
    sessions ──want────▶ Hub ──demand─▶ ticker

Nothing is collected for nobody: `demand` waits without a timer until some viewer wants ticks; but with a `background_s`
there is a tick that often in any case.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from flowtopd.flows.history import SAMPLES
from flowtopd.flows.rate_history import RateHistory
from flowtopd.flows.snapshot import Sample, Tick
from flowtopd.query.results import Results


@dataclass(frozen=True, slots=True, eq=False)
class Published:
    """A tick, what viewers have asked about it so far, and the rates of the ticks up to it, and maybe beyond.

    `history`: the samples up to it, the oldest first.
    """

    tick: Tick
    results: Results
    rates: RateHistory = field(default_factory=RateHistory)
    history: tuple[Sample, ...] = ()


class Hub:
    """The meeting place. One per daemon."""

    def __init__(self, background_s: float | None = None) -> None:
        self.latest: Published | None = None
        self.pace_s = 0.0
        self.background_s = background_s
        self._watching: Callable[[], None] | None = None
        self._rates = RateHistory()
        self._intervals: dict[Callable[[], None], float | None] = {}
        self._others: set[Callable[[], None]] = set()
        self._means: dict[Callable[[], None], float] = {}
        self._watched: dict[Callable[[], None], int | None] = {}
        self._history: deque[Sample] = deque(maxlen=SAMPLES)
        self._changed = asyncio.Event()

    @property
    def viewers(self) -> int:
        """How many viewers are connected."""
        return len(self._intervals) - len(self._others)

    @property
    def interval_s(self) -> float | None:
        """The shortest interval that is wanted, None when nobody wants ticks."""
        wanted = (self.background_s, *self._intervals.values())
        return min((interval for interval in wanted if interval is not None), default=None)

    @property
    def mean_s(self) -> frozenset[float]:
        """The times over which viewers want means of rates."""
        return frozenset(mean_s for mean_s in self._means.values() if mean_s)

    @property
    def watched(self) -> frozenset[int]:
        """The keys of the flows whose details viewers have open."""
        return frozenset(key for key in self._watched.values() if key is not None)

    def watch(self, watching: Callable[[], None]) -> None:
        """Have this called whenever a tick, a viewer, or what one wants is new."""
        self._watching = watching

    def _tell(self) -> None:
        if self._watching is not None:
            self._watching()

    def join(self, wake: Callable[[], None], *, viewer: bool = True) -> None:
        """Add a viewer, known by the function that wakes it when there is a new tick. It wants nothing yet.

        Who wants ticks and is no `viewer` is not counted.
        """
        self._intervals[wake] = None
        if not viewer:
            self._others.add(wake)
        self._tell()

    def want(
        self, wake: Callable[[], None], interval_s: float | None, mean_s: float = 0.0, watched: int | None = None
    ) -> None:
        """Note how often this viewer wants a tick, None: not at all for now.

        And means over how long, 0: none; and the key of the flow whose details it has open.
        """
        self._means[wake] = mean_s
        self._watched[wake] = watched
        if self._intervals[wake] != interval_s:
            self._intervals[wake] = interval_s
            self._changed.set()
            self._tell()

    def leave(self, wake: Callable[[], None]) -> None:
        """Remove a viewer."""
        del self._intervals[wake]
        self._others.discard(wake)
        self._means.pop(wake, None)
        self._watched.pop(wake, None)
        self._changed.set()
        self._tell()

    def publish(self, tick: Tick, pace_s: float) -> None:
        """Make this the newest tick; `pace_s` seconds will pass until the next one."""
        self._rates.add(tick.snapshot)
        if tick.sample is not None:
            self._history.append(tick.sample)
        self.latest = Published(tick, Results(tick.snapshot), self._rates, tuple(self._history))
        self.pace_s = pace_s
        for wake in self._intervals:
            wake()
        self._tell()

    def clear(self) -> None:
        """Drop the newest tick and the history: they are too old to be shown to whoever comes next."""
        self.latest = None
        self._rates.clear()
        self._history.clear()
        self._tell()

    def stir(self) -> None:
        """Have who waits in `changed` look again."""
        self._changed.set()

    async def changed(self) -> None:
        """Wait until viewers came, went, or want something else."""
        await self._changed.wait()
        self._changed.clear()
