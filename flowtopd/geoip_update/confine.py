"""Gives up every right that a download does not need. For a process of its own, at its beginning.

Rules, in this order: a later step is not possible before, or would undo, an earlier one
1. As root: no groups, then the group, then the user of "nobody". Anybody else stays who he is.
2. No capability is left: not in the bounding set (which only root may empty, so before 1), not ambient, not
   permitted, not inheritable. Where a service manager's filter refuses capset(2), none may have been permitted before;
   what is inheritable then stays, and is worth nothing after 3.
3. No program that this process starts can get any back (no_new_privs), and limits keep it small.
4. The kernel ends this process with the one that started it. Changing the user resets that, so it comes after 1.
5. What was given up is looked at: where anything is left, PermissionError is raised.

What has to be read with the old rights (modules, the store of certificates) must be read before.
"""

import contextlib
import os
import pwd
import resource
import signal
from collections.abc import Sequence
from typing import Final

from flowtopd.capabilities import (
    PR_CAP_AMBIENT,
    PR_CAP_AMBIENT_CLEAR_ALL,
    PR_SET_NO_NEW_PRIVS,
    PR_SET_PDEATHSIG,
    bound,
    held,
    keep,
    prctl,
)

NOBODY: Final = 65534
"""The user and group where the system names none: the kernel's own overflow id."""

MEMORY_BYTES: Final = 2 << 30
NICE: Final = 10


def confine(largest_file: int) -> None:
    """Give up all rights; no file may grow beyond `largest_file` bytes. Raises OSError where that is not possible."""
    uid, gid = _nobody()
    bound(0)
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL)
    if os.geteuid() == 0:
        os.setgroups([])
        os.setresgid(gid, gid, gid)
        os.setresuid(uid, uid, uid)
    refused = not keep(0)
    prctl(PR_SET_NO_NEW_PRIVS, 1)
    for limit, value in (
        (resource.RLIMIT_FSIZE, largest_file),
        (resource.RLIMIT_AS, MEMORY_BYTES),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NPROC, 0),  # nothing can outlive this process and write on
    ):
        resource.setrlimit(limit, (value, value))
    with contextlib.suppress(PermissionError):  # that same filter; it is a courtesy, no safety
        os.nice(NICE)
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    _check(("CapPrm", "CapEff", "CapAmb", *(() if refused else ("CapInh",))))


def _nobody() -> tuple[int, int]:
    try:
        entry = pwd.getpwnam("nobody")
    except KeyError:
        return NOBODY, NOBODY
    return entry.pw_uid, entry.pw_gid


def _check(empty: Sequence[str]) -> None:
    sets = held()
    kept = [name for name in empty if sets[name]]
    if kept or 0 in (*os.getresuid(), *os.getresgid()) or sets["NoNewPrivs"] != 1:
        raise PermissionError(f"rights are left: {', '.join(kept) or 'root'}")
