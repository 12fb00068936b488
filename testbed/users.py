"""Viewers of other users: the real flowtop, and connections, with the rights of any uid and groups.

    as_user(daemon, 12345, "--once", "--json", groups=(4,)).stdout
    with connected(daemon.socket, 12345) as sock: ...        # made by that user, in this process from then on

The interpreter may be one that only root can run or read: a child imports all it needs, and then gives up root.
"""

import array
import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from testbed.daemon import ROOT, Daemon

_BECOME: Final = """
import os, socket, sys
import flowtop_client.cli, flowtop_client.output, flowtop_client.recorder, encodings.idna
uid, groups = int(sys.argv[1]), [int(group) for group in sys.argv[2].split(",") if group]
os.setgroups(groups)
os.setresgid(uid, uid, uid)
os.setresuid(uid, uid, uid)
"""
_VIEW: Final = _BECOME + "sys.exit(flowtop_client.cli.main(sys.argv[3:]))"


def as_user(
    daemon: Daemon, uid: int, *options: str, groups: Sequence[int] = (), timeout: float = 30.0
) -> subprocess.CompletedProcess[str]:
    """Run a viewer of this user, which is in the group of the same number and in `groups`, to its end."""
    argv = [sys.executable, "-c", _VIEW, str(uid), ",".join(map(str, groups)), "--socket", str(daemon.socket)]
    return subprocess.run(
        [*argv, *options], capture_output=True, text=True, timeout=timeout, check=False, cwd=ROOT, env=_environment()
    )


def _environment() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}


def reachable(path: Path) -> None:
    """Let everybody through to this path, but not write, where it is in a temporary directory of ours."""
    for place in path.parents[:4]:
        if place.stat().st_uid == os.geteuid() and place != Path("/"):
            place.chmod(place.stat().st_mode | 0o055)


@contextmanager
def connected(path: Path, uid: int, groups: Sequence[int] = (), *, count: int = 1) -> Iterator[list[socket.socket]]:
    """Sockets that this user has connected. Raises ConnectionError where they cannot be."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        child = os.fork()
        if not child:
            os._exit(_connect(theirs, os.fspath(path), uid, groups, count))
        theirs.close()
        descriptors = array.array("i")
        while len(descriptors) < count:
            data, ancillary, _flags, _address = ours.recvmsg(1, 1024)
            for _level, _kind, sent in ancillary:
                descriptors.frombytes(sent)
            if not data:
                break
        os.waitpid(child, 0)
    sockets = [socket.socket(fileno=number) for number in descriptors]
    try:
        if len(sockets) < count:
            raise ConnectionError(f"{len(sockets)} of {count}")
        yield sockets
    finally:
        for sock in sockets:
            sock.close()


def _connect(pair: socket.socket, path: str, uid: int, groups: Sequence[int], count: int) -> int:
    """In the child."""
    os.setgroups(list(groups))
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
    for _ in range(count):
        sock = socket.socket(socket.AF_UNIX)
        try:
            sock.connect(path)
        except OSError:
            return 1
        pair.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [sock.fileno()]))])
    return 0
