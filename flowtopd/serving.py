"""What a daemon is in any case, whatever it shows: a place, a socket, signals, and an end.

Signals wait, blocked, but for the time in which viewers are served: whatever was changed outside is put back whenever
they come.
"""

import asyncio
import contextlib
import logging
import os
import signal
import socket
import stat
import sys
from collections.abc import Callable, Coroutine, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from flowtopd.config import Config, Others
from flowtopd.session.access import listening
from flowtopd.session.server import Server
from flowtopd.system.host import warn
from flowtopd.system.journal import Event
from flowtopd.system.memory import give_back, settle
from flowtopd.system.open_files import raise_open_files
from flowtopd.system.own_directory import check_directory
from flowtopd.system.systemd import handed_over, notify

SWITCH_INTERVAL_S: Final = 0.001
"""How long a thread may keep the interpreter: with Python's 5 ms, keys wait for the collector."""

STOP_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)
SIGNALS: Final = (*STOP_SIGNALS, signal.SIGHUP)
"""Blocked but for the time in which they are handled, in the main thread. The collector's threads are made while they
are blocked, so that they never get one."""

OTHERS_MAY_NOT: Final = 0o022
"""Of every file that is made here: whatever the umask was, nobody else writes to it."""

log = logging.getLogger("flowtopd")


@dataclass(frozen=True, slots=True)
class Place:
    """Where the daemon lives. With `viewer_fd`, a connected socket, it serves that one viewer and ends with it.

    `record`: the file to which it writes what it sees.
    """

    runtime_dir: Path
    socket: Path
    viewer_fd: int | None = None
    record: Path | None = None


def prepare() -> None:
    """Set the process up, when everything is imported and nothing is open."""
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    settle()
    raise_open_files()
    os.umask(os.umask(OTHERS_MAY_NOT) | OTHERS_MAY_NOT)
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)


@dataclass(frozen=True, slots=True)
class Listener:
    """The socket to accept viewers on, or the one that is a viewer. `path`: where it is, for a person."""

    socket: socket.socket
    path: str
    handed_over: bool = False


@contextlib.contextmanager
def open_listener(config: Config, place: Place) -> Iterator[Listener]:
    """Have a socket while this lasts: the one viewer's, the service manager's, or a new one.

    Raises OSError, UnsafeDirectoryError, SocketInUseError and HandedOverError.
    """
    if place.viewer_fd is not None:
        with socket.socket(fileno=place.viewer_fd) as connected:
            yield Listener(connected, "for one viewer")
        return
    if (given := handed_over()) is not None:
        warn(_too_closed(given, config))
        with given:  # and its path stays: the service manager goes on listening
            yield Listener(given, str(given.getsockname()), handed_over=True)
        return
    check_directory(place.socket.parent)
    for_all = config.access.others is Others.OWN
    with listening(place.socket, config.access.group, for_all=for_all) as (listener, problem):
        warn((problem,) if problem else ())
        yield Listener(listener, str(place.socket))


def _too_closed(given: socket.socket, config: Config) -> tuple[str, ...]:
    """Whether a socket that somebody else has made lets in whom the configuration does."""
    if config.access.others is not Others.OWN:
        return ()
    path = given.getsockname()
    if not isinstance(path, str) or not path.startswith("/") or Path(path).stat().st_mode & stat.S_IWOTH:
        return ()
    return (f'others = "own", but {path} lets nobody else connect: SocketMode=0666 in flowtopd.socket does',)


@dataclass(frozen=True, slots=True)
class Ends:
    """What ends a daemon beside signals, and what it does on SIGHUP where that does not."""

    wait: Coroutine[Any, Any, None]
    hang_up: Callable[[], None]


async def serve(
    server: Server,
    listener: Listener,
    place: Place,
    beside: Iterable[Coroutine[Any, Any, None]],
    ends: Ends | None = None,
) -> None:
    """Serve until a signal comes, the only viewer leaves or `ends` does; what runs beside it ends then."""
    async with asyncio.TaskGroup() as tasks:
        others = [tasks.create_task(each) for each in beside]
        alone = place.viewer_fd is not None
        serving = tasks.create_task(server.serve_one(listener.socket) if alone else server.serve(listener.socket))
        if ends is not None:
            leaving = tasks.create_task(ends.wait)
            leaving.add_done_callback(lambda _done: serving.cancel())
            others.append(leaving)
        serving.add_done_callback(lambda _done: [each.cancel() for each in others])
        loop = asyncio.get_running_loop()
        for number in STOP_SIGNALS:
            loop.add_signal_handler(number, serving.cancel)
        if ends is not None:
            loop.add_signal_handler(signal.SIGHUP, _on_hang_up(ends.hang_up, serving.cancel))
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
        give_back()  # files with the names of all ports have been read
        notify("READY=1")
        log.info("ready, %s", listener.path, extra={"flowtop_event": Event.STARTED})
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    notify("STOPPING=1")
    log.info("stopping", extra={"flowtop_event": Event.STOPPING})


def _on_hang_up(reload: Callable[[], None], end: Callable[[], object]) -> Callable[[], None]:
    """SIGHUP is asked for, or comes because the terminal on which the daemon was started is gone."""
    had_terminal = os.isatty(0)

    def hang_up() -> None:
        if had_terminal and not os.isatty(0):
            end()
        else:
            reload()

    return hang_up
