"""Capabilities and no_new_privs of the calling thread, by the kernel's own calls: Python has none for them.

Sets are numbers with a bit for each capability (linux/capability.h). What is done with them, in which order and why, is
for `system.privileges` (the daemon) and `geoip_update.confine` (its child that downloads) to say.
"""

import ctypes
import errno
import os
import struct
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
_LAST: Final = 63
_HEADER: Final = struct.pack("=Ii", _LINUX_CAPABILITY_VERSION_3, 0)  # struct __user_cap_header_struct: version, pid
_DATA: Final = struct.Struct("=6I")  # struct __user_cap_data_struct, twice: effective, permitted, inheritable

_STATUS: Final = Path("/proc/thread-self/status")

_libc: Final = ctypes.CDLL(None, use_errno=True)


def prctl(option: int, value: int) -> None:
    """Set one thing of this process or thread. Raises OSError."""
    if _libc.prctl(option, value, 0, 0, 0):
        raise _os_error(f"prctl {option}")


def bound(kept: int) -> None:
    """Drop all but these from the bounding set, as far as that is allowed (EPERM) and the kernel has them (EINVAL)."""
    for capability in range(_LAST + 1):
        if not kept >> capability & 1:
            _libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)


def keep(mask: int) -> bool:
    """Have these permitted and effective, and none inheritable. False: a filter refuses capset(2). Raises OSError."""
    low, high = mask & 0xFFFF_FFFF, mask >> 32
    if not _libc.capset(_HEADER, _DATA.pack(low, low, 0, high, high, 0)):
        return True
    if ctypes.get_errno() != errno.EPERM:
        raise _os_error("capset")
    return False


def held() -> dict[str, int]:
    """The sets by their names in proc(5), `CapPrm` and so on, and `NoNewPrivs`."""
    lines = _STATUS.read_text(encoding="utf-8", errors="replace").splitlines()
    values = dict(line.split(":", 1) for line in lines if line.startswith(("Cap", "NoNewPrivs")))
    return {name: int(value, 16) for name, value in values.items()}


def _os_error(what: str) -> OSError:
    number = ctypes.get_errno()
    return OSError(number, f"{what}: {os.strerror(number)}")
