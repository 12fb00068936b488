"""flowtopd.netlink.sock_diag: on messages made here, against pyroute2, and against /proc/net on real sockets."""

import contextlib
import socket
import struct
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyroute2 import DiagSocket

from flowtopd.enrich.process import nettables
from flowtopd.netlink import uapi
from flowtopd.netlink.nlmsg import MalformedMessage
from flowtopd.netlink.nlsocket import NetlinkSocket, open_sock_diag
from flowtopd.netlink.sock_diag import (
    ALL_STATES,
    COLUMNS,
    LIVE,
    Columns,
    Question,
    decode_dump,
    dump_request,
    empty,
    exact_request,
    joined,
)
from testbed.netns import Namespace, wait_until
from tests.flowtopd.netlink.diagmessages import AF_INET, AF_INET6, SEQ, Sock, attr, cgroup, rows, text, v6only

TCP_FIN_WAIT1 = 4

V6 = Sock("2001:db8::1", 8080, "2001:db8::2", 50000)
WAITING = Sock("::", 53, "::", 0, state=uapi.TCP_CLOSE, attributes=(attr(8, b"\0"), v6only(1), cgroup(3)))


def decoded(*socks: Sock, protocol: int = 6) -> Columns:
    return decode_dump(b"".join(sock.message() for sock in socks), SEQ, protocol)


@pytest.mark.parametrize(
    "sock",
    [Sock(), V6, WAITING, Sock(attributes=()), Sock("0.0.0.0", 22, "0.0.0.0", 0, state=uapi.TCP_LISTEN, uid=0)],
    ids=["ipv4", "ipv6", "waiting", "no attributes", "listening"],
)
def test_a_message_becomes_a_row(sock: Sock) -> None:
    assert rows(decoded(sock)) == [sock.row()]


def test_a_table_has_every_column_of_its_type_also_when_it_is_empty() -> None:
    for table in (decoded(Sock(), V6), empty(), decode_dump(b"", SEQ, 6), joined([]), joined([decoded(V6), empty()])):
        for name, dtype in COLUMNS.items():
            assert table[name].dtype == np.dtype(dtype[:2])
            assert table[name].ndim == (2 if dtype == "u8,u8" else 1)


def test_ipv4_is_mapped_so_that_it_meets_a_socket_of_the_other_family() -> None:
    one, other = decoded(Sock()), decoded(Sock("::ffff:10.0.0.1", remote="::ffff:1.1.1.1"))
    assert one["local"].tolist() == other["local"].tolist() == [[0, 0xFFFF_0A00_0001]]
    assert one["remote"].tolist() == other["remote"].tolist()


@st.composite
def socks(draw: st.DrawFn) -> Sock:
    address = st.ip_addresses(v=draw(st.sampled_from([4, 6]))).map(str)
    attributes = draw(
        st.lists(
            st.one_of(
                st.integers(0, 2**64 - 1).map(cgroup),
                st.integers(0, 1).map(v6only),
                st.tuples(st.sampled_from([1, 8, 15, 17, 22, 99]), st.binary(max_size=12)).map(lambda v: attr(*v)),
            ),
            max_size=5,
            unique_by=lambda one: one[2],
        )
    )
    port, word = st.integers(0, 0xFFFF), st.integers(0, 0xFFFF_FFFF)
    return Sock(
        *(draw(address), draw(port), draw(address), draw(port), draw(st.integers(1, 13))),
        *(draw(word), draw(word), draw(word), tuple(attributes)),
    )


@given(st.lists(socks(), min_size=1, max_size=30))
def test_messages_of_any_layout_in_any_mixture_become_their_rows(all_of_them: list[Sock]) -> None:
    assert rows(decoded(*all_of_them)) == [sock.row() for sock in all_of_them]


def changed(message: bytes, at: int, value: bytes) -> bytes:
    return message[:at] + value + message[at + len(value) :]


@pytest.mark.parametrize(
    ("block", "why"),
    [
        (Sock().message()[:60], "message length"),
        (struct.pack("=IHHII", 20, 20, 2, SEQ, 0) + bytes(4), "without inet_diag_msg"),
        (changed(Sock().message(), 88, b"\x03\x00"), "attribute 8 of length 3"),
        (changed(Sock().message(), 88, b"\xff\x00"), "attribute 8 of length 255"),
        (Sock(attributes=(attr(21, bytes(4)),)).message(), "attribute 21 of 4 bytes, not 8"),
        (Sock(attributes=(attr(11, bytes(2)),)).message(), "attribute 11 of 2 bytes, not 1"),
        (Sock().message(seq=SEQ + 1), "unexpected message"),
        (Sock().message() + bytes(4), "where a message header should be"),
    ],
    ids=["cut", "short", "attribute too short", "attribute too long", "cgroup", "v6only", "other dump", "garbage"],
)
def test_what_lies_about_a_length_is_refused(block: bytes, why: str) -> None:
    with pytest.raises(MalformedMessage, match=why):
        decode_dump(block, SEQ, 6)
    good = Sock().message()
    with pytest.raises(MalformedMessage, match=why):
        decode_dump(good + good + block, SEQ, 6)


@pytest.mark.parametrize("length", range(4, len(Sock().message()), 4))
def test_a_message_that_is_cut_anywhere_is_refused(length: int) -> None:
    with pytest.raises(MalformedMessage):
        decode_dump(Sock().message()[:length], SEQ, 6)


def test_an_exact_request_for_udp_names_the_remote_end_first() -> None:
    ends = ((0, 0xFFFF_0A00_0001), 1000, (0, 0xFFFF_0101_0101), 2000)
    local, remote = struct.pack(">H", 1000), struct.pack(">H", 2000)
    tcp, udp = (exact_request(Question(AF_INET, protocol, *ends), SEQ) for protocol in (6, 17))
    assert len(tcp) == len(udp) == 72
    assert tcp[24:28] == local + remote
    assert udp[24:28] == remote + local
    assert tcp[28:32] == udp[44:48] == bytes((10, 0, 0, 1))


def dumped(family: int, protocol: int, states: int = ALL_STATES) -> Columns:
    with NetlinkSocket(open_sock_diag) as netlink:
        blocks = netlink.dump(partial(dump_request, family, protocol, states))
        return joined(decode_dump(block.data, block.seq, protocol) for block in blocks)


def acknowledged(family: int) -> bool:
    return TCP_FIN_WAIT1 not in dumped(family, 6)["state"]


@pytest.fixture
def crowd(namespace: Namespace) -> Iterator[Namespace]:
    """Sockets of every kind that sock_diag shows, in all states that are easily had."""
    with contextlib.ExitStack() as stack, namespace.entered():

        def opened(family: int, kind: int, proto: int = 0) -> socket.socket:
            return stack.enter_context(socket.socket(family, kind, proto))

        for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
            listener = opened(family, socket.SOCK_STREAM)
            listener.bind((address, 0))
            listener.listen()
            for _ in range(20):
                near = opened(family, socket.SOCK_STREAM)
                near.connect(listener.getsockname())
            accepted = stack.enter_context(listener.accept()[0])
            accepted.close()
            wait_until(partial(acknowledged, family))
            for proto in (socket.IPPROTO_UDP, socket.IPPROTO_UDPLITE):
                opened(family, socket.SOCK_DGRAM, proto).bind((address, 0))
                opened(family, socket.SOCK_DGRAM, proto).connect((address, 9))
        for only in (0, 1):
            dual = opened(socket.AF_INET6, socket.SOCK_STREAM)
            dual.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, only)
            dual.bind(("::", 0))
            dual.listen()
            if not only:
                opened(socket.AF_INET, socket.SOCK_STREAM).connect(("127.0.0.1", dual.getsockname()[1]))
                stack.enter_context(dual.accept()[0])
        yield namespace


@pytest.mark.kernel
@pytest.mark.parametrize("protocol", [6, 17, 136], ids=["tcp", "udp", "udplite"])
@pytest.mark.parametrize("family", [AF_INET, AF_INET6], ids=["ipv4", "ipv6"])
def test_a_real_dump_is_what_pyroute2_makes_of_it(crowd: Namespace, family: int, protocol: int) -> None:
    del crowd
    ours = dumped(family, protocol)
    with DiagSocket() as diag:
        theirs = diag.get_sock_stats(family, ALL_STATES, protocol)
    assert {
        (
            *(one["idiag_state"], one["idiag_src"], one["idiag_sport"], one["idiag_dst"], one["idiag_dport"]),
            *(one["idiag_uid"], one["idiag_inode"]),
        )
        for one in theirs
    } == {
        (state, plain(family, local), local_port, plain(family, remote), remote_port, uid, inode)
        for _, _, state, local, local_port, remote, remote_port, _, uid, inode, _, _ in rows(ours)
    }
    assert len(theirs) == len(ours["inode"]) > 1


def plain(family: int, address: str) -> str:
    """An address as pyroute2 writes it."""
    return f"::ffff:{address}" if family == AF_INET6 and "." in address else address


@pytest.mark.kernel
@pytest.mark.parametrize("name", ["tcp", "tcp6", "udp", "udp6", "udplite", "udplite6"])
def test_a_real_dump_is_what_proc_net_says(crowd: Namespace, name: str) -> None:
    del crowd

    def seen(columns: Columns) -> list[tuple[object, ...]]:
        return sorted((*row[:7], row[8], row[9]) for row in rows(columns))

    family, protocol = nettables.TABLES[name]
    theirs = nettables.parse({name: Path(f"/proc/thread-self/net/{name}").read_bytes()})
    assert seen(dumped(family, protocol)) == seen(theirs)


@pytest.mark.kernel
def test_who_leaves_ipv4_alone_is_told_from_who_serves_both(crowd: Namespace) -> None:
    del crowd
    sockets = dumped(AF_INET6, 6, 1 << uapi.TCP_LISTEN)
    wildcard = ~sockets["local"].any(axis=1)
    assert sorted(sockets["v6only"][wildcard].tolist()) == [0, 1]


@pytest.mark.kernel
def test_what_nobody_holds_any_more_is_left_out_on_request(crowd: Namespace) -> None:
    del crowd
    everything, live = dumped(AF_INET, 6), dumped(AF_INET, 6, LIVE)
    assert uapi.TCP_TIME_WAIT not in live["state"]
    assert len(live["inode"]) <= len(everything["inode"])


@pytest.mark.kernel
def test_the_cgroup_of_a_socket_is_the_inode_of_its_directory(namespace: Namespace) -> None:
    with namespace.entered(), socket.create_server(("127.0.0.1", 0)):
        sockets = dumped(AF_INET, 6)
    lines = Path("/proc/self/cgroup").read_text(encoding="ascii").splitlines()
    path = next(line.partition("::")[2] for line in lines if line.startswith("0::"))
    lines = Path("/proc/self/mountinfo").read_text(encoding="ascii").splitlines()
    mount = next(line.split()[4] for line in lines if " - cgroup2 " in line)
    assert sockets["cgroup"].tolist() == [Path(mount + path).stat().st_ino]
    assert text(sockets["local"][0].tolist()) == "127.0.0.1"
