"""The Unix socket and who may connect to it. Connections and process names are private: 0660 root:flowtop.

Rules
1. A socket on which a daemon listens is never replaced; a dead one is. What is no socket is left alone.
2. Who looks whether a socket is dead, and puts another one there, does so alone: it holds a lock beside it meanwhile.
   At the end the socket is removed while it is still listened on, and only if it is still this one.
3. From the moment it can be connected to, the socket has its final owner and mode: it is bound with mode 0600, then
   given its group, then its mode, and listens last.
4. Where everybody may connect (`[access] others = "own"`), the mode is 0666, and `peers` tells who sees what.
"""

import contextlib
import errno
import fcntl
import grp
import os
import socket
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

MODE: Final = 0o660
MODE_FOR_ALL: Final = 0o666
BACKLOG: Final = 128

LOCK_SUFFIX: Final = ".lock"


class SocketInUseError(Exception):
    """Another daemon listens on the socket, or something that is no socket has its name."""


@contextlib.contextmanager
def listening(path: Path, group: str, *, for_all: bool = False) -> Iterator[tuple[socket.socket, str | None]]:
    """Yield a listening socket at `path`, and a line that says why `group` has nothing of it, if so; then remove it.

    `for_all`: everybody may connect. Raises SocketInUseError, or OSError where the socket cannot be made.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as listener:
        with _alone(path):
            _remove_stale(path)
            _bind(listener, path)
            ours = path.lstat()
            problem = _hand_over(path, group, for_all=for_all)
            listener.listen(BACKLOG)
        try:
            yield listener, problem
        finally:
            with contextlib.suppress(OSError):
                if os.path.samestat(path.lstat(), ours):
                    path.unlink()


def _bind(listener: socket.socket, path: Path) -> None:
    mask = os.umask(0o177)
    try:
        listener.bind(os.fspath(path))
    finally:
        os.umask(mask)


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Hold the lock beside the socket. Raises SocketInUseError when another daemon does."""
    name = path.with_name(path.name + LOCK_SUFFIX)
    while True:
        lock = os.open(name, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o600)
        try:
            if not _locked(lock):
                raise SocketInUseError(f"another daemon is about to listen on {path}")
            if not _is(name, lock):  # who held it has removed it meanwhile
                continue
            try:
                yield
            finally:
                name.unlink()
        finally:
            os.close(lock)
        return


def _locked(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is(name: Path, file: int) -> bool:
    with contextlib.suppress(FileNotFoundError):
        return os.path.samestat(name.lstat(), os.fstat(file))
    return False


def _remove_stale(path: Path) -> None:
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise SocketInUseError(f"{path} is there and is not a socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        try:
            probe.connect(os.fspath(path))
        except OSError as error:
            if error.errno == errno.ECONNREFUSED:  # nobody listens any more
                path.unlink(missing_ok=True)
                return
            if error.errno != errno.EAGAIN:  # EAGAIN: somebody does, with a full backlog
                raise
    raise SocketInUseError(f"another daemon listens on {path}")


def _hand_over(path: Path, group: str, *, for_all: bool) -> str | None:
    """Give the socket its group and mode."""
    can = "sees all flows" if for_all else "can connect"
    problem: str | None = None
    try:
        os.chown(path, -1, grp.getgrnam(group).gr_gid)
    except KeyError:
        problem = f"there is no group {group}: only root {can} (groupadd --system {group})"
    except PermissionError:
        # with a socket for all it makes no difference: who is in the group is asked of the peer
        problem = None if for_all else f"not allowed to give the socket to the group {group}: only this user {can}"
    if for_all:
        path.chmod(MODE_FOR_ALL)
    elif problem is None:
        path.chmod(MODE)
    return problem
