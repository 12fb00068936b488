"""Whether a directory is safe to keep a socket or state in: whether nobody else can put something into it.

    /        owned by root or us, writable by nobody else, or sticky   ┐
    /run     …                                                         ├ so that nobody else can rename what is below
    /run/flowtop   owned by root or us, and writable by nobody else    ┘ and so that nobody else makes, or takes, names

Whoever can write to the directory of the socket can put another socket there, and viewers talk to that one. Where the
daemon has a user of its own, `flowtop`, its directory is that user's, and root takes it for one of its own.
"""

import contextlib
import os
import pwd
import stat
from pathlib import Path
from typing import Final

SERVICE_USER: Final = "flowtop"

_OTHERS_WRITE: Final = stat.S_IWGRP | stat.S_IWOTH


class UnsafeDirectoryError(Exception):
    """Somebody else can put files into a directory. `hint` says what helps."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


def check_directory(path: Path, status: os.stat_result | None = None) -> None:
    """Raise UnsafeDirectoryError where others can write to a directory or replace it; OSError where it is not there.

    `status`: that of the directory, where it is open already.
    """
    real = path.resolve(strict=True)
    _check(path, real.stat() if status is None else status, sticky=False)
    for parent in real.parents:
        _check(parent, parent.stat(), sticky=True)


def _check(path: Path, status: os.stat_result, *, sticky: bool) -> None:
    if status.st_uid not in {0, os.geteuid()} and not _is_the_services(status.st_uid):
        raise UnsafeDirectoryError(
            f"{path} belongs to uid {status.st_uid}, who could put another socket there",
            "choose a directory of root's with --runtime-dir and --socket",
        )
    if status.st_mode & _OTHERS_WRITE and not (sticky and status.st_mode & stat.S_ISVTX):
        raise UnsafeDirectoryError(
            f"others can write to {path}, and could put another socket there",
            f"`chmod go-w {path}`, or choose another directory with --runtime-dir and --socket",
        )


def _is_the_services(uid: int) -> bool:
    """Whether this is the daemon's own user, or the owner of what belongs to the host, seen from a user namespace."""
    with contextlib.suppress(KeyError):
        if pwd.getpwnam(SERVICE_USER).pw_uid == uid:
            return True
    if uid != int(Path("/proc/sys/kernel/overflowuid").read_text(encoding="ascii")):
        return False
    return Path("/proc/self/uid_map").read_text(encoding="ascii").split() != ["0", "0", "4294967295"]
