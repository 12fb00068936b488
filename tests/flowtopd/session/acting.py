"""Acts on flows that go on when a test says, and those that nobody asks for."""

import threading
from dataclasses import dataclass, field

from flowtopd.flows.snapshot import Snapshot
from flowtopd.session.acts import Acts

WAIT_S = 10


def _never(_snapshot: Snapshot, _row: int) -> str:
    raise AssertionError


def no_acts() -> Acts:
    """For sessions in which nobody asks for one. It has no thread before somebody does."""
    return Acts(_never, _never)


@dataclass
class Scripted:
    """Acts that are begun when asked for and end when the test says, as it says."""

    result: str | Exception = "its entry is deleted"
    go: threading.Event = field(default_factory=threading.Event)
    begun: list[int] = field(default_factory=list)
    together: int = 0
    _running: int = 0

    def __call__(self, _snapshot: Snapshot, row: int) -> str:
        self._running += 1
        self.together = max(self.together, self._running)
        self.begun.append(row)
        assert self.go.wait(WAIT_S)
        self._running -= 1
        if isinstance(self.result, Exception):
            raise self.result
        return self.result
