"""Which processes have come since the last look: one listing of /proc, compared with the one before.

A process is *young* for some seconds after it was first seen: it may still open sockets, or move to a namespace of its
own (a container's first process starts in the host's). At the first look nobody can tell, and nobody is young.

A pid that was used again between two looks is not noticed here. Who asks has a slower way that does not rely on this.
"""

from collections.abc import Callable
from typing import Final

from flowtopd.enrich.process import procfs
from flowtopd.enrich.process.procfs import Pid

YOUNG_S: Final = 3.0


class Arrivals:
    """Remembers one listing."""

    def __init__(self, proc: str, clock: Callable[[], float]) -> None:
        self._proc = proc
        self._clock = clock
        self._listed: frozenset[Pid] | None = None
        self._seen_s: dict[Pid, float] = {}

    def look(self) -> list[Pid]:
        """List the processes; return those that are new or young, the newest last."""
        now, before = self._clock(), self._listed
        listed = procfs.pids(self._proc)
        self._listed = frozenset(listed)
        if before is not None:
            young = {pid: at for pid, at in self._seen_s.items() if pid in self._listed and now - at < YOUNG_S}
            young.update((pid, now) for pid in listed if pid not in before)
            self._seen_s = young
        return list(self._seen_s)

    @property
    def listed(self) -> frozenset[Pid]:
        """All processes of the last look."""
        return self._listed or frozenset()
