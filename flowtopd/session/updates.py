"""The update of the GeoIP databases that viewers ask for: one at a time, in a thread, heard by all who asked.

    session ── join ──▶ Updates ── thread ──▶ the job, which blocks
            ◀─ Progress ─┘ ◀── call_soon_threadsafe ──┘

Rules: who asks while one runs hears how it goes on. It goes on when they leave. It never keeps the daemon from
ending: `close` cancels it. Its thread takes no signal that is meant for the main one.
"""

import asyncio
import contextlib
import logging
import signal
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Protocol, Self

from flowtopd.wire.messages import Progress

Tell = Callable[[Progress], None]

log = logging.getLogger(__name__)


class Job(Protocol):
    """An update: `run` blocks until it has told a Progress that has `ended`, `cancel` makes that happen soon."""

    def run(self) -> bool:
        """Do it."""

    def cancel(self) -> None:
        """End it."""


class Updates:
    """The one update, if there is one, and who listens. Lives on the event loop."""

    def __init__(self, make: Callable[[Tell], Job]) -> None:
        self._make = make
        self._job: Job | None = None
        self._thread: threading.Thread | None = None
        self._listeners: list[Tell] = []
        self._newest: Progress | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def running(self) -> bool:
        """Whether there is one."""
        return self._job is not None

    def join(self, listener: Tell) -> None:
        """Hear of the update that runs, or else of a new one, until it has ended."""
        if listener in self._listeners:
            return
        self._listeners.append(listener)
        if self._job is None:
            self._start()
        elif self._newest is not None:
            listener(self._newest)

    def leave(self, listener: Tell) -> None:
        """Hear no more."""
        with contextlib.suppress(ValueError):
            self._listeners.remove(listener)

    def close(self) -> None:
        """End what runs."""
        if self._job is not None:
            self._job.cancel()
        if self._thread is not None:
            self._thread.join()
        self._job = self._thread = None
        self._listeners.clear()

    def _start(self) -> None:
        loop = asyncio.get_running_loop()

        def tell(progress: Progress) -> None:
            loop.call_soon_threadsafe(self._heard, progress)

        self._newest = None
        self._job = self._make(tell)
        self._thread = threading.Thread(target=_run, args=(self._job, tell), name="update")
        self._thread.start()

    def _heard(self, progress: Progress) -> None:
        if progress.text:
            log.log(logging.INFO if progress.good else logging.WARNING, "GeoIP update: %s", progress.text)
        self._newest = progress
        for listener in tuple(self._listeners):
            listener(progress)
        if progress.ended is not None:
            self._job = None
            self._listeners.clear()


def _run(job: Job, tell: Tell) -> None:
    """In the thread. These signals are the main thread's, also in the moments when that one blocks them."""
    signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGTERM, signal.SIGINT))
    try:
        job.run()
    except Exception:  # a mistake of ours must not leave viewers waiting for an end
        log.exception("GeoIP update failed")
        tell(Progress(text="the update failed; the daemon's log says more", good=False))
        tell(Progress(good=False, ended=False))
