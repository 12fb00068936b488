"""What goes wrong around the collecting half of the daemon, on the real thing: it goes on, or says why it does not."""

import contextlib
import errno
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from flowtopd.collector import Collector
from flowtopd.config import Config
from flowtopd.enrichers import make_pipeline
from flowtopd.flows.dimensions import Attribution
from flowtopd.flows.snapshot import KernelState
from flowtopd.flows.snapshot import Snapshot as Taken
from flowtopd.netlink.nlmsg import NetlinkError
from flowtopd.netlink.nlsocket import NetlinkSocket
from flowtopd.wire.messages import Query, Snapshot
from testbed import conntrack
from testbed.daemon import ROOT, Daemon
from testbed.entries import mix
from testbed.inject import inject
from testbed.netns import Namespace, stop_process, wait_until
from testbed.programs import Program
from testbed.router import Router
from testbed.traffic import Flow
from testbed.viewer import Viewer, rows
from tests.flowtopd.enrich.process.no_descriptors import no_descriptors

pytestmark = pytest.mark.kernel

STATE = KernelState(accounting=True, timestamps=True, max=1, tracking=True)


class Collecting:
    """A collector with all enrichers, in a namespace."""

    def __init__(self, stack: contextlib.ExitStack, namespace: Namespace, *, enriched: bool = True) -> None:
        stack.enter_context(namespace.entered())
        self.netlink = stack.enter_context(NetlinkSocket())
        self.pipeline = stack.enter_context(contextlib.closing(make_pipeline(Config())))
        reader = stack.enter_context(ThreadPoolExecutor(1))
        pipeline = self.pipeline if enriched else None
        self.collector = Collector(self.netlink, lambda _flows: STATE, reader, pipeline)

    def until(self, found: Callable[[Taken], bool]) -> Taken:
        """Take ticks until one is as it should be."""
        taken: list[Taken] = []

        def good() -> bool:
            taken.append(self.collector.tick().snapshot)
            return found(taken[-1])

        wait_until(good, timeout=20)
        return taken[-1]


@pytest.fixture
def stack(namespace: Namespace) -> Iterator[contextlib.ExitStack]:
    """Closed before the namespace goes: what is in there must have left it by then."""
    del namespace
    with contextlib.ExitStack() as opened:
        yield opened


def descriptor(netlink: NetlinkSocket) -> int:
    assert netlink._socket is not None
    return netlink._socket.fileno()


@pytest.mark.parametrize("poison", [False, True], ids=["closed", "another file"])
def test_a_tick_survives_the_loss_of_its_socket(
    stack: contextlib.ExitStack, namespace: Namespace, *, poison: bool
) -> None:
    """Without enrichers: their threads open files, and one might get the very number that is lost."""
    inject(namespace, mix(500))
    collecting = Collecting(stack, namespace, enriched=False)
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    assert collecting.collector.tick().snapshot.size == 500
    lost = descriptor(collecting.netlink)
    if poison:
        with Path("/dev/null").open("rb") as null:
            os.dup2(null.fileno(), lost)
    else:
        os.close(lost)
    second = collecting.collector.tick().snapshot
    assert second.size == 500
    assert second.interval_s is not None
    assert collecting.collector.tick().snapshot.size == 500
    assert len(os.listdir("/proc/self/fd")) == before + 1  # noqa: PTH208


def test_events_come_again_after_their_socket_was_lost(
    stack: contextlib.ExitStack, namespace: Namespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flowtopd.enrich.process.overload.PAUSES_S", (0.2, 0.2))
    collecting = Collecting(stack, namespace)
    collecting.collector.tick()
    watcher = collecting.pipeline._ledger._watcher
    descriptor = watcher._hearing.descriptor
    assert descriptor is not None
    with Path("/dev/null").open("rb") as null:
        os.dup2(null.fileno(), descriptor)
    inject(namespace, mix(3))
    collecting.pipeline._ledger._watcher.ask_listening()  # wakes the thread, which waits on what was there before
    wait_until(lambda: watcher.events == "off")
    wait_until(lambda: watcher.events == "on")
    assert collecting.collector.tick().snapshot.size == 3


TALK = """
made = socket.create_connection(("127.0.0.1", {port}))
say(made.getsockname()[1])
"""


def how(snapshot: Taken, port: int) -> tuple[Attribution, int | None]:
    row = int(np.flatnonzero(snapshot.columns["sport"] == port)[0])
    owner = snapshot.dimensions.owners[snapshot.columns["owner"][row]]
    return Attribution(snapshot.columns["attribution"][row]), owner.pid


def test_without_descriptors_flows_are_shown_and_nobody_is_called_gone(
    stack: contextlib.ExitStack, namespace: Namespace
) -> None:
    """The socket of dumps is open. What /proc says cannot be read: that is not the same as that there is nothing."""
    collecting = Collecting(stack, namespace)
    server = stack.enter_context(namespace.socket())
    server.bind(("127.0.0.1", 0))
    server.listen()
    collecting.until(lambda _snapshot: True)
    with Program(namespace, TALK.format(port=server.getsockname()[1])) as program:
        with no_descriptors():
            for _tick in range(10):
                snapshot = collecting.collector.tick().snapshot
                assert snapshot.size >= 1
                assert how(snapshot, program.said)[0] in {Attribution.PENDING, Attribution.EXACT}
                time.sleep(0.1)
        found = collecting.until(lambda snapshot: how(snapshot, program.said)[1] == program.pid)
        assert how(found, program.said)[0] is Attribution.EXACT


def test_without_descriptors_at_the_first_tick_it_says_so_and_goes_on_later(
    stack: contextlib.ExitStack, namespace: Namespace
) -> None:
    inject(namespace, mix(10))
    collecting = Collecting(stack, namespace)
    with no_descriptors():
        with pytest.raises(NetlinkError) as caught:
            collecting.collector.tick()
        assert caught.value.errno == errno.EMFILE
    assert collecting.collector.tick().snapshot.size == 10


def test_an_interface_that_vanishes_takes_its_network_along_and_nothing_else(router: Router, tmp_path: Path) -> None:
    """The LAN's: the entries of what was forwarded out of it stay in the table until they time out."""
    home = router.router
    with (
        Daemon(home, tmp_path) as daemon,
        Viewer(daemon) as viewer,
        Flow(router.lan[0], router.wan, "1.1.1.1", 4000, rate=50_000, seconds=60) as flow,
    ):
        viewer.ask(Query(loopback=True, interval=0.2, fields=("sport", "device_mac", "local", "orig_rate")))

        def shown(snapshot: Snapshot) -> dict[str, Any] | None:
            return next((row for row in rows(snapshot) if row["sport"] == flow.sport), None)

        def found(snapshot: Snapshot, *, here: bool) -> bool | None:
            row = shown(snapshot)
            return True if row is not None and (row["device_mac"] is not None) is here else None

        viewer.until(lambda snapshot: found(snapshot, here=True))
        home.run(["ip", "link", "del", "lan0"])
        viewer.until(lambda snapshot: found(snapshot, here=False))
        assert viewer.next().status.flows == conntrack.count(home)
        assert daemon.stop() == 0
    assert "Traceback" not in daemon.log


FULL = """
mount -t tmpfs -o mode=0755,size=16k none {directory} && cd {root} &&
head -c {used} /dev/zero > {directory}/filler && exec "$@"
"""


@contextlib.contextmanager
def on_a_full_disk(
    daemon: Daemon, directory: Path, *options: str, used: int = 16_384
) -> Iterator[subprocess.Popen[str]]:
    """The daemon where `directory` is a file system of 16 KiB, so many used, in a mount namespace of its own."""
    directory.mkdir(exist_ok=True)
    if not (daemon._config).exists():
        daemon.configure("")
    script = FULL.format(directory=directory, root=ROOT, used=used)
    argv = daemon.namespace.argv(["unshare", "--mount", "sh", "-c", script, "sh", *daemon.argv, *options])
    with subprocess.Popen(argv, stderr=subprocess.PIPE, text=True, cwd=ROOT) as process:
        try:
            wait_until(lambda: daemon.socket.exists() or process.poll() is not None)
            yield process
        finally:
            stop_process(process)


def said(process: subprocess.Popen[str]) -> str:
    process.terminate()
    assert process.stderr is not None
    text = process.stderr.read()
    assert process.wait(10) == 0, text
    return text


def test_where_old_sysctls_cannot_be_saved_none_is_changed_and_flows_are_shown(tmp_path: Path) -> None:
    with Namespace() as host:
        host.track()
        inject(host, mix(20))
        daemon = Daemon(host, tmp_path)
        with on_a_full_disk(daemon, daemon.runtime_dir) as process:
            with Viewer(daemon) as viewer:
                viewer.ask(Query(loopback=True, interval=0.2))
                status = viewer.next().status
            assert (status.flows, status.accounting) == (20, False)
            assert host.sysctl("net.netfilter.nf_conntrack_acct") == "0"
            log = said(process)
    assert "cannot be saved" in log
    assert "No space left on device" in log
    assert "Traceback" not in log


def test_a_recording_on_a_full_disk_ends_with_one_line_and_the_daemon_goes_on(
    namespace: Namespace, tmp_path: Path
) -> None:
    inject(namespace, mix(300))
    disk = tmp_path / "disk"
    daemon = Daemon(namespace, tmp_path)
    daemon.runtime_dir.mkdir()
    with on_a_full_disk(daemon, disk, "--record", str(disk / "a.flowtop"), used=8192) as process:
        with Viewer(daemon) as viewer:
            viewer.ask(Query(loopback=True, interval=0.2))
            for _tick in range(10):
                assert viewer.next().status.flows == 300
        log = said(process)
    assert log.count("the recording ends here: No space left on device") == 1
    assert "Traceback" not in log
