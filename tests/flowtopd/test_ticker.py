"""flowtopd.ticker: when ticks are taken, and what becomes of those that go wrong."""

import asyncio
import contextlib
import errno
import logging
import weakref
from collections.abc import Callable, Collection, Coroutine, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from flowtopd.collector import Collector
from flowtopd.flows.snapshot import Tick
from flowtopd.netlink.nlmsg import NetlinkError
from flowtopd.session.hub import Hub
from flowtopd.ticker import MISTAKES, Ticker
from tests.flowtopd.batches import Flow, tick

AN_HOUR = 3600.0


class Ticks(Collector):
    """Gives these, or raises them; the last one for ever. Keeps the account of what it was asked for."""

    def __init__(self, *outcomes: Tick | Exception) -> None:
        self._outcomes = list(outcomes)
        self.asked: list[str] = []

    def tick(self, mean_s: Collection[float] = (), watched: Collection[int] = ()) -> Tick:
        del mean_s, watched
        self.asked.append("tick")
        outcome = self._outcomes.pop(0) if len(self._outcomes) > 1 else self._outcomes[0]
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def forget(self) -> None:
        self.asked.append("forget")

    def rest(self) -> None:
        self.asked.append("rest")


class Looker:
    """Somebody who looks at each tick."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._woken = asyncio.Event()
        self._wake = self._woken.set

    @contextlib.contextmanager
    def looking(self, interval_s: float) -> Iterator[None]:
        self._woken.clear()
        self._hub.join(self._wake)
        self._hub.want(self._wake, interval_s)
        try:
            yield
        finally:
            self._hub.leave(self._wake)

    async def sees_one(self) -> None:
        async with asyncio.timeout(20):
            await self._woken.wait()
        self._woken.clear()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 (it is another thread that makes it true)
            await asyncio.sleep(0.001)


def ticking(collector: Ticks, scene: Callable[[Hub, "asyncio.Task[None]"], Coroutine[Any, Any, None]]) -> None:
    """Play a scene beside a ticker for whom nobody has come yet."""

    async def play() -> None:
        hub = Hub()
        with ThreadPoolExecutor(1) as thread:
            task = asyncio.ensure_future(  # noqa: TID251 (it ends below, and its errors are what is looked at)
                Ticker(hub, collector, thread).run()
            )
            try:
                await until(lambda: collector.asked == ["forget"])
                await scene(hub, task)
            finally:
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError, Exception):
                    await task

    asyncio.run(play())


def took(seconds: float) -> Tick:
    return replace(tick(Flow()), seconds=seconds)


def test_who_comes_when_all_have_left_sees_something_at_once() -> None:
    collector = Ticks(took(0.0))

    async def scene(hub: Hub, _task: "asyncio.Task[None]") -> None:
        looker = Looker(hub)
        for left in range(1, 4):
            with looker.looking(AN_HOUR):
                await looker.sees_one()
            await until(lambda: collector.asked.count("forget") > left)  # noqa: B023 (called here)

    ticking(collector, scene)
    assert collector.asked == ["forget", *("tick", "forget") * 3]


def test_but_who_comes_and_goes_costs_no_more_than_half_a_core() -> None:
    times_s: list[float] = []

    async def scene(hub: Hub, _task: "asyncio.Task[None]") -> None:
        looker = Looker(hub)
        for left in range(1, 3):
            with looker.looking(0.1):
                await looker.sees_one()
                times_s.append(asyncio.get_running_loop().time())
            await until(lambda: collector.asked.count("forget") > left)  # noqa: B023 (called here)

    # a tick of our collector takes no time, whatever it says: they are seen when they begin
    collector = Ticks(took(0.2))
    ticking(collector, scene)
    assert times_s[1] - times_s[0] >= 0.4 - 0.05


def test_who_stays_has_a_tick_as_often_as_wanted_and_no_more() -> None:
    collector = Ticks(took(0.0))

    async def scene(hub: Hub, _task: "asyncio.Task[None]") -> None:
        looker, other = Looker(hub), Looker(hub)
        with looker.looking(AN_HOUR):
            await looker.sees_one()
            with other.looking(0.01):
                await other.sees_one()
                await other.sees_one()
            seen = collector.asked.count("tick")
            await asyncio.sleep(0.05)
            assert collector.asked.count("tick") <= seen + 1

    ticking(collector, scene)


class Passing(Ticks):
    """Keeps nothing of the ticks that it gives, but knows whether anybody does."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: list[weakref.ref[Any]] = []

    def tick(self, mean_s: Collection[float] = (), watched: Collection[int] = ()) -> Tick:
        del mean_s, watched
        self.asked.append("tick")
        taken = took(0.0)
        self.kept.append(weakref.ref(taken.snapshot.columns["key"]))
        return taken


def test_nothing_is_held_of_a_tick_while_nobody_looks() -> None:
    collector = Passing()

    async def scene(hub: Hub, _task: "asyncio.Task[None]") -> None:
        looker = Looker(hub)
        with looker.looking(AN_HOUR):
            await looker.sees_one()
            assert [kept() is not None for kept in collector.kept] == [True]
        await until(lambda: collector.asked[-1] == "forget")
        assert [kept() for kept in collector.kept] == [None]

    ticking(collector, scene)


def records(caplog: pytest.LogCaptureFixture) -> Iterable[tuple[str, bool]]:
    return [(record.getMessage(), record.exc_info is not None) for record in caplog.records if record.levelno > 20]


def test_a_mistake_is_logged_once_with_its_traceback_and_the_table_is_begun_anew(
    caplog: pytest.LogCaptureFixture,
) -> None:
    mistake = IndexError("index 9 is out of bounds")
    collector = Ticks(mistake, mistake, took(0.0))

    async def scene(hub: Hub, task: "asyncio.Task[None]") -> None:
        looker = Looker(hub)
        with looker.looking(0.01):
            await looker.sees_one()
            assert not task.done()

    with caplog.at_level(logging.WARNING):
        ticking(collector, scene)
    assert collector.asked[:6] == ["forget", "tick", "forget", "tick", "forget", "tick"]
    assert records(caplog) == [("a tick went wrong; the table is begun anew", True)]


def test_after_too_many_in_a_row_the_daemon_ends_with_the_last_one() -> None:
    collector = Ticks(*(ValueError(number) for number in range(MISTAKES)))

    async def scene(hub: Hub, task: "asyncio.Task[None]") -> None:
        with Looker(hub).looking(0.01):
            await until(task.done)
        error = task.exception()
        assert isinstance(error, ValueError)
        assert error.args == (MISTAKES - 1,)

    ticking(collector, scene)
    assert collector.asked.count("tick") == MISTAKES


def test_mistakes_with_good_ticks_between_end_nothing() -> None:
    mistake = KeyError("gone")
    collector = Ticks(*(mistake, took(0.0)) * MISTAKES)

    async def scene(hub: Hub, task: "asyncio.Task[None]") -> None:
        with Looker(hub).looking(0.001):
            await until(lambda: collector.asked.count("tick") >= 2 * MISTAKES)
        assert not task.done()

    ticking(collector, scene)


def test_what_the_kernel_refuses_is_no_mistake_however_often(caplog: pytest.LogCaptureFixture) -> None:
    collector = Ticks(NetlinkError(errno.EPERM, "Operation not permitted"))

    async def scene(hub: Hub, task: "asyncio.Task[None]") -> None:
        with Looker(hub).looking(0.001):
            await until(lambda: collector.asked.count("tick") > MISTAKES)
        assert not task.done()

    with caplog.at_level(logging.WARNING):
        ticking(collector, scene)
    assert records(caplog) == [("cannot read the conntrack table: [Errno 1] Operation not permitted", False)]
