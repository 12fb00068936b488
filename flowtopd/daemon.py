"""The daemon put together: one event loop, one TaskGroup, two threads that collect, and those of the enrichers.

    TaskGroup ┬ ticker    waits for demand ─▶ Collector.tick in the thread ─▶ Hub.publish
              ├ server    accepts viewers, a session each
              ├ recorder  writes every tick to a file, where asked for
              └ signals   SIGTERM, SIGINT: everything is cancelled

Where a recording is shown, a Player takes the place of ticker and collector: it needs no kernel and no rights.

Signals wait, blocked, while the host is being changed or put back.

Order of what is changed outside, undone in reverse: 1 the runtime directory is locked, 2 sysctls are saved and set,
3 connections are tracked (activation), 4 the socket is made. Before any of it the kernel is asked whether it lets us
read its table at all.
"""

import asyncio
import contextlib
import errno
import importlib
import logging
import os
import signal
import socket
import sys
import tempfile
import time
from collections import deque
from collections.abc import Coroutine, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

from flowtopd.collector import Collector
from flowtopd.config import Config, Others, SysctlMode
from flowtopd.enrich import services
from flowtopd.enrich.directory import Directory
from flowtopd.enrich.geoip.places import SYSTEM_DIRECTORIES, Places
from flowtopd.enrich.lan.lan import Lan
from flowtopd.enrich.pipeline import Pipeline
from flowtopd.enrich.process.attribution import Attributor
from flowtopd.enrich.process.cgroup import Cgroups
from flowtopd.enrich.process.endings import Endings
from flowtopd.enrich.process.events import Watcher
from flowtopd.enrich.process.holders import Holders
from flowtopd.enrich.process.identity import Identities
from flowtopd.enrich.process.ledger import Inbox, Ledger
from flowtopd.enrich.process.namespaces import Namespaces
from flowtopd.enrich.process.sockets import Sockets
from flowtopd.enrich.process.verdict import Verdicts
from flowtopd.enrich.rdns.resolver import Resolver
from flowtopd.flows.closed import ClosedFlows
from flowtopd.flows.snapshot import KernelState
from flowtopd.geoip_update.update import Update
from flowtopd.netlink.ctnetlink import stats_request
from flowtopd.netlink.datagrams import Subscription, open_all_flows, open_new_flows
from flowtopd.netlink.nlmsg import NetlinkError
from flowtopd.netlink.nlsocket import NetlinkSocket
from flowtopd.replay.player import Player
from flowtopd.replay.recorder import recorder
from flowtopd.session.access import listening
from flowtopd.session.acts import Acts
from flowtopd.session.hub import Hub
from flowtopd.session.server import Server
from flowtopd.session.updates import Updates
from flowtopd.system.flow_ending import delete, end_flow
from flowtopd.system.flowtables import Flowtables
from flowtopd.system.memory import settle
from flowtopd.system.open_files import raise_open_files
from flowtopd.system.own_directory import check_directory
from flowtopd.system.runtime_dir import AlreadyRunningError, RuntimeDir
from flowtopd.system.sysctl import Sysctls
from flowtopd.system.systemd import notify
from flowtopd.system.tracking import Tracking, conntrack_exists
from flowtopd.ticker import Ticker
from flowtopd.wire.recording import About, Recording

SWITCH_INTERVAL_S: Final = 0.001
"""How long a thread may keep the interpreter: with Python's 5 ms, keys wait for the collector."""

INBOX: Final = 4096
"""Answers about processes that wait for a tick; between two that are an hour apart the oldest go."""

STOP_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)
"""Blocked but for the time in which they are handled, in the main thread: what was changed outside is put back
whenever they come. The collector's threads are made while they are blocked, so that they never get one."""

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


def run(config: Config, place: Place, program: str) -> None:
    """Run until a signal comes, or the only viewer of a private daemon leaves.

    Raises OSError, AlreadyRunningError and SocketInUseError for what keeps it from starting.
    """
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    settle()
    raise_open_files()
    signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    with _host(config, place) as sysctls, _listener(config, place) as sockets:
        asyncio.run(_run(config, sysctls, sockets, place, program))


def replay(config: Config, place: Place, program: str, recording: Recording, *, speed: float, loop: bool) -> None:
    """Show a recording as if it were now, until a signal comes or the only viewer leaves. Raises as `run`."""
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    raise_open_files()
    signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    with _listener(config, place) as sockets:
        asyncio.run(_replay(config, place, program, recording, sockets, speed=speed, loop=loop))


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


@contextlib.contextmanager
def _host(config: Config, place: Place) -> Iterator[Sysctls]:
    """Change the host as configured, and put it back."""
    with contextlib.ExitStack() as undo:
        mode = config.conntrack.sysctl
        try:
            runtime = undo.enter_context(RuntimeDir(place.runtime_dir))
        except AlreadyRunningError:
            if place.viewer_fd is None:
                raise
            # the daemon that owns the sysctls is running: this private one must not touch them
            runtime = undo.enter_context(RuntimeDir(Path(undo.enter_context(tempfile.TemporaryDirectory()))))
            mode = SysctlMode.NEVER
        sysctls = Sysctls(runtime)
        undo.callback(lambda: _warn(sysctls.release()))
        _warn(sysctls.acquire(mode))
        if config.conntrack.activate:
            # pyroute2 takes 13 MB and 0.2 s, so it is imported only where activation is asked for
            undo.enter_context(importlib.import_module("flowtopd.system.activation").Activation())
        yield sysctls


@contextlib.contextmanager
def _listener(config: Config, place: Place) -> Iterator[socket.socket]:
    """The socket to accept viewers on, or the one that is a viewer."""
    if place.viewer_fd is not None:
        with socket.socket(fileno=place.viewer_fd) as connected:
            yield connected
        return
    check_directory(place.socket.parent)
    for_all = config.access.others is Others.OWN
    with listening(place.socket, config.access.group, for_all=for_all) as (listener, problem):
        _warn((problem,) if problem else ())
        yield listener


def _warn(lines: tuple[str, ...]) -> None:
    for line in lines:
        log.warning("%s", line)


async def _run(config: Config, sysctls: Sysctls, sock: socket.socket, place: Place, program: str) -> None:
    hub = Hub(float(config.history.interval) if config.history.always else None)
    with (
        Updates(lambda tell: Update(config.geoip, tell)) as updates,
        Acts(delete, end_flow) as acts,
        NetlinkSocket() as netlink,
        contextlib.closing(make_pipeline(config)) as pipeline,
        ThreadPoolExecutor(1, "reader") as reader,
        ThreadPoolExecutor(1, "collector") as thread,
        ThreadPoolExecutor(1, "recorder") as writer,
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
            netlink, lambda flows: _kernel_state(sysctls, tracking, flowtables, flows), reader, pipeline
        )
        ticker = Ticker(hub, collector, thread)
        beside = [ticker.run(), *((recording.run(hub, writer),) if recording else ())]
        await _serve(server, sock, place, beside)


async def _serve(
    server: Server, sock: socket.socket, place: Place, beside: Iterable[Coroutine[Any, Any, None]]
) -> None:
    """Serve until a signal comes or the only viewer leaves; what runs beside it ends then."""
    async with asyncio.TaskGroup() as tasks:
        others = [tasks.create_task(each) for each in beside]
        serving = tasks.create_task(server.serve(sock) if place.viewer_fd is None else server.serve_one(sock))
        serving.add_done_callback(lambda _done: [each.cancel() for each in others])
        for number in STOP_SIGNALS:
            asyncio.get_running_loop().add_signal_handler(number, serving.cancel)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)
        notify("READY=1")
        log.info("ready, %s", place.socket if place.viewer_fd is None else "for one viewer")
    signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    notify("STOPPING=1")
    log.info("stopping")


async def _replay(
    config: Config,
    place: Place,
    program: str,
    recording: Recording,
    sock: socket.socket,
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
        await _serve(server, sock, place, [player.run()])


def make_pipeline(config: Config) -> Pipeline:
    """The enrichers, and what they need of one another's findings."""
    geoip = config.geoip
    directory = Directory(Lan(), Places(geoip.files, (geoip.directory, *SYSTEM_DIRECTORIES)), Resolver())
    inbox: Inbox = deque(maxlen=INBOX)
    endings = Endings()
    cgroups = Cgroups()
    verdicts = Verdicts(Holders(cgroups), Identities(cgroups))
    attributor = Attributor(Sockets(), verdicts, Namespaces(), directory.is_host)
    closed = ClosedFlows(config.history.closed) if config.history.closed else None
    events = open_all_flows if closed else open_new_flows
    watcher = Watcher(attributor, inbox.append, partial(Subscription, events), endings=endings)
    return Pipeline(directory, Ledger(watcher, inbox), services.load(), closed=closed, endings=endings)


def _kernel_state(sysctls: Sysctls, tracking: Tracking, flowtables: Flowtables, flows: int) -> KernelState:
    state = sysctls.read()
    tracks = True if flows else tracking.is_on()
    return KernelState(state.accounting, state.timestamps, sysctls.max(), tracks, flowtables.freeze())
