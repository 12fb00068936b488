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
import ctypes
import errno
import os
import pwd
import resource
import signal
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Final

# linux/prctl.h
PR_SET_PDEATHSIG: Final = 1
PR_CAPBSET_DROP: Final = 24
PR_SET_NO_NEW_PRIVS: Final = 38
PR_CAP_AMBIENT: Final = 47
PR_CAP_AMBIENT_CLEAR_ALL: Final = 4

# linux/capability.h
_LINUX_CAPABILITY_VERSION_3: Final = 0x20080522
_LAST_CAPABILITY: Final = 63
_HEADER: Final = struct.pack("=Ii", _LINUX_CAPABILITY_VERSION_3, 0)  # struct __user_cap_header_struct: version, pid
_NO_CAPABILITIES: Final = bytes(2 * 3 * 4)  # struct __user_cap_data_struct, twice: effective, permitted, inheritable

NOBODY: Final = 65534
"""The user and group where the system names none: the kernel's own overflow id."""

MEMORY_BYTES: Final = 2 << 30
NICE: Final = 10


_libc: Final = ctypes.CDLL(None, use_errno=True)


def confine(largest_file: int) -> None:
    """Give up all rights; no file may grow beyond `largest_file` bytes. Raises OSError where that is not possible."""
    uid, gid = _nobody()
    for capability in range(_LAST_CAPABILITY + 1):
        _libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)  # EPERM: not root; EINVAL: the kernel has fewer
    _prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL)
    if os.geteuid() == 0:
        os.setgroups([])
        os.setresgid(gid, gid, gid)
        os.setresuid(uid, uid, uid)
    refused = bool(_libc.capset(_HEADER, _NO_CAPABILITIES))
    if refused and ctypes.get_errno() != errno.EPERM:
        raise _os_error("capset")
    _prctl(PR_SET_NO_NEW_PRIVS, 1)
    for limit, value in (
        (resource.RLIMIT_FSIZE, largest_file),
        (resource.RLIMIT_AS, MEMORY_BYTES),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NPROC, 0),  # nothing can outlive this process and write on
    ):
        resource.setrlimit(limit, (value, value))
    with contextlib.suppress(PermissionError):  # that same filter; it is a courtesy, no safety
        os.nice(NICE)
    _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    _check(("CapPrm", "CapEff", "CapAmb", *(() if refused else ("CapInh",))))


def _nobody() -> tuple[int, int]:
    try:
        entry = pwd.getpwnam("nobody")
    except KeyError:
        return NOBODY, NOBODY
    return entry.pw_uid, entry.pw_gid


def _check(empty: Sequence[str]) -> None:
    status = Path("/proc/self/status").read_bytes().decode(errors="replace")
    lines = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
    kept = [name for name in empty if int(lines[name], 16)]
    if kept or 0 in (*os.getresuid(), *os.getresgid()) or lines["NoNewPrivs"].strip() != "1":
        raise PermissionError(f"rights are left: {', '.join(kept) or 'root'}")


def _prctl(option: int, value: int) -> None:
    if _libc.prctl(option, value, 0, 0, 0):
        raise _os_error(f"prctl {option}")


def _os_error(what: str) -> OSError:
    number = ctypes.get_errno()
    return OSError(number, f"{what}: {os.strerror(number)}")
