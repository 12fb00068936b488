"""Telling systemd how the daemon is doing: sd_notify(3).

A few states, a line each: READY=1, STOPPING=1, STATUS=text for `systemctl status`. Through systemd-python where
it is installed (the extra `systemd`), else as a datagram to $NOTIFY_SOCKET, which is all that it is.

Rules: without $NOTIFY_SOCKET nothing happens; nothing here raises or waits, since a daemon does not
end because nobody listens to how it is.
"""

import contextlib
import os
import socket
from collections.abc import Callable

try:
    from systemd.daemon import notify as _library_notify
except ImportError:
    _library_notify = None


def notify(*states: str, library: Callable[[str], object] | None = _library_notify) -> bool:
    """Send states such as READY=1. Whether they were sent."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    message = "\n".join(state.replace("\n", " ") for state in states)
    if not address or not message:
        return False
    with contextlib.suppress(OSError, ValueError):
        if library is not None:
            return bool(library(message))
        return _send(address, message)
    return False


def _send(address: str, message: str) -> bool:
    if address.startswith("@"):
        address = "\0" + address[1:]  # the abstract namespace, unix(7)
    elif not address.startswith("/"):
        return False
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as notifier:
        notifier.sendto(message.encode(), socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL, address)
    return True
