"""The service manager: what it gives the daemon, and what it is told.

See sd_notify(3), sd_listen_fds(3), sd_watchdog_enabled(3).

    $NOTIFY_SOCKET              ◀── READY=1, RELOADING=1, STOPPING=1, WATCHDOG=1, STATUS=text for `systemctl status`
    $LISTEN_FDS, $LISTEN_PID    ──▶ the socket that viewers connect to, made before the daemon runs
    $WATCHDOG_USEC, $WATCHDOG_PID ─▶ how long it may be silent before it is started anew

States are told through systemd-python where it is installed (the extra `systemd`), else as a datagram, which is all
that they are.

Rules: without these variables nothing happens. Telling never raises and never waits, since a daemon does not end
because nobody listens to how it is. What is handed over is taken once: programs that this one starts do not see it.
"""

import contextlib
import importlib
import os
import socket
import time
from collections.abc import Callable
from typing import Final


def _library() -> Callable[[str], object] | None:
    """sd_notify of systemd-python; not imported where there is nobody to be told: it takes 0.7 MB."""
    if not os.environ.get("NOTIFY_SOCKET"):
        return None
    try:
        notify: Callable[[str], object] = importlib.import_module("systemd.daemon").notify
    except ImportError:
        return None
    return notify


_library_notify: Final = _library()

_FIRST: Final = 3  # SD_LISTEN_FDS_START


class HandedOverError(Exception):
    """The service manager has handed over something else than one listening Unix socket."""


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


def told() -> bool:
    """Whether anybody wants to be told."""
    return bool(os.environ.get("NOTIFY_SOCKET"))


def reloading() -> bool:
    """Say that a reload has begun; READY=1 ends it."""
    # Type=notify-reload (systemd 253) wants to know when, so as not to take an older READY=1 for the answer
    return notify("RELOADING=1", f"MONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")


def handed_over() -> socket.socket | None:
    """The listening socket of the socket unit, None where this was not started with one. Raises HandedOverError."""
    count, pid = os.environ.pop("LISTEN_FDS", ""), os.environ.pop("LISTEN_PID", "")
    os.environ.pop("LISTEN_FDNAMES", None)
    if not count or pid != str(os.getpid()):
        return None
    if count != "1":
        raise HandedOverError(f"{count} sockets were handed over, there is to be one")
    try:
        os.set_inheritable(_FIRST, False)
        listener = socket.socket(fileno=_FIRST)
    except OSError as error:
        raise HandedOverError(f"what was handed over is no socket: {error.strerror}") from None
    fits = (listener.family, listener.type) == (socket.AF_UNIX, socket.SOCK_STREAM)
    if not fits or not listener.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        listener.close()
        raise HandedOverError("what was handed over is no listening Unix stream socket")
    return listener


def watchdog_s() -> float | None:
    """How long the service manager waits for a sign of life, None where it wants none."""
    microseconds, pid = os.environ.get("WATCHDOG_USEC", ""), os.environ.get("WATCHDOG_PID", "")
    if not microseconds.isdecimal() or int(microseconds) == 0 or pid not in {"", str(os.getpid())}:
        return None
    return int(microseconds) / 1e6
