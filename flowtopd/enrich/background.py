"""One thread for what a tick must not wait for: jobs in, their results out, in their order.

A job that fails is logged, and has no result. The thread waits without a timer, and goes with the process.
"""

import logging
import signal
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Final, TypeVar

log = logging.getLogger(__name__)

_MOST_JOBS: Final = 64

T = TypeVar("T")


class Background:
    """Takes jobs from one thread, and gives that thread their results."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, "enrich", initializer=_without_signals)
        self._waiting: deque[Future[Any]] = deque()

    @property
    def busy(self) -> bool:
        """Whether results are still to be taken."""
        return bool(self._waiting)

    @property
    def full(self) -> bool:
        """Whether there is no room for another job."""
        return len(self._waiting) >= _MOST_JOBS

    def do(self, job: Callable[[], Any]) -> None:
        """Have this done after what waits."""
        self._waiting.append(self._thread.submit(job))

    def now(self, job: Callable[[], T]) -> T:
        """Have this done and wait for its result."""
        return self._thread.submit(job).result()

    def take(self) -> Iterator[Any]:
        """Yield the results that are there."""
        while self._waiting and self._waiting[0].done():
            done = self._waiting.popleft()
            if (error := done.exception()) is not None:
                log.error("a lookup failed", exc_info=error)
            else:
                yield done.result()

    def forget(self) -> None:
        """Drop what waits and every result."""
        for job in self._waiting:
            job.cancel()
        self._waiting.clear()

    def close(self) -> None:
        """End the thread after the job that runs."""
        self.forget()
        self._thread.shutdown()


def _without_signals() -> None:
    """Signals are the main thread's, also in the moments when that one blocks them."""
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
