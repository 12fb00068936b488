"""What is read of a daemon from outside while it is under load: memory, and what the kernel dropped for it."""

import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from bench.processes import resident_mb

_EVERY_S: Final = 0.25
_NETFILTER: Final = "12"  # linux/netlink.h NETLINK_NETFILTER


class Gauges:
    """Reads memory and drops of a process four times a second, from entry to exit."""

    def __init__(self, pid: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._pid = pid
        self._clock = clock
        self._began_s = 0.0
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, name="gauges", daemon=True)
        self._memory: list[tuple[float, float]] = []
        self._drops: dict[str, int] = {}

    def __enter__(self) -> Self:
        self._began_s = self._clock()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._done.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._done.is_set():
            self.look()
            self._done.wait(_EVERY_S)

    def look(self) -> None:
        """Read once."""
        self._memory.append((self._clock() - self._began_s, resident_mb(self._pid)))
        self._drops |= event_drops(self._pid)

    @property
    def drops(self) -> int:
        """How many events the kernel has dropped in all, of every socket there was."""
        return sum(self._drops.values())

    @property
    def sockets(self) -> int:
        """How many sockets for events there were: the last drops of one that closed are not seen."""
        return len(self._drops)

    def memory_mb(self, from_s: float, to_s: float) -> Sequence[float]:
        """The readings between two times since the beginning."""
        return [size for at, size in self._memory if from_s <= at < to_s]


def event_drops(pid: int) -> dict[str, int]:
    """By inode, how many messages were dropped for each socket of the namespace of `pid` that listens to conntrack."""
    drops = {}
    for line in Path(f"/proc/{pid}/net/netlink").read_text(encoding="ascii").splitlines()[1:]:
        _sk, family, _portid, groups, *_memory, dropped, inode = line.split()
        if family == _NETFILTER and int(groups, 16):
            drops[inode] = int(dropped)
    return drops
