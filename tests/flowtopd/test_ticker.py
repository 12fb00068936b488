"""When ticks are taken: a hub of the real kind, a collector that only counts, and intervals that never end."""

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from types import SimpleNamespace
from typing import Any, cast

from flowtopd.collector import Collector
from flowtopd.session.hub import Hub
from flowtopd.ticker import Ticker

LONG_S = 3600.0


class Counting:
    """What `Collector` is to the ticker; a tick says that it took `took_s`."""

    def __init__(self, took_s: float) -> None:
        self._took_s = took_s
        self.done: list[str] = []

    def tick(self, _mean_s: frozenset[float]) -> Any:
        self.done.append("tick")
        return SimpleNamespace(seconds=self._took_s)

    def forget(self) -> None:
        self.done.append("forget")


class Waiting(Hub):
    """Publishes nothing, and counts how often the ticker has begun to wait."""

    waits = 0

    def publish(self, _tick: Any, _pace_s: float) -> None:
        """Nobody looks."""

    async def changed(self) -> None:
        self.waits += 1
        await super().changed()

    async def settled(self) -> None:
        """Until the ticker waits, after something has changed."""
        before = self.waits
        async with asyncio.timeout(10):
            while self.waits == before:  # noqa: ASYNC110  # it waits for the hub, which tells nobody
                await asyncio.sleep(0.001)


@asynccontextmanager
async def ticking(collector: Counting) -> AsyncIterator[Waiting]:
    with ThreadPoolExecutor(1) as thread:
        hub = Waiting()
        task = asyncio.get_running_loop().create_task(Ticker(hub, cast("Collector", collector), thread).run())
        await hub.settled()
        yield hub
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def come(hub: Waiting) -> Callable[[], None]:
    def viewer() -> None: ...

    hub.join(viewer)
    hub.want(viewer, LONG_S)
    await hub.settled()
    return viewer


async def go(hub: Waiting, viewer: Callable[[], None]) -> None:
    hub.leave(viewer)
    await hub.settled()


def collected(took_s: float, *, one_stays: bool) -> list[str]:
    """What is collected for a viewer who wants a tick an hour, and for another one who comes at once."""
    collector = Counting(took_s)

    async def visits() -> None:
        async with ticking(collector) as hub:
            first = await come(hub)
            if not one_stays:
                await go(hub, first)
            await come(hub)

    asyncio.run(visits())
    return collector.done


def test_who_comes_after_all_have_gone_waits_for_no_interval() -> None:
    assert collected(0.0, one_stays=False) == ["forget", "tick", "forget", "tick"]


def test_who_joins_others_waits_with_them() -> None:
    assert collected(0.0, one_stays=True) == ["forget", "tick"]


def test_what_the_machine_cannot_bear_is_waited_for_even_then() -> None:
    assert collected(LONG_S, one_stays=False) == ["forget", "tick", "forget"]
