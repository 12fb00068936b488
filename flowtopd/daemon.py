"""The daemon put together: one event loop, one TaskGroup, two threads that collect, and those of the enrichers.

    TaskGroup ┬ ticker    waits for demand ─▶ Collector.tick in the thread ─▶ Hub.publish
              ├ server    accepts viewers, a session each
              ├ recorder  writes every tick to a file, where asked for
              ├ reloader  SIGHUP: the configuration is read again
              ├ watchdog  signs of life for the service manager, where it wants them
              └ signals   SIGTERM, SIGINT, nobody for long: everything is cancelled

Order of what is changed outside, undone in reverse: 1 the host (`system.host`), 2 the socket is made, or taken from the
service manager. Then rights that are not needed any more are dropped (`system.privileges`), and only then there are
threads. Before any of it the kernel is asked whether it lets us read its table at all.
"""

import asyncio
import contextlib
import errno
import faulthandler
import importlib
import os
import socket
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from flowtopd.collector import Collector
from flowtopd.config import Config
from flowtopd.enrichers import make_pipeline
from flowtopd.flows.snapshot import KernelState
from flowtopd.netlink.ctnetlink import stats_request
from flowtopd.netlink.nlmsg import NetlinkError
from flowtopd.netlink.nlsocket import NetlinkSocket
from flowtopd.reload import Parts, Reloader
from flowtopd.service import Idle, Status, watchdog
from flowtopd.serving import Ends, Listener, Place, open_listener, prepare, serve
from flowtopd.session.acts import Acts
from flowtopd.session.hub import Hub
from flowtopd.session.server import Server
from flowtopd.session.updates import Job, Tell, Updates
from flowtopd.system.flow_ending import delete, end_flow
from flowtopd.system.flowtables import Flowtables
from flowtopd.system.host import Host
from flowtopd.system.memory import give_back
from flowtopd.system.privileges import drop, needed
from flowtopd.system.sysctl import Sysctls
from flowtopd.system.systemd import notify, reloading, told, watchdog_s
from flowtopd.system.tracking import Tracking, conntrack_exists
from flowtopd.ticker import Ticker
from flowtopd.wire.recording import About


def run(config: Config, place: Place, program: str, read_config: Callable[[], Config]) -> None:
    """Run until a signal comes, the only viewer of a private daemon leaves, or nobody has looked for long.

    `read_config` reads the configuration anew, after SIGHUP. Raises OSError, AlreadyRunningError, SocketInUseError and
    HandedOverError for what keeps it from starting.
    """
    prepare()
    faulthandler.enable()  # SIGABRT is what a watchdog sends to a daemon that hangs: the log then says where
    private = place.viewer_fd is not None
    with Host(config.conntrack, place.runtime_dir, private=private) as host, open_listener(config, place) as listener:
        directories = [place.runtime_dir, place.socket.parent, config.geoip.directory]
        drop(needed([*directories, *((place.record.parent,) if place.record else ())]))
        asyncio.run(_run((config, read_config), host, listener, place, program))


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


async def _run(
    read_config: tuple[Config, Callable[[], Config]], host: Host, listener: Listener, place: Place, program: str
) -> None:
    """`read_config`: what was read, and how to read it anew."""
    config, read_anew = read_config
    hub = Hub(float(config.history.interval) if config.history.always else None)
    reloader = Reloader(config, read_anew, lambda begins: reloading() if begins else notify("READY=1"))
    with (
        Updates(lambda tell: _update(reloader.config, tell)) as updates,
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
            recording = files.enter_context(
                importlib.import_module("flowtopd.replay.recorder").recorder(place.record, about)
            )
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
            netlink,
            lambda flows: _kernel_state(host.sysctls, tracking, flowtables, flows),
            reader,
            pipeline,
            tidy=give_back,
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

        await serve(server, listener, place, beside, Ends(idle.wait(), hang_up))


def _kernel_state(sysctls: Sysctls, tracking: Tracking, flowtables: Flowtables, flows: int) -> KernelState:
    state = sysctls.read()
    tracks = True if flows else tracking.is_on()
    return KernelState(state.accounting, state.timestamps, sysctls.max(), tracks, flowtables.freeze())


def _update(config: Config, tell: Tell) -> Job:
    # what it needs takes 1.6 MB, and it is seldom asked for
    job: Job = importlib.import_module("flowtopd.geoip_update.update").Update(config.geoip, tell)
    return job
