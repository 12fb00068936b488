"""Ending flows and looking at one, end to end: a real daemon, viewers with and without rights, `conntrack -L`."""

import grp
import os
import re
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import psutil  # type: ignore[import-untyped]
import pytest

from flowtopd.wire.codec import decode_daemon, encode_viewer
from flowtopd.wire.errors import ErrorCode
from flowtopd.wire.framing import MAX_DAEMON_FRAME, FrameReader
from flowtopd.wire.messages import (
    PROTOCOL_VERSION,
    DaemonMessage,
    Delete,
    Detail,
    Done,
    Error,
    FlowRequest,
    Hello,
    Kill,
    Query,
    Snapshot,
    ViewerMessage,
    Welcome,
)
from testbed import conntrack
from testbed.daemon import ROOT, Daemon
from testbed.netns import Namespace
from testbed.router import ROUTER_V4, Router
from testbed.talk import Talk
from testbed.users import reachable

pytestmark = pytest.mark.kernel

NOBODY = 12_345
ADM_GID = 4
ADM = grp.getgrgid(ADM_GID).gr_name
HELLO = Hello(PROTOCOL_VERSION)
QUERY = Query(fields=("id", "src", "sport", "dst", "dport"), loopback=True, interval=0.1)


class Viewer(Talk):
    """A viewer of this process, which is root's."""

    def __init__(self, daemon: Daemon) -> None:
        super().__init__(socket.socket(socket.AF_UNIX), wait_s=10)
        self._socket.connect(os.fspath(daemon.socket))
        self.say(HELLO)
        self.welcome = self.hear(Welcome)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def flow(self, sport: int) -> str:
        """The id of the flow from this port, as soon as it is shown."""
        self.say(QUERY)
        while True:
            for found, _src, port, _dst, _dport in self.hear(Snapshot).rows:
                if port == sport:
                    return str(found)

    def detail(self, flow: str, until: Any) -> dict[str, Any]:
        """The detail of a flow of which this is true."""
        self.say(FlowRequest(flow))
        while True:
            detail = self.hear(Detail)
            assert detail.flow is not None
            if until(detail):
                return {"flow": detail.flow, "ends": detail.ends, "history": detail.history}


STRANGER = """
import os, socket, sys
os.setgroups([int(group) for group in sys.argv[2].split(",") if group])
os.setresgid(12345, 12345, 12345)
os.setresuid(12345, 12345, 12345)
sock = socket.socket(socket.AF_UNIX)
sock.settimeout(10)
sock.connect(sys.argv[1])
for said in sys.argv[3:]:
    sock.sendall(bytes.fromhex(said))
    print(sock.recv(4096).hex())
"""


def stranger(daemon: Daemon, groups: str, *messages: ViewerMessage) -> list[DaemonMessage]:
    """What another user hears, who says this and waits each time for the answer."""
    reachable(daemon.socket)
    said = [encode_viewer(message).hex() for message in messages]
    argv = [sys.executable, "-c", STRANGER, str(daemon.socket), groups, *said]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=20, check=True, cwd=ROOT)
    frames = FrameReader(MAX_DAEMON_FRAME).feed(bytes.fromhex(done.stdout.replace("\n", "")))
    return [decode_daemon(body) for body in frames]


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as opened:
        yield opened


def connection(
    stack: ExitStack, client: Namespace, server: Namespace, address: str
) -> tuple[socket.socket, socket.socket, int]:
    """Both ends of a connection, and the port that it comes from."""
    listener = stack.enter_context(server.socket())
    listener.bind((address, 0))
    listener.listen()
    opener = stack.enter_context(client.socket())
    opener.connect(listener.getsockname())
    accepted = stack.enter_context(listener.accept()[0])
    for end in (opener, accepted):
        end.settimeout(10)
    return opener, accepted, int(opener.getsockname()[1])


def ports(host: Namespace) -> set[int]:
    return {entry["sport"] for entry in conntrack.listing(host) if entry["proto"] == "tcp"}


def test_root_deletes_one_entry_and_closes_one_connection(daemon: Daemon, stack: ExitStack) -> None:
    host = daemon.namespace
    first = connection(stack, host, host, "127.0.0.1")
    second = connection(stack, host, host, "127.0.0.1")
    third = connection(stack, host, host, "127.0.0.1")
    with Viewer(daemon) as viewer:
        assert viewer.welcome.may == ("update", "act")
        deleted, killed = viewer.flow(first[2]), viewer.flow(second[2])
        viewer.say(Delete(deleted))
        done = viewer.hear(Done)
        assert done.id == deleted
        assert done.text.endswith(": its entry is deleted")
        assert f"127.0.0.1:{first[2]} > 127.0.0.1:" in done.text
        assert ports(host) == {second[2], third[2]}
        viewer.say(Kill(killed))
        assert viewer.hear(Done).text.endswith(": its connection is closed, its entry is deleted")
        assert ports(host) == {third[2]}
        for end in second[:2]:
            with pytest.raises((ConnectionAbortedError, ConnectionResetError)):
                end.recv(1)
        viewer.say(Kill(killed))
        gone = viewer.hear(Error)
        assert gone.code is ErrorCode.FAILED
        assert "gone" in gone.message  # from the table, and with the next tick from the snapshot
        viewer.say(Delete("0" * 16))
        assert viewer.hear(Error).message == "no such flow, it may be gone"
    third[0].sendall(b"x")
    assert third[1].recv(1) == b"x"
    assert f"uid 0, pid {os.getpid()}: delete {done.text}" in daemon.log
    assert f"uid 0, pid {os.getpid()}: kill tcp 127.0.0.1:{second[2]} > " in daemon.log


def test_a_forwarded_connection_is_not_closed_but_its_entry_can_be_deleted(
    router: Router, tmp_path: Path, stack: ExitStack
) -> None:
    opener, accepted, port = connection(stack, router.lan[0], router.wan, "1.1.1.1")
    with Daemon(router.router, tmp_path) as daemon, Viewer(daemon) as viewer:
        flow = viewer.flow(port)
        viewer.say(Kill(flow))
        # a namespace is known as another one of this machine only while processes live in it
        assert re.search(": (it is forwarded|its socket is in another network namespace)", viewer.hear(Error).message)
        opener.sendall(b"x")
        assert accepted.recv(1) == b"x"
        viewer.say(Delete(flow))
        viewer.hear(Done)
        assert port not in ports(router.router)


@dataclass(frozen=True)
class Access:
    """Which groups may what, in which groups the viewer is, and what it may."""

    group: str
    admin_group: str
    groups: str
    may: tuple[str, ...]
    sees: bool
    """Flows of others."""


@pytest.mark.parametrize(
    "access",
    [
        Access("no-such-group", "", str(ADM_GID), (), sees=False),
        Access(ADM, "", str(ADM_GID), ("update",), sees=True),
        Access(ADM, ADM, "7", (), sees=False),
    ],
)
def test_who_is_no_admin_is_denied_and_nothing_happens(namespace: Namespace, tmp_path: Path, access: Access) -> None:
    """Also where everybody may look at what is their own."""
    with acting(namespace, tmp_path, access) as (daemon, opener, accepted, flow):
        heard = [stranger(daemon, access.groups, HELLO, wanted) for wanted in (Kill(flow), Delete(flow))]
        for welcome, error in heard:
            assert isinstance(welcome, Welcome)
            assert welcome.may == access.may
            assert isinstance(error, Error)
            assert error.code is ErrorCode.DENIED
        port, server = opener.getsockname()[1], accepted.getsockname()[1]
        assert port in ports(namespace)
        opener.sendall(b"x")
        assert accepted.recv(1) == b"x"
        seen = f"tcp 127.0.0.1:{port} > 127.0.0.1:{server}" if access.sees else "a flow that is not there"
        assert re.findall(rf"uid {NOBODY}, pid \d+: (.*)", daemon.log) == [f"kill {seen}: denied"]  # once


def test_a_member_of_the_admin_group_may_act(namespace: Namespace, tmp_path: Path) -> None:
    access = Access("no-such-group", ADM, f"7,{ADM_GID}", ("act",), sees=True)
    with acting(namespace, tmp_path, access) as (daemon, opener, _accepted, flow):
        welcome, done = stranger(daemon, access.groups, HELLO, Kill(flow))
        assert isinstance(welcome, Welcome)
        assert welcome.may == access.may
        assert isinstance(done, Done)
        with pytest.raises((ConnectionAbortedError, ConnectionResetError)):
            opener.recv(1)
        assert f"uid {NOBODY}, pid " in daemon.log


@contextmanager
def acting(
    namespace: Namespace, directory: Path, access: Access
) -> Iterator[tuple[Daemon, socket.socket, socket.socket, str]]:
    """A daemon with this configuration, both ends of a connection, and its id."""
    daemon = Daemon(namespace, directory)
    daemon.configure(f'[access]\ngroup = "{access.group}"\nadmin_group = "{access.admin_group}"\nothers = "own"\n')
    with ExitStack() as stack, daemon:
        opener, accepted, port = connection(stack, namespace, namespace, "127.0.0.1")
        with Viewer(daemon) as viewer:
            yield daemon, opener, accepted, viewer.flow(port)


def test_details_have_process_ends_and_rates_and_follow_the_flow_to_its_end(
    router: Router, tmp_path: Path, stack: ExitStack
) -> None:
    opener, accepted, port = connection(stack, router.lan[0], router.wan, "1.1.1.1")
    made = Daemon(router.router, tmp_path)
    made.configure("[history]\nclosed = 1\n")  # the details end with what is kept of a closed flow
    with made as daemon, Viewer(daemon) as viewer:
        flow = viewer.flow(port)
        opener.sendall(b"x" * 10_000)
        accepted.recv(10_000, socket.MSG_WAITALL)

        def is_complete(detail: Detail) -> bool:
            assert detail.ends is not None
            assert detail.history is not None
            # places are looked up in the background
            return detail.ends["dst"]["country"] is not None and any(orig for _, orig, _ in detail.history)

        detail = viewer.detail(flow, is_complete)
        told, ends, history = detail["flow"], detail["ends"], detail["history"]
        assert (told["direction"], told["nat"]) == ("forwarded", "snat")
        assert [ends[end]["address"] for end in ("src", "dst", "reply_src", "reply_dst")] == [
            "192.168.1.11",
            "1.1.1.1",
            "1.1.1.1",
            ROUTER_V4,
        ]
        assert [ends[end]["scope"] for end in ("src", "dst", "reply_dst")] == ["lan", "remote", "host"]
        assert ends["src"]["mac"]
        assert ends["dst"]["country"] == ends["reply_src"]["country"] == told["dst_country"]
        times = [at for at, _, _ in history]
        assert times == sorted(times)
        assert history[0] == [told["first_seen"], None, None]
        ctid = next(entry["id"] for entry in conntrack.listing(router.router) if entry["sport"] == port)
        assert told["ctid"] == ctid
        for end in (opener, accepted):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("=ii", 1, 0))
            end.close()
        conntrack.flush(router.router)
        while (last := viewer.hear(Detail)).flow is not None:
            pass
        assert last == Detail(flow, None)


def test_details_tell_what_rules_have_attached_to_a_flow(daemon: Daemon, stack: ExitStack) -> None:
    host = daemon.namespace
    host.nft(
        'table inet marks { ct helper ftp { type "ftp" protocol tcp; }; chain c { type filter hook output priority 0; '
        'ct state new ct helper set "ftp"; ct state new ct label set 5; ct state new ct label set 100; }; }'
    )
    _opener, _accepted, port = connection(stack, host, host, "127.0.0.1")
    with Viewer(daemon) as viewer:
        told = viewer.detail(viewer.flow(port), lambda detail: detail.flow["labels"] is not None)["flow"]
        assert (told["helper"], told["labels"]) == ("ftp", ["5", "100"])
        conntrack.flush(host)
        last = viewer.detail(told["id"], lambda detail: detail.flow["closed"])["flow"]
        assert (last["helper"], last["labels"]) == ("ftp", ["5", "100"])


def test_details_of_a_local_flow_name_its_process(daemon: Daemon, stack: ExitStack) -> None:
    host = daemon.namespace
    _opener, _accepted, port = connection(stack, host, host, "127.0.0.1")
    with Viewer(daemon) as viewer:
        told = viewer.detail(viewer.flow(port), lambda detail: detail.flow["pid"] is not None)["flow"]
    assert told["pid"] == os.getpid()
    assert told["command"].split()[0] == Path("/proc/self/cmdline").read_text().split("\0")[0]
    assert (told["parent"], told["parent_pid"]) == (psutil.Process(os.getppid()).name(), os.getppid())
    assert f":{told['cgroup']}\n" in Path("/proc/self/cgroup").read_text()
    assert told["explanation"] == "the process has a connected socket with this very tuple"
    assert told["started"] < told["first_seen"]
