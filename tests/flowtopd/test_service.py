"""flowtopd.service: what is told, how often, and when the daemon may leave. With a real Hub and made-up ticks."""

import asyncio
import functools
import logging
from collections.abc import Callable, Coroutine
from types import SimpleNamespace
from typing import Any, cast

import pytest

from flowtopd.flows.snapshot import Tick
from flowtopd.service import Idle, Status, watchdog
from flowtopd.session.hub import Hub, Published
from flowtopd.system.journal import Event


def published(flows: int, lost: int = 0) -> Published:
    tick = SimpleNamespace(snapshot=SimpleNamespace(size=flows), events_lost=lost)
    return cast("Published", SimpleNamespace(tick=cast("Tick", tick)))


def wake() -> None:
    pass


def on_a_loop(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    @functools.wraps(test)
    def run(*arguments: Any, **named: Any) -> None:
        asyncio.run(test(*arguments, **named))

    return run


@on_a_loop
async def test_the_status_is_told_when_it_changes_and_not_oftener_than_it_may() -> None:
    hub, said, second = Hub(), list[str](), asyncio.Event()

    def notify(state: str) -> None:
        said.append(state)
        if len(said) == 2:
            second.set()

    status = Status(hub, notify)
    status.changed()
    status.changed()
    assert said == ["STATUS=idle, nobody looks"]
    hub.join(wake)
    hub.latest = published(812)
    for _ in range(100):
        status.changed()
    assert len(said) == 1
    async with asyncio.timeout(10):
        await second.wait()
    assert said[1] == "STATUS=812 flows, 1 viewer"
    status.close()


@on_a_loop
async def test_lost_events_are_logged_once_in_a_while(caplog: pytest.LogCaptureFixture) -> None:
    hub = Hub()
    status = Status(hub, None)
    with caplog.at_level(logging.WARNING):
        for lost in (0, 3, 5, 9):
            hub.latest = published(1, lost)
            status.changed()
    (record,) = caplog.records
    assert vars(record)["flowtop_event"] is Event.EVENTS_LOST
    assert vars(record)["flowtop_lost"] == 3


async def pings(busy_s: float) -> int:
    said: list[str] = []
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.5):
            await watchdog(0.03, lambda: busy_s, said.append)
    assert set(said) <= {"WATCHDOG=1"}
    return len(said)


@on_a_loop
async def test_a_collector_that_hangs_stops_the_signs_of_life() -> None:
    assert await pings(0.0) > 3
    assert await pings(0.01) > 3
    assert await pings(0.015) == 0


async def idle(hub: Hub, after_s: float, *, busy: bool = False) -> bool:
    """Whether it would leave within a moment."""
    one = Idle(hub, lambda: after_s, lambda: busy)
    hub.watch(one.changed)
    try:
        async with asyncio.timeout(0.3):
            await one.wait()
    except TimeoutError:
        return False
    return True


@on_a_loop
async def test_it_leaves_when_nobody_looks_for_long_enough() -> None:
    assert await idle(Hub(), 0.01)
    assert not await idle(Hub(), 0)  # never
    assert not await idle(Hub(), 5)
    assert not await idle(Hub(), 0.01, busy=True)
    assert not await idle(Hub(background_s=10.0), 0.01)  # it works without viewers


@on_a_loop
async def test_a_viewer_keeps_it_and_its_leaving_lets_it_go() -> None:
    hub = Hub()
    hub.join(wake)
    one = Idle(hub, lambda: 0.01, lambda: False)
    hub.watch(one.changed)
    async with asyncio.timeout(5), asyncio.TaskGroup() as tasks:
        waiting = tasks.create_task(one.wait())
        done, _ = await asyncio.wait([waiting], timeout=0.2)
        assert not done
        hub.leave(wake)
