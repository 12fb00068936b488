"""The daemon put together: one event loop, one TaskGroup, two threads that collect, and those of the enrichers.

    TaskGroup ┬ ticker    waits for demand ─▶ Collector.tick in the thread ─▶ Hub.publish
              ├ server    accepts viewers, a session each
              ├ recorder  writes every tick to a file, where asked for
              ├ reloader  SIGHUP: the configuration is read again
              ├ watchdog  signs of life for the service manager, where it wants them
              └ signals   SIGTERM, SIGINT, nobody for long: everything is cancelled

Where a recording is shown, a Player takes the place of ticker and collector: it needs no kernel and no rights.

Signals wait, blocked, while the host is being changed or put back.

Order of what is changed outside, undone in reverse: 1 the host (`system.host`), 2 the socket is made, or taken from the
service manager. Then rights that are not needed any more are dropped (`system.privileges`), and only then there are
threads. Before any of it the kernel is asked whether it lets us read its table at all.
"""

import asyncio
import contextlib
import errno
import faulthandler
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Coroutine, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from flowtopd.collector import Collector
from flowtopd.config import Config, Others
from flowtopd.enrichers import make_pipeline
from flowtopd.flows.snapshot import KernelState
from flowtopd.geoip_update.update import Update
from flowtopd.netlink.ctnetlink import stats_request
from flowtopd.netlink.nlmsg import NetlinkError
from flowtopd.netlink.nlsocket import NetlinkSocket
from flowtopd.reload import Parts, Reloader
from flowtopd.replay.player import Player
from flowtopd.replay.recorder import recorder
from flowtopd.service import Idle, Status, watchdog
from flowtopd.session.access import listening
from flowtopd.session.acts import Acts
from flowtopd.session.hub import Hub
from flowtopd.session.server import Server
from flowtopd.session.updates import Updates
from flowtopd.system.flow_ending import delete, end_flow
from flowtopd.system.flowtables import Flowtables
from flowtopd.system.host import Host, warn
from flowtopd.system.journal import Event
from flowtopd.system.memory import settle
from flowtopd.system.open_files import raise_open_files
from flowtopd.system.own_directory import check_directory
from flowtopd.system.privileges import drop, needed
from flowtopd.system.sysctl import Sysctls
from flowtopd.system.systemd import handed_over, notify, reloading, told, watchdog_s
from flowtopd.system.tracking import Tracking, conntrack_exists
from flowtopd.ticker import Ticker
from flowtopd.wire.recording import About, Recording

SWITCH_INTERVAL_S: Final = 0.001
"""How long a thread may keep the interpreter: with Python's 5 ms, keys wait for the collector."""

STOP_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)
SIGNALS: Final = (*STOP_SIGNALS, signal.SIGHUP)
"""Blocked but for the time in which they are handled, in the main thread: what was changed outside is put back
whenever they come. The collector's threads are made while they are blocked, so that they never get one."""

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


def run(config: Config, place: Place, program: str, read_config: Callable[[], Config]) -> None:
    """Run until a signal comes, the only viewer of a private daemon leaves, or nobody has looked for long.

    `read_config` reads the configuration anew, after SIGHUP. Raises OSError, AlreadyRunningError, SocketInUseError and
    HandedOverError for what keeps it from starting.
    """
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    settle()
    raise_open_files()
    faulthandler.enable()  # SIGABRT is what a watchdog sends to a daemon that hangs: the log then says where
    os.umask(os.umask(OTHERS_MAY_NOT) | OTHERS_MAY_NOT)
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    private = place.viewer_fd is not None
    with Host(config.conntrack, place.runtime_dir, private=private) as host, _listener(config, place) as listener:
        directories = [place.runtime_dir, place.socket.parent, config.geoip.directory]
        drop(needed([*directories, *((place.record.parent,) if place.record else ())]))
        asyncio.run(_run((config, read_config), host, listener, place, program))


def replay(config: Config, place: Place, program: str, recording: Recording, *, speed: float, loop: bool) -> None:
    """Show a recording as if it were now, until a signal comes or the only viewer leaves. Raises as `run`."""
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    raise_open_files()
    os.umask(os.umask(OTHERS_MAY_NOT) | OTHERS_MAY_NOT)
    signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    with _listener(config, place) as listener:
        asyncio.run(_replay(config, place, program, recording, listener, speed=speed, loop=loop))


def check_kernel() -> None:
    """Raise OSError where the kernel has no conntrack (EOPNOTSUPP) or does not let us read it (PermissionError)."""
    if not conntrack_exists():
        raise OSError(errno.EOPNOTSUPP, "no connection tracking in this kernel")
    try:
        with NetlinkSocket() as netlink:
            for _block in netlink.dump(stats_request):
                pass
    except NetlinkError as error:
        number = error.errno or errno.EIO
        raise OSError(number, f"cannot read connection tracking: {os.strerror(number)}") from None


@dataclass(frozen=True, slots=True)
class _Listener:
    """The socket to accept viewers on, or the one that is a viewer. `path`: where it is, for a person."""

    socket: socket.socket
    path: str
    handed_over: bool = False


@contextlib.contextmanager
def _listener(config: Config, place: Place) -> Iterator[_Listener]:
    if place.viewer_fd is not None:
        with socket.socket(fileno=place.viewer_fd) as connected:
            yield _Listener(connected, "for one viewer")
        return
    if (given := handed_over()) is not None:
        with given:  # and its path stays: the service manager goes on listening
            yield _Listener(given, str(given.getsockname()), handed_over=True)
        return
    check_directory(place.socket.parent)
    for_all = config.access.others is Others.OWN
    with listening(place.socket, config.access.group, for_all=for_all) as (listener, problem):
        warn((problem,) if problem else ())
        yield _Listener(listener, str(place.socket))


async def _run(
    read_config: tuple[Config, Callable[[], Config]], host: Host, listener: _Listener, place: Place, program: str
) -> None:
    """`read_config`: what was read, and how to read it anew."""
    config, read_anew = read_config
    hub = Hub(float(config.history.interval) if config.history.always else None)
    reloader = Reloader(config, read_anew, lambda begins: reloading() if begins else notify("READY=1"))
    with (
        Updates(lambda tell: Update(reloader.config.geoip, tell)) as updates,
        Acts(delete, end_flow) as acts,
        NetlinkSocket() as netlink,
        contextlib.closing(make_pipeline(config)) as pipeline,
        ThreadPoolExecutor(1, "reader") as reader,
        ThreadPoolExecutor(1, "collector") as thread,
        ThreadPoolExecutor(1, "recorder") as writer,
        contextlib.closing(Status(hub, notify if told() else None)) as status,
        contextlib.ExitStack() as files,
    ):
        recording = None
        if place.record is not None:
            about = About(socket.gethostname(), program, time.time())
            recording = files.enter_context(recorder(place.record, about))
        server = Server(
            hub,
            program,
            pipeline.want_names,
            updates,
            config.access.group,
            acts=acts,
            admin_group=config.access.admin_group,
            others=config.access.others,
            max_viewers=config.daemon.max_viewers,
        )
        for executor in (reader, thread, *((writer,) if recording else ())):
            executor.submit(int).result()
        tracking, flowtables = Tracking(), Flowtables()
        collector = Collector(
            netlink, lambda flows: _kernel_state(host.sysctls, tracking, flowtables, flows), reader, pipeline
        )
        ticker = Ticker(hub, collector, thread)
        beside = [ticker.run(), *((recording.run(hub, writer),) if recording else ())]
        if (limit_s := watchdog_s()) is not None:
            beside.append(watchdog(limit_s, lambda: ticker.busy_s, notify))
        beside.append(reloader.run(Parts(host, hub, server, pipeline, thread)))
        # without a socket unit nobody would start it again
        idle = Idle(
            hub,
            lambda: reloader.config.daemon.idle_exit if listener.handed_over else 0,
            lambda: updates.running,
        )

        def changed() -> None:
            status.changed()
            idle.changed()

        hub.watch(changed)
        status.changed()

        def hang_up() -> None:
            reloader.ask()
            idle.changed()

        await _serve(server, listener, place, beside, _Ends(idle.wait(), hang_up))


@dataclass(frozen=True, slots=True)
class _Ends:
    """What ends a daemon beside signals, and what it does on SIGHUP where that does not."""

    wait: Coroutine[Any, Any, None]
    hang_up: Callable[[], None]


async def _serve(
    server: Server,
    listener: _Listener,
    place: Place,
    beside: Iterable[Coroutine[Any, Any, None]],
    ends: _Ends | None = None,
) -> None:
    """Serve until a signal comes or the only viewer leaves; what runs beside it ends then."""
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


async def _replay(
    config: Config,
    place: Place,
    program: str,
    recording: Recording,
    listener: _Listener,
    *,
    speed: float,
    loop: bool,
) -> None:
    hub = Hub()
    with Updates(lambda tell: Update(config.geoip, tell)) as updates, ThreadPoolExecutor(1, "reader") as thread:
        thread.submit(int).result()
        player = Player(recording, hub, thread, speed=speed, loop=loop)
        server = Server(
            hub,
            program,
            lambda _addresses: None,  # the names of then are in the recording
            updates,
            config.access.group,
            max_viewers=config.daemon.max_viewers,  # others are denied: users of a recording are not those of this host
            host=recording.about.host,
            seek=player.seek,
        )
        await _serve(server, listener, place, [player.run()])


def _kernel_state(sysctls: Sysctls, tracking: Tracking, flowtables: Flowtables, flows: int) -> KernelState:
    state = sysctls.read()
    tracks = True if flows else tracking.is_on()
    return KernelState(state.accounting, state.timestamps, sysctls.max(), tracks, flowtables.freeze())
