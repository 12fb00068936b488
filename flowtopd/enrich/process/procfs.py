"""What /proc says of processes, with as few system calls as it takes.

Any process may exit between two calls: that is None here, never an exception. That we have no descriptors left is one.
`proc` is where procfs is mounted.
"""

import contextlib
import errno
import os
from dataclasses import dataclass
from typing import Final, NewType

Pid = NewType("Pid", int)

PROC: Final = "/proc"

INIT: Final = Pid(1)

_STAT_BYTES: Final = 4096

_PAGE: Final = 4096
"""Bytes of the smallest page that a kernel of ours has."""

_LINE: Final = 512
"""Over twice the longest of a table of sockets (tcp6, net/ipv6/tcp_ipv6.c)."""


@dataclass(frozen=True, slots=True)
class Stat:
    """The fields of /proc/PID/stat that say which process this is. A pid comes back, a pid and its start do not."""

    comm: bytes
    """The kernel's name of the process, cut at 15 bytes."""
    parent: Pid
    start_ticks: int
    """When it started, in clock ticks since boot."""


def pids(proc: str) -> list[Pid]:
    """All processes that this mount shows; with hidepid these are only our own."""
    return [Pid(int(name)) for name in os.listdir(proc) if name.isdecimal()]  # noqa: PTH208  names are all it takes


def none_left(error: OSError) -> bool:
    """Whether a file could not be opened because no descriptors are left: that says nothing about the file."""
    return error.errno in {errno.EMFILE, errno.ENFILE}


def stat(proc: str, pid: Pid) -> Stat | None:
    """Read which process this is, None when there is no such process. Raises OSError where no descriptors are left."""
    try:
        line = read(f"{proc}/{pid}/stat", _STAT_BYTES)
    except OSError as error:
        if none_left(error):
            raise
        return None
    # "PID (COMM) STATE PPID …": the name may hold anything, parentheses too
    head, _, tail = line.rpartition(b") ")
    fields = tail.split(b" ", 20)
    if len(fields) < 20:
        return None
    return Stat(head.partition(b"(")[2], Pid(int(fields[1])), int(fields[19]))


def read(path: str, limit: int, last: int = 1) -> bytes:
    """Read a file from its beginning, at most `limit` bytes, to its end or a piece of under `last`. Raises OSError.

    Half the time of open(), which allocates buffers and asks for the file's size.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        chunks, left = [], limit
        while left > 0:
            chunk = os.read(descriptor, min(left, 1 << 16))
            chunks.append(chunk)
            left -= len(chunk)
            if len(chunk) < last:
                break
        return b"".join(chunks)
    finally:
        os.close(descriptor)


def read_lines(path: str, limit: int) -> bytes:
    """Read the lines that fit into `limit` bytes, whole ones only. Raises OSError."""
    return _whole(read(path, limit))


def read_table(path: str, limit: int) -> bytes:
    """The same for a table of sockets, whose lines have at most _LINE bytes, without looking for an end twice.

    The kernel fills a page before it lets a read return (seq_read_iter of fs/seq_file.c), so that one with room for
    another line is the last. To ask once more has it walk all its hash buckets again, from the first: 13 instead of
    4.4 ms for the tables of a namespace that has no sockets.
    """
    return _whole(read(path, limit, _PAGE - _LINE))


def _whole(text: bytes) -> bytes:
    return text[: text.rfind(b"\n") + 1]


def netns(proc: str, process: Pid | str) -> int | None:
    """Tell the network namespace of a process: the inode number of its nsfs file. None: gone, or not ours to see."""
    with contextlib.suppress(OSError):
        return os.stat(f"{proc}/{process}/ns/net").st_ino  # noqa: PTH116  a Path costs as much as the call
    return None
