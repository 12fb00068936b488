"""From a socket's inode to the process that holds it.

    known, and its descriptor still reads the same ──▶ answered by one readlink
    else, in this order, until every socket has a holder:
      1. the processes of the socket's cgroup, where they are few         at most 512 descriptors, 2 ms
      2. the processes that are new since the last look, or young         always, all of them
      3. this very process, then those in which sockets were found        what is left of the 512 descriptors
         lately
      4. all the others                                                   at most twice a second

Where step 4 is needed but not allowed yet the answer is NOT_YET: ask again at the next tick. Only a whole walk can say
NOBODY, so no process is called gone by mistake. It stands for a second, then for twice as long each time, so that
sockets of the kernel do not keep us walking.

Several processes may hold one socket: forked servers, children that inherited it, systemd that passed it on. The
answer is the one that started first, but pid 1 only where nobody else has it. Steps 1 to 3 see only a part of the
processes; from what they find we climb to the parent as long as it has the same socket under the same number, which
is how fork() leaves it, so that a child is not named instead of its parent. Not followed: a socket that an older
process got under another number (SCM_RIGHTS, dup).

That a descriptor reads `socket:[INODE]` now is all the proof it takes: a process that got a used pid, or a socket that
got a used inode number, cannot pass for another one.
"""

import os
import time
from collections.abc import Callable, Iterable, Sequence
from enum import Enum, auto
from pathlib import Path
from typing import Final, NamedTuple

from flowtopd.enrich.process import procfs
from flowtopd.enrich.process.arrivals import Arrivals
from flowtopd.enrich.process.cgroup import Cgroups
from flowtopd.enrich.process.descriptors import Holding, Search, holds
from flowtopd.enrich.process.procfs import INIT, Pid
from flowtopd.enrich.process.recent import Recent

WALK_GAP_S: Final = 0.5
"""Seconds from the end of a walk to the next at least."""

WALK_SHARE: Final = 0.2
"""The part of the time that may go into walks, where one takes long: 500 000 descriptors take 1.5 s."""

_SHORTCUT_DESCRIPTORS: Final = 512
_USUAL: Final = 64
_KNOWN: Final = 32_768
_UNHELD: Final = 4096
_UNHELD_S: Final = (1.0, 32.0)
_GENERATIONS: Final = 64


class Unheld(Enum):
    """Why there is no process for a socket."""

    NOBODY = auto()
    """A whole walk found no holder: the process has exited or closed it, or the socket is the kernel's own. Whether it
    still exists tells which."""
    UNREADABLE = auto()
    """No holder among what could be read, but something could not be read."""
    NOT_YET = auto()
    """Unknown, and it is too early for the next walk. Ask again."""


class _Absence(NamedTuple):
    """That nobody holds a socket, and how long that stands."""

    why: Unheld
    until_s: float
    stands_s: float


class Holders:
    """Finds the processes of sockets. For one thread at a time; call it with many sockets at once rather than often."""

    def __init__(
        self, cgroups: Cgroups, proc: Path = Path(procfs.PROC), clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._cgroups = cgroups
        self._proc = str(proc)
        self._clock = clock
        self._own = Pid(os.getpid())
        self._arrivals = Arrivals(self._proc, clock)
        self._known: Recent[int, Holding] = Recent(_KNOWN)
        self._unheld: Recent[int, _Absence] = Recent(_UNHELD)
        self._usual: Recent[Pid, None] = Recent(_USUAL)
        self._walk_from_s = clock()

    def find(self, inodes: Iterable[int], cgroups: Sequence[int] = ()) -> dict[int, Pid | Unheld]:
        """Return the process of each socket, or why there is none.

        `cgroups` are the cgroup ids of the sockets, 0 where unknown. Inode 0 is a socket without a file (TIME_WAIT, or
        not yet accepted): nobody holds it.
        """
        answers: dict[int, Pid | Unheld] = {}
        missing: list[int] = []
        for inode in inodes:
            answer = self._remembered(inode)
            if answer is None:
                missing.append(inode)
            else:
                answers[inode] = answer
        if missing:
            answers.update(self._search(missing, cgroups))
        return answers

    def _remembered(self, inode: int) -> Pid | Unheld | None:
        known = self._known.get(inode)
        if known is not None:
            if holds(self._proc, known, inode):
                return known.pid
            del self._known[inode]
        if inode == 0:
            return Unheld.NOBODY
        absence = self._unheld.get(inode)
        return absence.why if absence is not None and self._clock() < absence.until_s else None

    def _search(self, inodes: list[int], cgroups: Sequence[int]) -> dict[int, Pid | Unheld]:
        search = Search(self._proc, inodes)
        members = (pid for cgroup in dict.fromkeys(cgroups) if cgroup for pid in self._cgroups.members(cgroup))
        left = _look(search, members, _SHORTCUT_DESCRIPTORS)
        if not search.complete:
            search.look_at(self._arrivals.look())
        if not search.complete:
            # the daemon's own lookups of names must be known as such at once
            _look(search, [self._own, *reversed(self._usual)], left)
        walked = not search.complete and self._walk(search)
        answers: dict[int, Pid | Unheld] = {}
        for inode in inodes:
            if holdings := search.found.get(inode):
                answers[inode] = self._settle(inode, holdings, climb=not walked)
            elif walked:
                answers[inode] = self._give_up(inode, search)
            else:
                answers[inode] = Unheld.NOT_YET
        return answers

    def _walk(self, search: Search) -> bool:
        """Look at all processes, if it is time; return whether that was done."""
        began = self._clock()
        if began < self._walk_from_s:
            return False
        search.look_at(self._arrivals.listed)
        # a child that was forked during the walk may have taken a socket over from a parent behind us
        search.look_at(self._arrivals.look())
        ended = self._clock()
        self._walk_from_s = ended + max(WALK_GAP_S, (ended - began) * (1 / WALK_SHARE - 1))
        return True

    def _settle(self, inode: int, holdings: list[Holding], *, climb: bool) -> Pid:
        holding = min(holdings, key=self._age) if len(holdings) > 1 else holdings[0]
        if climb:
            holding = self._climb(inode, holding)
        self._known[inode] = holding
        self._usual[holding.pid] = None
        return holding.pid

    def _age(self, holding: Holding) -> tuple[bool, int, Pid]:
        stat = procfs.stat(self._proc, holding.pid)
        return holding.pid == INIT, stat.start_ticks if stat else 1 << 63, holding.pid

    def _climb(self, inode: int, holding: Holding) -> Holding:
        for _ in range(_GENERATIONS):
            stat = procfs.stat(self._proc, holding.pid)
            if stat is None or stat.parent <= INIT:
                break
            parent = Holding(stat.parent, holding.descriptor)
            if not holds(self._proc, parent, inode):
                break
            holding = parent
        return holding

    def _give_up(self, inode: int, search: Search) -> Unheld:
        # hidepid=2 hides processes altogether; pid 1 always exists, so where it is not listed others may be hidden too
        hidden = INIT not in self._arrivals.listed
        why = Unheld.UNREADABLE if search.unreadable or hidden else Unheld.NOBODY
        shortest, longest = _UNHELD_S
        last = self._unheld.get(inode)
        stands_s = min(last.stands_s * 2, longest) if last else shortest
        self._unheld[inode] = _Absence(why, self._clock() + stands_s, stands_s)
        return why


def _look(search: Search, pids: Iterable[Pid], left: int) -> int:
    """Look at processes while there are descriptors left to read; return how many that are."""
    for pid in pids:
        if left <= 0 or search.complete:
            break
        left -= search.look_within(pid, left)
    return left
