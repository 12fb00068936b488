"""Whether what listens on a socket can be the daemon: who it is, the kernel says.

root, or this user              always
the owner of the directory      a daemon with a user of its own, as systemd makes it: /run/flowtop is that user's
anybody else                    never: somebody has put a socket into a directory that is open to others, such as /tmp
"""

import os
import socket
import struct
from pathlib import Path
from typing import Final

_UCRED: Final = struct.Struct("=iII")  # linux/socket.h: pid, uid, gid


def distrust(connected: socket.socket, path: str) -> str | None:
    """Return why this is not believed, in a line; None where it is. Raises OSError where the path is gone."""
    _pid, uid, _gid = _UCRED.unpack(connected.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size))
    if uid in {0, os.geteuid(), Path(path).resolve().parent.stat().st_uid}:
        return None
    return f"{path} is listened on by uid {uid}, which is neither root, nor you, nor the owner of its directory"
