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
import ctypes
import errno
import os
import struct
from collections.abc import Iterable
from enum import IntEnum
from pathlib import Path
from typing import Final


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

# linux/prctl.h
_PR_CAPBSET_DROP: Final = 24
_PR_SET_NO_NEW_PRIVS: Final = 38
_PR_CAP_AMBIENT: Final = 47
_PR_CAP_AMBIENT_CLEAR_ALL: Final = 4

# linux/capability.h
_LINUX_CAPABILITY_VERSION_3: Final = 0x20080522
_LAST_CAPABILITY: Final = 63
_HEADER: Final = struct.pack("=Ii", _LINUX_CAPABILITY_VERSION_3, 0)  # struct __user_cap_header_struct: version, pid
_DATA: Final = struct.Struct("=6I")  # struct __user_cap_data_struct, twice: effective, permitted, inheritable

_SELF: Final = Path("/proc/thread-self")

_libc: Final = ctypes.CDLL(None, use_errno=True)


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
    for capability in range(_LAST_CAPABILITY + 1):
        if not mask >> capability & 1:
            _libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0)  # EPERM: rule 2; EINVAL: the kernel has fewer
    # before Linux 4.3 there is no ambient set
    _libc.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
    mask &= _held()["CapPrm"]
    low, high = mask & 0xFFFF_FFFF, mask >> 32
    inheritable = 0
    if _libc.capset(_HEADER, _DATA.pack(low, low, 0, high, high, 0)):
        if ctypes.get_errno() != errno.EPERM:
            raise _os_error("capset")
        inheritable = mask
    if _libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
        raise _os_error("no_new_privs")
    _check({"CapPrm": mask, "CapEff": mask, "CapInh": inheritable, "CapAmb": 0})


def _check(meant: dict[str, int]) -> None:
    held = _held()
    more = [name for name, mask in meant.items() if held.get(name, 0) & ~mask]
    if more or held["NoNewPrivs"] != 1:
        raise PermissionError(0, f"rights are left: {', '.join(more) or 'no_new_privs'}")


def _held() -> dict[str, int]:
    """The sets of this thread as bits, by their names in proc(5)."""
    lines = (_SELF / "status").read_text(encoding="utf-8", errors="replace").splitlines()
    values = dict(line.split(":", 1) for line in lines if line.startswith(("Cap", "NoNewPrivs")))
    return {name: int(value, 16) for name, value in values.items()}


def _os_error(what: str) -> OSError:
    number = ctypes.get_errno()
    return OSError(number, f"{what}: {os.strerror(number)}")
