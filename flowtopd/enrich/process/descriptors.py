"""One search for sockets among the open descriptors of processes: /proc/PID/fd/N reads `socket:[INODE]`.

Every process is looked at once in a search. What cannot be read is remembered, because then nobody can say that a
socket has no holder.
"""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from flowtopd.enrich.process.procfs import Pid, none_left

_NO_LIMIT: Final = 1 << 30


@dataclass(frozen=True, slots=True)
class Holding:
    """A process has a socket open under this descriptor number."""

    pid: Pid
    descriptor: str


class Search:
    """Finds all holders of some sockets; `found` and `unreadable` are its results so far."""

    def __init__(self, proc: str, inodes: Iterable[int]) -> None:
        self._proc = proc
        self._wanted = {link_of(inode): inode for inode in inodes}
        self._looked: set[Pid] = set()
        self.found: dict[int, list[Holding]] = {}
        self.unreadable = False
        """Whether some process would not show its descriptors."""

    @property
    def complete(self) -> bool:
        """Whether every socket has a holder."""
        return len(self.found) == len(self._wanted)

    def look_at(self, pids: Iterable[Pid]) -> None:
        """Look at processes, at each once."""
        for pid in pids:
            self.look_within(pid, _NO_LIMIT)

    def look_within(self, pid: Pid, limit: int) -> int:
        """Look at a process unless it has more descriptors than that; return how many were read.

        Raises OSError where we have no descriptors left ourselves: then nothing is known of anybody.
        """
        if pid in self._looked:
            return 0
        folder = f"{self._proc}/{pid}/fd"
        try:
            descriptors = os.listdir(folder)  # noqa: PTH208  three times as fast as Path.iterdir
            if len(descriptors) > limit:
                return 0
            self._looked.add(pid)
            self._read(pid, folder, descriptors)
        except (FileNotFoundError, ProcessLookupError):
            pass  # it has exited
        except OSError as error:  # not for us to see
            if none_left(error):
                raise
            self.unreadable = True
        else:
            return len(descriptors)
        return 0

    def _read(self, pid: Pid, folder: str, descriptors: list[str]) -> None:
        # the hottest loop of enrichment, 3 µs a round, nearly all of it in the kernel
        wanted, readlink = self._wanted, os.readlink
        for descriptor in descriptors:
            try:
                link = readlink(f"{folder}/{descriptor}")
            except FileNotFoundError:
                continue  # closed since the listing, or the process exits
            except ProcessLookupError:
                raise
            except PermissionError:
                self.unreadable = True
                continue
            except OSError:
                continue  # ENAMETOOLONG: a file, deep down
            if link in wanted:
                self.found.setdefault(wanted[link], []).append(Holding(pid, descriptor))


def link_of(inode: int) -> str:
    """What the descriptor of a socket reads."""
    return f"socket:[{inode}]"


def holds(proc: str, holding: Holding, inode: int) -> bool:
    """Whether this process has this socket under this number now."""
    try:
        # no Path: this is asked once for each known socket
        return os.readlink(f"{proc}/{holding.pid}/fd/{holding.descriptor}") == link_of(inode)  # noqa: PTH115
    except OSError:
        return False
