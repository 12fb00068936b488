"""The Unix socket and who may connect to it. Connections and process names are private: 0660 root:flowtop.

Rules
1. A socket on which a daemon listens is never replaced; a dead one is. What is no socket is left alone.
2. From the moment it can be connected to, the socket has its final owner and mode: it is bound with mode 0600, then
   given its group, then its mode, and listens last.
3. Who a peer is, the kernel says. Only root, the daemon's own user and members of a group may make it do something
   beyond showing, whoever may connect: for updates the group of the socket, to act on flows the admin group.
"""

import contextlib
import errno
import grp
import os
import socket
import stat
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Final

MODE: Final = 0o660
BACKLOG: Final = 128

SO_PEERGROUPS: Final = 59  # asm-generic/socket.h; Linux 4.13
_UCRED: Final = struct.Struct("=iII")  # linux/socket.h: pid, uid, gid
_MOST_GROUPS: Final = 1024  # bytes


class SocketInUseError(Exception):
    """Another daemon listens on the socket, or something that is no socket has its name."""


def listen(path: Path, group: str) -> tuple[socket.socket, str | None]:
    """Return a listening socket at `path`, and a line that says why members of `group` cannot connect, if so.

    Raises SocketInUseError, or OSError where the socket cannot be made.
    """
    _remove_stale(path)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    try:
        mask = os.umask(0o177)
        try:
            listener.bind(os.fspath(path))
        finally:
            os.umask(mask)
        problem = _hand_over(path, group)
        listener.listen(BACKLOG)
    except BaseException:
        listener.close()
        raise
    return listener, problem


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


def _hand_over(path: Path, group: str) -> str | None:
    """Give the socket its group and mode."""
    try:
        os.chown(path, -1, grp.getgrnam(group).gr_gid)
    except KeyError:
        problem: str | None = f"there is no group {group}: only root can connect (groupadd --system {group})"
    except PermissionError:
        problem = f"not allowed to give the socket to the group {group}: only this user can connect"
    else:
        problem = None
        path.chmod(MODE)
    return problem


def remove(path: Path) -> None:
    """Remove the socket at the end."""
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class Peer:
    """Who is at the other end of a connection, as they were when they connected."""

    pid: int
    uid: int
    groups: frozenset[int]


def peer(connected: socket.socket) -> Peer:
    """Ask the kernel who is at the other end of a Unix socket."""
    pid, uid, gid = _UCRED.unpack(connected.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size))
    groups = {gid}
    with contextlib.suppress(OSError):  # ERANGE: more than 256 groups, which Python cannot ask for
        packed = connected.getsockopt(socket.SOL_SOCKET, SO_PEERGROUPS, _MOST_GROUPS)
        groups.update(number for (number,) in struct.iter_unpack("=I", packed))
    return Peer(pid, uid, frozenset(groups))


def may_change(who: Peer, group: str) -> bool:
    """Whether this peer may make the daemon change something that members of `group` may; of "" there are none."""
    if who.uid in {0, os.geteuid()}:
        return True
    try:
        return grp.getgrnam(group).gr_gid in who.groups
    except KeyError:
        return False
