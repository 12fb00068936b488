"""The whole path on a real kernel: table → daemon → socket → viewer, held against conntrack(8) and known traffic."""

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from flowtopd.flows.names import PROTOCOLS
from testbed import conntrack, packets
from testbed.daemon import ROOT, Daemon
from testbed.entries import HELPER_RULE, LABEL_RULE, SPECIAL, mix
from testbed.inject import inject
from testbed.netns import Namespace, stop_process, wait_until
from testbed.router import WAN_ADDRESSES, Router
from testbed.traffic import Flow

pytestmark = pytest.mark.kernel

ACCT = "net.netfilter.nf_conntrack_acct"
TIMESTAMP = "net.netfilter.nf_conntrack_timestamp"


def once(daemon: Daemon, *options: str) -> dict[str, Any]:
    run = daemon.flowtop("--once", "--json", *options)
    assert run.returncode == 0, run.stderr
    (line,) = run.stdout.splitlines()
    shown: dict[str, Any] = json.loads(line)
    return shown


NUMBERS = {name: str(number) for number, name in PROTOCOLS.items()}
"""We name a few protocols that conntrack calls unknown, such as esp."""


def compared(flow: dict[str, Any], *, moving: bool) -> dict[str, Any]:
    """The fields that both sides have. What moves from one moment to the next is left out where things move."""
    names = ["family", "state", "src", "sport", "dst", "dport", "mark", "zone"]
    names += ["reply_src", "reply_sport", "reply_dst", "reply_dport", "icmp_type", "icmp_code", "icmp_id"]
    if not moving:
        names += ["orig_packets", "orig_bytes", "reply_packets", "reply_bytes"]
    shown = {name: flow[name] for name in names} | {"proto": NUMBERS.get(flow["proto"], flow["proto"])}
    if flow["proto"] == "dccp":  # conntrack prints ports of 0 where the kernel, which lost its tracker, sends none
        shown |= {name: flow[name] or None for name in ("sport", "dport", "reply_sport", "reply_dport")}
    return shown


def same_flows(daemon: Daemon, namespace: Namespace, *, moving: bool = False) -> list[dict[str, Any]]:
    """Assert that flowtop and conntrack show the same flows, field by field; return ours."""
    ours: list[dict[str, Any]] = once(daemon, "--all", "--loopback")["flows"]
    theirs = conntrack.listing(namespace)
    ours.sort(key=lambda flow: repr(compared(flow, moving=moving)))
    theirs.sort(key=lambda flow: repr(compared(flow, moving=moving)))
    assert [compared(flow, moving=moving) for flow in ours] == [compared(flow, moving=moving) for flow in theirs]
    for mine, other in zip(ours, theirs, strict=True):
        assert ("assured" in mine["status"]) == other["assured"]
        assert mine["timeout"] == pytest.approx(other["timeout"], abs=5)
        started = None if other["start_ns"] is None else other["start_ns"] / 1e9
        assert mine["start"] == pytest.approx(started, abs=1e-3)
    return ours


def test_injected_entries_of_every_kind_are_shown_as_conntrack_shows_them(namespace: Namespace, tmp_path: Path) -> None:
    namespace.nft(LABEL_RULE)
    namespace.nft(HELPER_RULE)
    inject(namespace, [*SPECIAL.values(), *mix(300)])
    with Daemon(namespace, tmp_path) as daemon:
        ours = same_flows(daemon, namespace)
    assert len(ours) == len(SPECIAL) + 300
    assert {flow["proto"] for flow in ours} >= {"tcp", "udp", "udplite", "sctp", "dccp", "gre", "icmp", "icmpv6", "253"}
    assert {flow["nat"] for flow in ours} == {"none", "snat", "dnat", "both"}


def test_real_traffic_through_nat_is_shown_as_conntrack_shows_it(router: Router, tmp_path: Path) -> None:
    lan, wan = router.lan[0], router.wan
    with contextlib.ExitStack() as running:
        for number, address in enumerate(WAN_ADDRESSES):
            for udp in (False, True):
                flow = Flow(lan, wan, address, 4000 + number, udp=udp, echo=True, rate=20_000, seconds=1)
                running.enter_context(flow)
                flow.wait()
        for address in WAN_ADDRESSES:
            packets.ping(lan, address)
        packets.gre(lan, "1.1.1.1", call_id=7)
        packets.sctp_init(lan, "8.8.8.8", 5000, 5001)
        with Daemon(router.router, tmp_path) as daemon:
            ours = same_flows(daemon, router.router)
    assert {flow["proto"] for flow in ours} >= {"tcp", "udp", "icmp", "icmpv6", "gre", "sctp"}
    assert {flow["family"] for flow in ours} == {"ipv4", "ipv6"}
    assert any(flow["nat"] == "snat" and flow["reply_dst"] == "203.0.113.1" for flow in ours)


@pytest.mark.parametrize("udp", [False, True], ids=["tcp", "udp"])
def test_known_traffic_shows_its_rate_within_5_percent(router: Router, tmp_path: Path, udp: bool) -> None:
    rate = 500_000  # on the wire, headers included, as conntrack counts
    with (
        Daemon(router.router, tmp_path) as daemon,
        Flow(router.lan[0], router.wan, "1.1.1.1", 4000, udp=udp, rate=rate, seconds=30) as flow,
        viewer(daemon, "--all", "-t", "1") as showing,
    ):
        seen: list[float] = []
        while len(seen) < 6:
            ((shown, *_later),) = snapshots([showing], 1)
            rates = [one["orig_rate"] for one in shown["flows"] if one["sport"] == flow.sport]
            seen += [one for one in rates if one is not None]
    assert sum(seen[1:]) / 5 == pytest.approx(rate, rel=0.05)  # the first may have seen the beginning


def settings(namespace: Namespace) -> tuple[str, str]:
    return namespace.sysctl(ACCT).strip(), namespace.sysctl(TIMESTAMP).strip()


@pytest.fixture
def untouched() -> Iterator[Namespace]:
    """A host that tracks connections, with both sysctls off."""
    with Namespace() as host:
        host.track()
        assert settings(host) == ("0", "0")
        yield host


def test_sysctls_are_on_while_it_runs_and_back_after_exit(untouched: Namespace, tmp_path: Path) -> None:
    with Daemon(untouched, tmp_path) as daemon:
        assert settings(untouched) == ("1", "1")
        assert daemon.stop() == 0
        assert settings(untouched) == ("0", "0")
        assert not daemon.socket.exists()


def test_sysctls_are_back_after_sigkill_and_another_run(untouched: Namespace, tmp_path: Path) -> None:
    with Daemon(untouched, tmp_path) as daemon:
        daemon.kill()
        assert settings(untouched) == ("1", "1")
        daemon.start()
        assert once(daemon)["status"]["accounting"] is True
        daemon.stop()
        assert settings(untouched) == ("0", "0")


def test_sysctls_are_back_after_sigkill_and_restore(untouched: Namespace, tmp_path: Path) -> None:
    with Daemon(untouched, tmp_path) as daemon:
        daemon.kill()
        untouched.run([sys.executable, "-m", "flowtopd", "--runtime-dir", str(daemon.runtime_dir), "--restore"])
        assert settings(untouched) == ("0", "0")


def test_activate_makes_the_kernel_track_and_leaves_nothing_behind(tmp_path: Path) -> None:
    with Namespace() as host, Daemon(host, tmp_path, "--activate") as daemon:
        packets.ping(host, "127.0.0.1")
        shown = once(daemon, "-I", "--loopback")
        assert [flow["proto"] for flow in shown["flows"]] == ["icmp"]
        daemon.stop()
        assert host.run(["nft", "list", "ruleset"]).strip() == ""


class Showing:
    """A viewer that prints JSON, read as it comes."""

    def __init__(self, argv: list[str]) -> None:
        self.process = subprocess.Popen(argv, stdout=subprocess.PIPE, bufsize=0, cwd=ROOT)
        assert self.process.stdout is not None
        self.pipe = self.process.stdout.fileno()
        self._read = b""

    def pump(self) -> list[dict[str, Any]]:
        """Read what is there; the snapshots that are whole now."""
        data = os.read(self.pipe, 1 << 20)
        assert data, "the viewer ended"
        *lines, self._read = (self._read + data).split(b"\n")
        return [json.loads(line) for line in lines]


def snapshots(
    viewers: list[Showing], count: int, *, after: float = 0.0, timeout: float = 60
) -> list[list[dict[str, Any]]]:
    """The next `count` or more snapshots of each viewer that were taken after a point in time (Unix seconds).

    All are read side by side, as fast as they print.
    """
    got: dict[int, list[dict[str, Any]]] = {one.pipe: [] for one in viewers}
    deadline = time.monotonic() + timeout
    while any(len(taken) < count for taken in got.values()):
        ready, _, _ = select.select(viewers_by_pipe := {one.pipe: one for one in viewers}, [], [], 1)
        assert time.monotonic() < deadline, f"{[len(taken) for taken in got.values()]} of {count} in {timeout} s"
        for pipe in ready:
            got[pipe] += [shown for shown in viewers_by_pipe[pipe].pump() if shown["time"] > after]
    return list(got.values())


@contextlib.contextmanager
def viewer(daemon: Daemon, *options: str) -> Iterator[Showing]:
    showing = Showing(daemon.viewer_argv("--json", *options))
    try:
        yield showing
    finally:
        showing.process.send_signal(signal.SIGCONT)
        stop_process(showing.process)
        assert showing.process.stdout is not None
        showing.process.stdout.close()


def pace(viewers: list[Showing]) -> float:
    """Seconds between two snapshots from now on, of the slowest of these viewers."""
    times: list[list[float]] = [
        [shown["time"] for shown in taken] for taken in snapshots(viewers, 8, after=time.time())
    ]
    return max((one[7] - one[0]) / 7 for one in times)


def test_twenty_viewers_keep_their_pace_while_one_is_stopped(namespace: Namespace, tmp_path: Path) -> None:
    inject(namespace, mix(5000))
    with Daemon(namespace, tmp_path) as daemon, contextlib.ExitStack() as running:
        options = ("--all", "--limit", "200", "-t", "0.5")
        viewers = [running.enter_context(viewer(daemon, *options)) for _number in range(20)]
        snapshots(viewers, 2)
        stopped, others = viewers[0], viewers[1:]
        before = pace(others)
        stopped.process.send_signal(signal.SIGSTOP)
        assert pace(others) < before * 1.5
        (shown,) = snapshots(others[:1], 1)
        assert shown[0]["status"]["viewers"] == 20
        stopped.process.send_signal(signal.SIGCONT)
        snapshots(viewers, 2, after=time.time())


def switches(pid: int) -> int:
    """How often the threads of a process have run: every wake-up ends in a context switch."""
    total = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(OSError):  # a thread may end while it is looked at
            for line in (task / "status").read_text().splitlines():
                if "ctxt_switches" in line:
                    total += int(line.split()[1])
    return total


def settled(read: Callable[[], int]) -> int:
    """The value, once it has stayed the same for a while."""
    while True:
        before = read()
        time.sleep(0.5)
        if read() == before:
            return before


def test_without_viewers_the_daemon_sleeps(namespace: Namespace, tmp_path: Path) -> None:
    with Daemon(namespace, tmp_path) as daemon:
        once(daemon)
        before = settled(lambda: switches(daemon.pid))
        time.sleep(3)  # the span in which nothing may happen; the benchmark watches ten seconds with strace
        assert switches(daemon.pid) == before


def test_garbage_on_the_socket_disturbs_nobody(daemon: Daemon) -> None:
    with viewer(daemon, "-t", "0.2") as good:
        snapshots([good], 2)
        for garbage in (b"GET / HTTP/1.1\r\n\r\n", os.urandom(70_000), b"\0\0\0\1\xc1", b""):
            argv = [sys.executable, "-c", _SEND, str(daemon.socket)]
            subprocess.run(argv, input=garbage, check=False, capture_output=True, timeout=20)
        snapshots([good], 3, after=time.time())
        wait_until(lambda: snapshots([good], 1)[0][-1]["status"]["viewers"] == 1)


_SEND = """
import socket, sys
with socket.socket(socket.AF_UNIX) as peer:
    peer.connect(sys.argv[1])
    peer.sendall(sys.stdin.buffer.read())
    peer.shutdown(socket.SHUT_WR)
    while peer.recv(65536):
        pass
"""


def test_a_standalone_viewer_has_a_daemon_of_its_own_and_leaves_nothing_behind(untouched: Namespace) -> None:
    argv = [sys.executable, "-m", "flowtop_client", "--standalone", "--once", "--json", "--all"]
    shown = json.loads(untouched.run(argv))
    assert shown["status"]["accounting"] is True
    assert settings(untouched) == ("0", "0")


def test_a_standalone_daemon_ends_and_cleans_up_when_its_viewer_is_killed(untouched: Namespace) -> None:
    showing = Showing(untouched.argv([sys.executable, "-m", "flowtop_client", "--standalone", "--json", "-t", "0.2"]))
    try:
        snapshots([showing], 2)
        assert settings(untouched) == ("1", "1")
    finally:
        showing.process.kill()
        showing.process.communicate()
    wait_until(lambda: settings(untouched) == ("0", "0"))


def test_read_only_sysctls_are_no_reason_to_stop(untouched: Namespace, tmp_path: Path) -> None:
    """As in a container: /proc/sys is there and cannot be written."""
    script = 'mount --bind -o ro /proc/sys /proc/sys && mount -o remount,ro,bind /proc/sys && exec "$@"'
    with Daemon(untouched, tmp_path) as daemon:
        daemon.stop()
        argv = untouched.argv(["unshare", "--mount", "sh", "-c", script, "sh", *daemon.argv])
        with subprocess.Popen(argv, stderr=subprocess.PIPE, text=True, cwd=ROOT) as process:
            try:
                wait_until(daemon.socket.exists)
                status = once(daemon)["status"]
                assert (status["accounting"], status["timestamps"]) == (False, False)
            finally:
                process.terminate()
            assert process.stderr is not None
            said = process.stderr.read()
    assert "nf_conntrack_acct is off: Read-only file system" in said
