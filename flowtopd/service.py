"""How the daemon is, for the service manager: status, signs of life, and when it may leave.

    Hub ── changed ──▶ Status    STATUS=812 flows, 2 viewers         when that has changed
                       watchdog  WATCHDOG=1                          while the collector gets on with its work
                       idle      the daemon ends                     when nobody has looked for long enough

Rules: nothing here wakes an idle daemon but the watchdog, and that only where the service manager wants signs of life.
A collector that hangs gives none, so that the daemon is started anew. A daemon that nobody would start again, because
no socket unit listens for it, does not leave.
"""

import asyncio
import contextlib
import logging
import math
from collections.abc import Callable
from typing import Final

from flowtopd.session.hub import Hub
from flowtopd.system.journal import Event

STATUS_S: Final = 2.0
"""At least so long between two of our messages about how many flows and viewers there are."""

LOST_S: Final = 60.0
"""At least so long between two lines about lost events."""

log = logging.getLogger(__name__)

Notify = Callable[[str], object]


class Status:
    """Tells how many flows and viewers there are, and logs lost events.

    `changed` is called whenever the hub has changed. Without `notify` nobody is told.
    """

    def __init__(self, hub: Hub, notify: Notify | None) -> None:
        self._hub = hub
        self._notify = notify
        self._told = ""
        self._told_s = -math.inf
        self._timer: asyncio.TimerHandle | None = None
        self._lost = 0
        self._lost_s = -math.inf

    def changed(self) -> None:
        """Tell what is new, now or when it is time."""
        self._look_for_losses()
        if self._notify is None or self._timer is not None:
            return
        loop = asyncio.get_running_loop()
        wait_s = self._told_s + STATUS_S - loop.time()
        if self.text == self._told:
            return
        if wait_s <= 0:
            self._tell()
        else:
            self._timer = loop.call_later(wait_s, self._tell)

    def close(self) -> None:
        """Tell no more."""
        if self._timer is not None:
            self._timer.cancel()
        self._notify = None

    @property
    def text(self) -> str:
        """The status in words."""
        viewers, latest = self._hub.viewers, self._hub.latest
        looking = f"{viewers} viewer{'' if viewers == 1 else 's'}"
        if latest is None:
            return "idle, nobody looks" if not viewers else looking
        return f"{latest.tick.snapshot.size} flows, {looking}"

    def _tell(self) -> None:
        self._timer = None
        text = self.text
        if self._notify is not None and text != self._told:
            self._told, self._told_s = text, asyncio.get_running_loop().time()
            self._notify(f"STATUS={text}")

    def _look_for_losses(self) -> None:
        latest = self._hub.latest
        if latest is None or latest.tick.events_lost <= self._lost:
            return
        now = asyncio.get_running_loop().time()
        if now - self._lost_s >= LOST_S:
            lost, self._lost, self._lost_s = latest.tick.events_lost, latest.tick.events_lost, now
            log.warning(
                "the kernel dropped events of flows, %d times since the start; the next tick made good for it",
                lost,
                extra={"flowtop_event": Event.EVENTS_LOST, "flowtop_lost": lost},
            )


async def watchdog(limit_s: float, busy_s: Callable[[], float], notify: Notify) -> None:
    """Give signs of life, as long as the work that is under way has not taken half of `limit_s`."""
    while True:
        if busy_s() < limit_s / 2:
            notify("WATCHDOG=1")
        await asyncio.sleep(limit_s / 3)


class Idle:
    """Knows when nobody has looked for so long that the daemon may leave.

    `after_s` is asked each time and 0 is never; `busy` tells of work that goes on without viewers.
    """

    def __init__(self, hub: Hub, after_s: Callable[[], float], busy: Callable[[], bool]) -> None:
        self._hub = hub
        self._after_s = after_s
        self._busy = busy
        self._event = asyncio.Event()

    def changed(self) -> None:
        """Look again: viewers came or went, or the configuration is another."""
        self._event.set()

    async def wait(self) -> None:
        """Wait until it may leave; without a timer while somebody looks, or where it never may."""
        while True:
            self._event.clear()
            with contextlib.suppress(TimeoutError):
                after_s = self._after_s() if self._nobody else 0.0
                async with asyncio.timeout(after_s or None):
                    await self._event.wait()
                continue
            if self._nobody and not self._busy():
                return

    @property
    def _nobody(self) -> bool:
        return not self._hub.viewers and self._hub.interval_s is None
