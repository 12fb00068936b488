"""Who and where, end to end: a real daemon in a router between a LAN and a piece of the Internet, or on an end host."""

import itertools
import json
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

import pytest

from testbed import dhcp
from testbed.daemon import Daemon
from testbed.dns import Dnsmasq, Query, ScriptedServer, resolving
from testbed.netns import Namespace, wait_until
from testbed.programs import Program
from testbed.router import ROUTER_V4, Router

pytestmark = pytest.mark.kernel

SERVE = """
kept = []
for address in ("1.1.1.1", "8.8.8.8", "2606:4700::1111"):
    made = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
    made.bind((address, 443))
    made.listen()
    kept.append(made)
say()
"""
CONNECT = "made = socket.create_connection(({address!r}, {port})); made.send(b'x'); say(made.getsockname()[1])"

Flow = dict[str, Any]


def connect(host: Namespace, address: str, port: int = 443) -> Program:
    return Program(host, CONNECT.format(address=address, port=port))


class ResolvingDaemon(Daemon):
    """A daemon whose resolver asks a server of the test."""

    def __init__(self, namespace: Namespace, directory: Path, *, server: str = "127.0.0.1") -> None:
        super().__init__(namespace, directory)
        self._resolver = directory / "resolver"
        self._resolver.mkdir()
        self._server = server

    @property
    def argv(self) -> list[str]:
        return resolving(self._resolver, super().argv, server=self._server)


class LeasingDaemon(Daemon):
    """A daemon that finds the leases of the test where dnsmasq has them."""

    @property
    def argv(self) -> list[str]:
        script = 'mount --bind "$0" /var/lib/misc && exec "$@"'
        return ["unshare", "--mount", "sh", "-c", script, str(self.runtime_dir.parent), *super().argv]


def once(daemon: Daemon, *options: str) -> list[Flow]:
    """The flows of `flowtop --once --json`."""
    done = daemon.flowtop("--once", "--json", "--all", *options)
    assert done.returncode == 0, done.stderr + daemon.log
    flows: list[Flow] = json.loads(done.stdout)["flows"]
    return flows


def watched(daemon: Daemon, *options: str) -> "Watched":
    return Watched(daemon, "--json", "--all", "--interval", "0.2", *options)


class Watched:
    """A viewer that stays, one snapshot after the other."""

    def __init__(self, daemon: Daemon, *options: str) -> None:
        self._process = subprocess.Popen(daemon.viewer_argv(*options), stdout=subprocess.PIPE, cwd=Path.cwd())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    def next(self) -> list[Flow]:
        assert self._process.stdout is not None
        flows: list[Flow] = json.loads(self._process.stdout.readline())["flows"]
        return flows

    def until(self, what: Any, seconds: float = 10.0) -> list[Flow]:
        """The first snapshot of which this is true."""
        end_s = time.monotonic() + seconds
        while True:
            flows = self.next()
            if what(flows):
                return flows
            assert time.monotonic() < end_s, flows


def to(flows: list[Flow], address: str) -> Flow:
    (found,) = [flow for flow in flows if flow["dst"] == address and flow["proto"] == "tcp"]
    return found


def is_known(flow: Flow) -> bool:
    """Whether its place and its device have been found."""
    return flow["dst_country"] is not None and (flow["device"] or flow["device_mac"]) is not None


@pytest.fixture
def traffic(router: Router) -> Iterator[dict[str, int]]:
    """One connection of each LAN host and one of the router itself; the pids by destination."""
    with ExitStack() as running:
        running.enter_context(Program(router.wan, SERVE))
        clients = {
            "1.1.1.1": running.enter_context(connect(router.lan[0], "1.1.1.1")),
            "2606:4700::1111": running.enter_context(connect(router.lan[1], "2606:4700::1111")),
            "8.8.8.8": running.enter_context(connect(router.router, "8.8.8.8")),
        }
        yield {address: client.pid for address, client in clients.items()}


def test_a_router_shows_who_and_where(router: Router, traffic: dict[str, int], tmp_path: Path) -> None:
    with Daemon(router.router, tmp_path) as daemon, watched(daemon, "-n") as viewer:
        flows = viewer.until(
            lambda flows: to(flows, "8.8.8.8")["pid"] and all(is_known(to(flows, address)) for address in traffic)
        )
    mine, first, second = to(flows, "8.8.8.8"), to(flows, "1.1.1.1"), to(flows, "2606:4700::1111")
    assert (mine["pid"], mine["attribution"], mine["direction"]) == (traffic["8.8.8.8"], "exact", "outbound")
    assert (mine["process"], mine["user"]) == ("python", "root")
    assert mine["device"] == socket.gethostname()
    assert mine["src"] == ROUTER_V4
    macs = [json.loads(host.run(["ip", "-json", "link", "show", "eth0"]))[0]["address"] for host in router.lan]
    assert [flow["device_mac"] for flow in (first, second)] == macs
    for flow in (first, second):
        assert flow["direction"] == "forwarded"
        # the LAN hosts are namespaces of this machine, whose sockets can be seen, unless two of them have one address
        assert flow["pid"] in {None, traffic[flow["dst"]]}
    assert {flow["dst_country"] for flow in (mine, first, second)} <= {"US", "AU"}
    for flow in (mine, first, second):
        assert (flow["service"], flow["service_port"], flow["service_by"]) == ("https", 443, "known")


def test_without_geoip_there_are_no_countries_and_without_names_no_lookups(
    router: Router, traffic: dict[str, int], tmp_path: Path
) -> None:
    with (
        Dnsmasq(router.router, tmp_path, {"1.1.1.1": "one.example"}) as dns,
        ResolvingDaemon(router.router, tmp_path) as daemon,
    ):
        with watched(daemon, "-n") as viewer:
            flows = viewer.until(lambda flows: to(flows, "8.8.8.8")["pid"] == traffic["8.8.8.8"])
            assert all(flow["dst_name"] is None for flow in flows)
            assert dns.asked("1.1.1.1") == 0
        with watched(daemon, "-G") as viewer:
            flows = viewer.until(lambda flows: to(flows, "1.1.1.1")["dst_name"] is not None)
            assert to(flows, "1.1.1.1")["dst_name"] == "one.example"
            assert all(flow["dst_country"] is None for flow in flows)


@pytest.mark.usefixtures("traffic")
def test_a_name_comes_late_and_the_daemons_own_questions_are_nobodys_flows(router: Router, tmp_path: Path) -> None:
    """The server is another host, so that the questions are flows that are not loopback."""
    wan = "203.0.113.2"
    seen: list[Flow] = []

    def named(flows: list[Flow]) -> bool:
        seen.extend(flows)
        return bool(to(flows, "1.1.1.1")["dst_name"] == "one.example")

    with (
        Dnsmasq(router.wan, tmp_path, {"1.1.1.1": "one.example"}, address=wan) as dns,
        ResolvingDaemon(router.router, tmp_path, server=wan) as daemon,
        watched(daemon) as viewer,
    ):
        viewer.until(named)
        for _snapshot in range(5):
            seen.extend(viewer.next())
        assert dns.asked("1.1.1.1") == 1
        assert [flow for flow in seen if flow["dport"] == 53] == []
        assert [flow for flow in once(daemon, "--loopback") if flow["dport"] == 53]
        with connect(router.router, wan, 53):
            others = viewer.until(lambda flows: any(flow["dport"] == 53 and flow["pid"] for flow in flows))
            assert [flow["process"] for flow in others if flow["dport"] == 53] == ["python"]


def test_a_dead_resolver_delays_nothing_but_names(router: Router, traffic: dict[str, int], tmp_path: Path) -> None:
    questions: list[Query] = []
    with (
        ScriptedServer(router.router, questions.append),
        ResolvingDaemon(router.router, tmp_path) as daemon,
        watched(daemon) as viewer,
    ):
        wait_until(lambda: bool(questions))
        times = []
        for _snapshot in range(10):
            flows = viewer.next()
            times.append(time.monotonic())
        assert to(flows, "1.1.1.1")["dst_name"] is None
        assert to(flows, "8.8.8.8")["pid"] == traffic["8.8.8.8"]
        assert max(later - sooner for sooner, later in itertools.pairwise(times)) < 2


def test_a_lying_resolver_gets_nothing_past_us(router: Router, traffic: dict[str, int], tmp_path: Path) -> None:
    def lie(query: Query) -> None:
        query.reply(query.names([b"\x1b]0;owned\x07", b"example"]))

    with ScriptedServer(router.router, lie), ResolvingDaemon(router.router, tmp_path) as daemon:
        with watched(daemon) as viewer:
            for _snapshot in range(5):
                flows = viewer.next()
        assert len(flows) >= len(traffic)
        assert all(flow[name] is None for flow in flows for name in ("src_name", "dst_name"))
        shown = daemon.flowtop("--once", "--text", "--all").stdout
        assert "\x1b" not in shown
        assert "owned" not in shown


def test_a_lease_names_a_device_within_ten_seconds(router: Router, tmp_path: Path) -> None:
    host = router.lan[0]
    with (
        dhcp.Dnsmasq(router.router, "lan0", "192.168.1.100,192.168.1.150", tmp_path),
        Program(router.wan, SERVE),
        connect(host, "2606:4700::1111"),
        LeasingDaemon(router.router, tmp_path) as daemon,
        watched(daemon, "-n") as viewer,
    ):
        flows = viewer.until(lambda flows: to(flows, "2606:4700::1111")["device_mac"] is not None)
        assert to(flows, "2606:4700::1111")["device"] is None
        dhcp.lease(host, "eth0", "kitchen-radio")
        # by the MAC it is the same machine, whatever the address
        viewer.until(lambda flows: to(flows, "2606:4700::1111")["device"] == "kitchen-radio", 10)
