"""Plays a recording to viewers, in place of a collector: the hub gets its ticks from a file.

    Head ── number ──▶ Reel.tick in the thread ─▶ Hub.publish        as fast as somebody looks and time passes
     ▲
     └── seek ── sessions

Rules: time passes only while somebody wants ticks, so that nobody misses the beginning. While it stands still, by a
pause or at the end, the same tick is shown again every STILL_S seconds: viewers know by it that the daemon is there.
"""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import Executor
from contextlib import suppress
from dataclasses import replace
from typing import Final

from flowtopd.flows.snapshot import Moment, Tick
from flowtopd.replay.head import Head
from flowtopd.replay.reel import Reel
from flowtopd.session.hub import Hub
from flowtopd.wire.errors import RecordingError
from flowtopd.wire.messages import Seek
from flowtopd.wire.recording import Recording

STILL_S: Final = 1.0

FASTEST_S: Final = 0.05
"""No more than so many seconds lie between two ticks; at high speed samples are left out."""

log = logging.getLogger(__name__)


class Player:
    """Lives on the event loop; what it reads is read in `thread`, which runs one thing at a time.

    Raises RecordingError where there is nothing to show.
    """

    def __init__(
        self, recording: Recording, hub: Hub, thread: Executor, *, speed: float = 1.0, loop: bool = False
    ) -> None:
        self._recording = recording
        self._hub = hub
        self._thread = thread
        self._reel = Reel(recording)
        self._head = Head(recording.times, speed=speed, loop=loop)
        self._shown: tuple[int, Tick] | None = None
        self._jumps = 0
        self._told = recording.trouble

    def seek(self, wanted: Seek) -> None:
        """Do what a viewer wants."""
        self._head.seek(wanted)
        self._hub.stir()

    async def run(self) -> None:
        """Play until cancelled."""
        clock = asyncio.get_running_loop().time
        shown_s = seen_s = clock()
        while True:
            if self._hub.interval_s is None:
                await self._hub.changed()
                seen_s = clock()
                continue
            now = clock()
            self._head.pass_by(now - seen_s)
            seen_s = now
            if self._is_new or (self._head.is_still and now - shown_s >= STILL_S):
                await self._show(clock)
                shown_s = now
            wait_s = min(self._head.due_s, STILL_S)
            with suppress(TimeoutError):
                async with asyncio.timeout(max(wait_s, FASTEST_S)):
                    await self._hub.changed()

    @property
    def _is_new(self) -> bool:
        return self._shown is None or self._shown[0] != self._head.number or self._jumps != self._head.jumps

    async def _show(self, clock: Callable[[], float]) -> None:
        """Publish what is at the head's place now; nothing where somebody goes elsewhere while it is read."""
        number, jumps = self._head.number, self._head.jumps
        if self._shown is None or self._shown[0] != number:
            loop = asyncio.get_running_loop()
            try:
                self._shown = await loop.run_in_executor(self._thread, self._reel.tick, number, clock())
            except RecordingError:  # the file is not what it was, and nothing is left: what was seen last stays
                self._shown = None if self._shown is None else (number, self._shown[1])
        if self._recording.trouble != self._told:
            self._told = self._recording.trouble
            log.warning("%s", self._told)
        if self._shown is not None and self._head.jumps == jumps:
            self._jumps = jumps
            self._hub.publish(self._tick(self._shown[1], clock()), min(self._head.due_s, STILL_S))

    def _tick(self, tick: Tick, now_s: float) -> Tick:
        snapshot = replace(tick.snapshot, at=Moment(tick.snapshot.at.wall_s, now_s))
        return replace(tick, snapshot=snapshot, replay=self._head.replay(self._recording.trouble), jumps=self._jumps)
