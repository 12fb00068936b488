"""When ticks are taken: at the pace that viewers want, and no oftener than the machine can bear.

    Hub.interval_s ─▶ Ticker ─▶ Collector.tick, in its thread ─▶ Hub.publish

Rules: without demand there is no timer, and the table is forgotten. A tick that takes over half the interval stretches
the pace to twice its length; the first one after the table was forgotten waits for that alone, and not for the
interval, so that who comes sees something at once, and who comes and goes without end costs half a core at most.

What keeps the table from being read is logged once, not at every tick. A mistake of ours in a tick is logged with where
it was made, once, and the table is begun anew: with others in it the next tick may go well. After MISTAKES in a row the
daemon ends, to be started again.
"""

import asyncio
import contextlib
import logging
import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, TypeVar

from flowtopd.collector import Collector
from flowtopd.netlink.nlmsg import MalformedMessage, NetlinkError
from flowtopd.session.hub import Hub

T = TypeVar("T")

MISTAKES: Final = 5
"""Ticks in a row that may go wrong in a way that nobody has foreseen."""

log = logging.getLogger(__name__)


class Ticker:
    """Takes ticks at the pace that viewers want, in a thread, and stretches when one takes over half the interval."""

    def __init__(self, hub: Hub, collector: Collector, thread: ThreadPoolExecutor) -> None:
        self._hub = hub
        self._collector = collector
        self._thread = thread
        self._started_s = -math.inf
        self._took_s = 0.0
        self._forgotten = False
        self._complaint = ""
        self._mistakes = 0
        self._busy_from_s = math.inf

    @property
    def busy_s(self) -> float:
        """For how long the collector has been at what it does now, 0 while it waits."""
        return max(0.0, asyncio.get_running_loop().time() - self._busy_from_s)

    async def _in_thread(self, work: Callable[..., T], *arguments: Any) -> T:
        loop = asyncio.get_running_loop()
        self._busy_from_s = loop.time()
        try:
            return await loop.run_in_executor(self._thread, work, *arguments)
        finally:
            self._busy_from_s = math.inf

    async def run(self) -> None:
        """Tick until cancelled, or until nothing but mistakes comes of it: the last of them is raised."""
        loop = asyncio.get_running_loop()
        while True:
            await self._until_due()
            self._started_s = loop.time()
            self._forgotten = False
            try:
                tick = await self._in_thread(self._collector.tick, self._hub.mean_s, self._hub.watched)
            except (NetlinkError, MalformedMessage) as error:
                if self._complaint != str(error):  # said once, not every tick
                    log.error("cannot read the conntrack table: %s", error)  # noqa: TRY400 (one line, no traceback)
                self._complaint = str(error)
                self._took_s = loop.time() - self._started_s
            except Exception as error:  # noqa: BLE001  # it is logged, and raised when it goes on
                await self._begin_anew(error)
                self._took_s = loop.time() - self._started_s
            else:
                self._complaint = ""
                self._mistakes = 0
                self._took_s = tick.seconds
                self._hub.publish(tick, self._pace(self._hub.interval_s or 0.0))
                del tick  # whoever waits here next may wait for days

    async def _begin_anew(self, error: Exception) -> None:
        """Forget the table of which nobody knows what a mistake has left; raise the mistake if it is one too many."""
        self._mistakes += 1
        if self._mistakes >= MISTAKES:
            raise error
        if self._complaint != repr(error):
            log.error("a tick went wrong; the table is begun anew", exc_info=error)
        self._complaint = repr(error)
        await self._in_thread(self._collector.forget)

    def _pace(self, interval_s: float) -> float:
        return max(interval_s, 2 * self._took_s)

    async def _until_due(self) -> None:
        """Wait for the next tick; without any timer, and with the table forgotten, while nobody wants one."""
        loop = asyncio.get_running_loop()
        while True:
            interval_s = self._hub.interval_s
            if interval_s is None:
                if self._hub.viewers:
                    await self._in_thread(self._collector.rest)
                else:
                    self._hub.clear()
                    await self._in_thread(self._collector.forget)
                    self._forgotten = True
                await self._hub.changed()
                continue
            wait_s = self._started_s + self._pace(0.0 if self._forgotten else interval_s) - loop.time()
            if wait_s <= 0:
                return
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await self._hub.changed()
