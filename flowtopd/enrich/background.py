"""One thread for what a tick must not wait for: jobs in, their results out, in their order.

    do(kind, job) ─▶ queue ─▶ thread ─▶ take: (kind, result), the result None where the job failed

A job that fails is logged. The thread waits without a timer. It may hang in one that asks the system for something that
does not answer: nobody waits for it for ever, and it does not keep the process from ending.
"""

import contextlib
import logging
import queue
import signal
import threading
from collections.abc import Callable, Iterator
from enum import Enum
from typing import Any, Final, TypeVar

log = logging.getLogger(__name__)

MOST_JOBS: Final = 64
PATIENCE_S: Final = 2.0
"""How long anybody waits for the thread."""

T = TypeVar("T")


class _Job:
    """What is to be done, and what came of it."""

    def __init__(self, kind: Enum | None, work: Callable[[], Any]) -> None:
        self.kind = kind
        self.result: Any = None
        self.done = threading.Event()
        self._work = work

    def run(self) -> None:
        try:
            self.result = self._work()
        except Exception:  # one that fails must not end all others
            log.exception("something could not be looked up")
        finally:
            self.done.set()


class Background:
    """Takes jobs from one thread, and gives that thread their results."""

    def __init__(self) -> None:
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._waiting: list[_Job] = []
        self._thread = threading.Thread(target=self._run, name="enrich", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        # signals are the main thread's, also in the moments when that one blocks them
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        while (job := self._jobs.get()) is not None:
            job.run()

    @property
    def full(self) -> bool:
        """Whether there is no room for another job."""
        return len(self._waiting) >= MOST_JOBS

    def has(self, kind: Enum) -> bool:
        """Whether a job of this kind has not been taken yet."""
        return any(job.kind is kind for job in self._waiting)

    def do(self, kind: Enum, work: Callable[[], Any]) -> None:
        """Have this done after what waits."""
        job = _Job(kind, work)
        self._waiting.append(job)
        self._jobs.put(job)

    def now(self, work: Callable[[], T]) -> T | None:
        """Have this done and wait for its result, but not for long; None where it failed or takes longer."""
        if self._jobs.qsize() >= MOST_JOBS:
            return None
        job = _Job(None, work)
        self._jobs.put(job)
        job.done.wait(PATIENCE_S)
        result: T | None = job.result
        return result

    def take(self) -> Iterator[tuple[Enum | None, Any]]:
        """Yield kind and result of the jobs that are done."""
        while self._waiting and self._waiting[0].done.is_set():
            job = self._waiting.pop(0)
            yield job.kind, job.result

    def forget(self) -> None:
        """Drop what has not begun, and every result."""
        self._waiting.clear()
        with contextlib.suppress(queue.Empty):
            while True:
                self._jobs.get_nowait()

    def close(self) -> None:
        """End the thread after the jobs that wait; leave it behind where that takes too long."""
        self._waiting.clear()
        self._jobs.put(None)
        self._thread.join(PATIENCE_S)
