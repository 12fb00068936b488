"""Gives up, once the daemon is set up, every right that it does not need to go on and to put things back.

Rules, in this order: a later step is not possible before, or would undo, an earlier one
1. The host has been changed, the socket has its group and its mode: what is dropped here was needed for that.
   There is one thread: capabilities and what else is here belong to a thread, and later ones inherit them.
2. The bounding set, as root: no program that this process starts can have more than stays. It takes CAP_SETPCAP, so
   it comes before 4. Without that capability (a service's own user) the service manager has done it already.
3. The ambient set is emptied: what a user that is not root starts has no capability at all.
4. Permitted and effective are what `needed` names and is there; inheritable is empty. Where a service manager's
   filter refuses capset(2), nothing more may be there than that; inheritable stays, and is worth nothing after 5.
5. no_new_privs: a program with the set-user-ID bit or with file capabilities gives nobody anything back.
6. What is left is looked at: where it is more than was meant, PermissionError is raised, and the daemon does not run.

What stays, and for what
    CAP_NET_ADMIN        dumps and events of conntrack, sysctls, the nftables table, closing of connections
    CAP_SYS_PTRACE       /proc/PID/fd and /proc/PID/ns of others
    CAP_DAC_READ_SEARCH  leases and names of containers, in directories of others
and, for a daemon started as root by hand, which stays root
    CAP_SETUID, CAP_SETGID, CAP_SETPCAP  the child that downloads becomes nobody, for good (`geoip_update.confine`)
    CAP_KILL                             it is ended when it is cancelled or takes too long
    CAP_DAC_OVERRIDE                     only where it writes to a directory of others: /run/flowtop of the service
"""

import contextlib
import os
from collections.abc import Iterable
from enum import IntEnum
from pathlib import Path
from typing import Final

from flowtopd.capabilities import (
    PR_CAP_AMBIENT,
    PR_CAP_AMBIENT_CLEAR_ALL,
    PR_SET_NO_NEW_PRIVS,
    bound,
    held,
    keep,
    prctl,
)


class Capability(IntEnum):
    """Those that the daemon may need; include/uapi/linux/capability.h."""

    DAC_OVERRIDE = 1
    DAC_READ_SEARCH = 2
    KILL = 5
    SETGID = 6
    SETUID = 7
    SETPCAP = 8
    NET_ADMIN = 12
    SYS_PTRACE = 19


ALWAYS: Final = frozenset({Capability.NET_ADMIN, Capability.SYS_PTRACE, Capability.DAC_READ_SEARCH})
_OF_ROOT: Final = frozenset({Capability.SETUID, Capability.SETGID, Capability.SETPCAP, Capability.KILL})


def needed(writes_to: Iterable[Path]) -> frozenset[Capability]:
    """What this process has to keep, given the directories that it will write to."""
    if os.geteuid() != 0:
        return ALWAYS
    kept = ALWAYS | _OF_ROOT
    return kept if all(map(_is_roots, writes_to)) else kept | {Capability.DAC_OVERRIDE}


def _is_roots(path: Path) -> bool:
    """Whether root may write to a directory, or to the one that it will be made in, by owning it."""
    for place in (path, *path.absolute().parents):
        with contextlib.suppress(OSError):
            return place.stat().st_uid == 0
    return False


def drop(kept: frozenset[Capability]) -> None:
    """Keep these, and nothing else. Raises OSError, and PermissionError where more is left."""
    if (threads := len(os.listdir("/proc/self/task"))) != 1:  # noqa: PTH208  names are all it takes
        raise PermissionError(0, f"rights cannot be dropped: {threads} threads are running")
    mask = sum(1 << capability for capability in kept)
    bound(mask)
    with contextlib.suppress(OSError):  # before Linux 4.3 there is no ambient set
        prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL)
    mask &= held()["CapPrm"]
    inheritable = 0 if keep(mask) else mask
    prctl(PR_SET_NO_NEW_PRIVS, 1)
    _check({"CapPrm": mask, "CapEff": mask, "CapInh": inheritable, "CapAmb": 0})


def _check(meant: dict[str, int]) -> None:
    sets = held()
    more = [name for name, mask in meant.items() if sets.get(name, 0) & ~mask]
    if more or sets["NoNewPrivs"] != 1:
        raise PermissionError(0, f"rights are left: {', '.join(more) or 'no_new_privs'}")
