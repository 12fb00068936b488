"""A hub that shows one user nothing but their own flows: what a viewer outside of the group gets in place of `Hub`.

    Hub.latest ─▶ flows.own ─▶ OwnHub.latest     once for each user and tick, shared by all viewers of the user

Rules: a session of an outsider holds this and no other hub, so that nothing it does can see more. What a status says of
everybody's flows is left out: the size and the limit of the table, resets, lost events, how long a tick took, other
users' viewers. The history begins when the first viewer of the user comes, and goes with the last one: there are never
more of these than viewers.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import replace

from flowtopd.flows.history import SAMPLES, sample
from flowtopd.flows.own import own
from flowtopd.flows.snapshot import Sample
from flowtopd.query.results import Results
from flowtopd.session.hub import Hub, Published


class OwnHub:
    """The hub of one user."""

    def __init__(self, hub: Hub, uid: int) -> None:
        self._hub = hub
        self._uid = uid
        self._viewers = 0
        self._of: Published | None = None
        self._latest: Published | None = None
        self._history: deque[Sample] = deque(maxlen=SAMPLES)

    @property
    def latest(self) -> Published | None:
        """The newest tick, as this user may see it."""
        newest = self._hub.latest
        if newest is None:
            self._history.clear()
            self._of = self._latest = None
        elif newest is not self._of:
            self._of, self._latest = newest, self._cut(newest)
        return self._latest

    def _cut(self, newest: Published) -> Published:
        tick = newest.tick
        snapshot = own(tick.snapshot, self._uid)
        moved = None if tick.sample is None else sample(snapshot)
        if moved is not None:
            self._history.append(moved)
        tick = replace(
            tick,
            snapshot=snapshot,
            kernel=replace(tick.kernel, max=None),
            seconds=self._hub.pace_s / 2,  # no longer than this, which everybody sees by how often ticks come
            events_lost=0,
            events=None,  # a storm of others' flows is theirs
            sample=moved,
        )
        return Published(tick, Results(snapshot), newest.rates, tuple(self._history))

    @property
    def pace_s(self) -> float:
        """How many seconds pass until the next tick."""
        return self._hub.pace_s

    @property
    def viewers(self) -> int:
        """How many viewers of this user are connected."""
        return self._viewers

    def join(self, wake: Callable[[], None]) -> None:
        """Add a viewer, as `Hub.join`."""
        self._hub.join(wake)
        self._viewers += 1

    def want(
        self, wake: Callable[[], None], interval_s: float | None, mean_s: float = 0.0, watched: int | None = None
    ) -> None:
        """Note what this viewer wants, as `Hub.want`."""
        self._hub.want(wake, interval_s, mean_s, watched)

    def leave(self, wake: Callable[[], None]) -> None:
        """Remove a viewer."""
        self._hub.leave(wake)
        self._viewers -= 1
