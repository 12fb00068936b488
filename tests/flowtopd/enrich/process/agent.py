"""What an `Agent` runs: reads one order a line, does it, answers with numbers. Nothing but the standard library."""

import ctypes
import os
import socket
import sys
from pathlib import Path

_PIDFD_OPEN, _PIDFD_GETFD = 434, 438  # asm-generic/unistd.h

held: dict[int, socket.socket] = {}


def opened(count: int, family: int = socket.AF_INET) -> list[int]:
    made = [socket.socket(family) for _ in range(count)]
    held.update((os.fstat(each.fileno()).st_ino, each) for each in made)
    return [os.fstat(each.fileno()).st_ino for each in made]


def forked() -> int:
    """A child that lives as long as we do: it reads the end of a pipe of ours."""
    child = os.fork()
    if child == 0:
        os.close(write_end)
        os.read(read_end, 1)
        os._exit(0)
    return child


def zombie() -> int:
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
    return child


def take(pid: int, inode: int) -> None:
    """Get a socket of a process that is not our parent, under another number: as if it had come over a Unix socket."""
    number = next(fd.name for fd in Path(f"/proc/{pid}/fd").iterdir() if str(fd.readlink()) == f"socket:[{inode}]")
    libc = ctypes.CDLL(None)
    held[-inode] = socket.socket(fileno=libc.syscall(_PIDFD_GETFD, libc.syscall(_PIDFD_OPEN, pid, 0), int(number), 0))


def answer(order: list[str]) -> list[int]:
    match order:
        case ["open"]:
            return opened(1)
        case ["listen"]:
            (inode,) = opened(1)
            held[inode].bind(("127.0.0.1", 0))
            held[inode].listen()
            return [inode]
        case ["open-many", count]:
            return opened(int(count))
        case ["close", inode]:
            held.pop(int(inode)).close()
        case ["fork"]:
            return [forked()]
        case ["zombie"]:
            return [zombie()]
        case ["take", pid, inode]:
            take(int(pid), int(inode))
        case ["next-pid", pid]:
            Path("/proc/sys/kernel/ns_last_pid").write_text(str(int(pid) - 1))
        case ["exec", *argv]:
            print(0, flush=True)
            os.execvp(argv[0], argv)
    return [0]


if __name__ == "__main__":
    read_end, write_end = os.pipe()
    print(os.getpid(), flush=True)
    for line in sys.stdin:
        print(*answer(line.split()), flush=True)
