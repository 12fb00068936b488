"""flowtopd.enrich.process.nettables: what /proc/PID/net prints is what the sockets are."""

import contextlib
import ipaddress
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from flowtopd.enrich.process.nettables import TABLES, parse
from flowtopd.netlink import sock_diag, uapi
from testbed.netns import Namespace

HEADER = b"  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
LINE = b"   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 31337 1 0 100 0\n"

Row = tuple[int, int, str, int, str, int, int]
"""Family, protocol, local address and port, remote address and port, inode."""


def text(halves: list[int]) -> str:
    value = ipaddress.IPv6Address(halves[0] << 64 | halves[1])
    return str(value.ipv4_mapped or value)


def rows(columns: sock_diag.Columns) -> set[Row]:
    return set(
        zip(
            columns["family"].tolist(),
            columns["protocol"].tolist(),
            map(text, columns["local"].tolist()),
            columns["local_port"].tolist(),
            map(text, columns["remote"].tolist()),
            columns["remote_port"].tolist(),
            columns["inode"].tolist(),
            strict=True,
        )
    )


def row(sock: socket.socket, protocol: int) -> Row:
    local, local_port = sock.getsockname()[:2]
    try:
        remote, remote_port = sock.getpeername()[:2]
    except OSError:
        remote, remote_port = ("::" if sock.family == socket.AF_INET6 else "0.0.0.0"), 0
    ends = [str(ipaddress.IPv6Address(end).ipv4_mapped or end) if ":" in end else end for end in (local, remote)]
    inode = os.fstat(sock.fileno()).st_ino
    return sock.family, protocol, ends[0], local_port, ends[1], remote_port, inode


@pytest.fixture(scope="module")
def host() -> Iterator[Namespace]:
    with Namespace() as made:
        made.sysctl("net.ipv4.ping_group_range", "0 0")
        made.run(["ip", "address", "add", "2001:db8::1:2:3", "dev", "lo", "nodad"])
        yield made


def read(host: Namespace) -> dict[str, bytes]:
    with host.entered():
        return {name: Path(f"/proc/thread-self/net/{name}").read_bytes() for name in TABLES}


@pytest.mark.kernel
@pytest.mark.parametrize("local", ["127.0.0.1", "::1", "2001:db8::1:2:3"])
@pytest.mark.parametrize(
    ("kind", "protocol"),
    [(socket.SOCK_STREAM, 6), (socket.SOCK_DGRAM, 17), (socket.SOCK_DGRAM, 136), (socket.SOCK_DGRAM, 1)],
)
def test_every_kind_of_socket_is_there_with_its_tuple(host: Namespace, local: str, kind: int, protocol: int) -> None:
    family = socket.AF_INET6 if ":" in local else socket.AF_INET
    if protocol == socket.IPPROTO_ICMP and family == socket.AF_INET6:
        protocol = socket.IPPROTO_ICMPV6
    with host.socket(family, kind, protocol) as bound, host.socket(family, kind, protocol) as connected:
        bound.bind((local, 0))
        if kind == socket.SOCK_STREAM:
            bound.listen()
        connected.connect(bound.getsockname())
        found = rows(parse(read(host)))
        assert {row(bound, protocol), row(connected, protocol)} <= found


@pytest.mark.kernel
def test_a_mapped_address_is_the_ipv4_one(host: Namespace) -> None:
    with host.socket(socket.AF_INET6) as server, host.socket() as client:
        server.bind(("::", 0))
        server.listen()
        client.connect(("127.0.0.1", server.getsockname()[1]))
        accepted, _ = server.accept()
        with accepted:
            assert row(accepted, 6) in rows(parse(read(host)))
            assert row(accepted, 6)[2] == "127.0.0.1"


@pytest.mark.kernel
def test_state_and_user_are_told(host: Namespace) -> None:
    with host.socket() as server:
        os.fchown(server.fileno(), 65534, -1)
        server.bind(("127.0.0.1", 0))
        server.listen()
        columns = parse(read(host))
        (at,) = (columns["inode"] == os.fstat(server.fileno()).st_ino).nonzero()[0]
    assert columns["state"][at] == 10  # TCP_LISTEN
    assert columns["uid"][at] == 65534


@pytest.mark.kernel
@pytest.mark.parametrize("with_ipv4", [True, False])
def test_an_ipv6_server_beside_an_ipv4_one_leaves_ipv4_to_it(host: Namespace, *, with_ipv4: bool) -> None:
    with contextlib.ExitStack() as stack:
        ipv6 = stack.enter_context(host.socket(socket.AF_INET6))
        ipv6.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        ipv6.bind(("::", 8080))
        ipv6.listen()
        if with_ipv4:
            ipv4 = stack.enter_context(host.socket())
            ipv4.bind(("0.0.0.0", 8080))
            ipv4.listen()
        columns = parse(read(host))
        (at,) = (columns["inode"] == os.fstat(ipv6.fileno()).st_ino).nonzero()[0]
        assert bool(columns["v6only"][at]) is with_ipv4
        assert columns["v6only"].sum() == with_ipv4


@pytest.mark.kernel
def test_an_ipv6_socket_beside_one_of_a_single_ipv4_address_serves_ipv4(host: Namespace) -> None:
    with host.socket(socket.AF_INET6, socket.SOCK_DGRAM) as ipv6, host.socket(kind=socket.SOCK_DGRAM) as ipv4:
        for each, local in ((ipv6, "::"), (ipv4, "127.0.0.1")):
            each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            each.bind((local, 8081))
        columns = parse(read(host))
    assert columns["v6only"][columns["local_port"] == 8081].tolist() == [0, 0]


@pytest.mark.kernel
def test_the_tables_are_those_that_sock_diag_tells(host: Namespace) -> None:
    """The columns and dtypes of the other way to ask, so that one matcher serves both."""
    columns = parse(read(host))
    assert {name: values.dtype for name, values in columns.items()} == {
        name: values.dtype for name, values in sock_diag.empty().items()
    }


def test_no_tables_are_no_rows() -> None:
    assert len(parse({})["inode"]) == len(parse({"tcp": b"", "tcp6": HEADER})["inode"]) == 0


@pytest.mark.parametrize("cut", range(LINE.index(b"31337")))
def test_a_line_that_is_too_short_is_skipped(cut: int) -> None:
    columns = parse({"tcp": HEADER + LINE + LINE[:cut] + b"\n"})
    assert columns["inode"].tolist() == [31337]
    assert (columns["uid"].tolist(), columns["local_port"].tolist()) == ([1000], [8080])


def test_tables_of_one_kind_do_not_disturb_those_of_another() -> None:
    columns = parse({"udp": HEADER + LINE, "tcp": HEADER + LINE * 2, "icmp": HEADER})
    assert columns["protocol"].tolist() == [socket.IPPROTO_UDP, *[socket.IPPROTO_TCP] * 2]
    assert set(columns["family"].tolist()) == {uapi.AF_INET}
