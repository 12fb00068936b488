"""Flows that are ended for real: in namespaces, with `conntrack -L` and the programs as witnesses."""

import ctypes
import errno
import socket
import struct
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace

import numpy as np
import pytest

from flowtopd.flows.dimensions import Attribution, Direction
from flowtopd.flows.snapshot import Moment, Snapshot
from flowtopd.flows.table import FlowTable
from flowtopd.netlink.ctnetlink import Decoder, dump_request
from flowtopd.netlink.nlsocket import NetlinkSocket
from flowtopd.system.flow_ending import close_sockets, delete, end_flow
from testbed import conntrack
from testbed.entries import HELPER_RULE, LABEL_RULE, SPECIAL, mix
from testbed.inject import inject
from testbed.netns import Namespace
from testbed.router import Router

pytestmark = pytest.mark.kernel


def taken(host: Namespace) -> Snapshot:
    decoder = Decoder()
    decoder.begin(64)
    with host.entered(), NetlinkSocket() as netlink:
        for block in netlink.dump(dump_request):
            decoder.feed(block.data, block.seq, 0.0)
    return FlowTable().apply(decoder.finish(), Moment(1_700_000_000.0, 0.0))


def ids(host: Namespace) -> set[int]:
    return {entry["id"] for entry in conntrack.listing(host)}


@pytest.fixture
def table(namespace: Namespace) -> Namespace:
    namespace.nft(LABEL_RULE)
    namespace.nft(HELPER_RULE)
    inject(namespace, SPECIAL.values())
    inject(namespace, mix(40))
    return namespace


def test_every_kind_of_entry_is_deleted_and_no_other_is(table: Namespace) -> None:
    before = taken(table)
    left = ids(table)
    for row in range(before.size):
        with table.entered():
            assert delete(before, row) == "its entry is deleted"
        left.remove(int(before.columns["ctid"][row]))
        if row % 8 == 0 or len(left) < 4:
            assert ids(table) == left
    assert left == set()


def changed(before: Snapshot, **values: int) -> Snapshot:
    """The snapshot as it is, but for these values in all rows."""
    columns = {name: np.full_like(before.columns[name], value) for name, value in values.items()}
    return replace(before, columns=before.columns | columns)


def test_an_entry_with_the_same_tuple_and_another_id_stays(table: Namespace) -> None:
    before = taken(table)
    other = changed(before, ctid=int(before.columns["ctid"][0]) ^ 1)
    with table.entered(), pytest.raises(OSError, match="its entry is gone already") as caught:
        delete(other, 0)
    assert caught.value.errno == errno.ENOENT
    assert len(ids(table)) == before.size


def test_an_entry_that_is_gone_is_said_to_be_gone(table: Namespace) -> None:
    before = taken(table)
    conntrack.flush(table)
    with table.entered(), pytest.raises(OSError, match="its entry is gone already"):
        delete(before, 0)


@dataclass
class Connection:
    """Both ends of a connection within one host, and what was there before it."""

    client: socket.socket
    server: socket.socket
    listener: socket.socket

    def row(self, seen: Snapshot) -> int:
        """Its flow."""
        port = self.client.getsockname()[1]
        (row,) = np.flatnonzero((seen.columns["sport"] == port) & (seen.columns["proto"] == 6)).tolist()
        return int(row)


@dataclass(frozen=True)
class Way:
    """How to connect: the listener's family and address, the client's family and address, the client's device."""

    listens: tuple[socket.AddressFamily, str]
    calls: tuple[socket.AddressFamily, str]
    device: bytes = b""


WAYS = {
    "ipv4": Way((socket.AF_INET, "127.0.0.1"), (socket.AF_INET, "127.0.0.1")),
    "ipv6": Way((socket.AF_INET6, "::1"), (socket.AF_INET6, "::1")),
    "ipv4 to a listener of both": Way((socket.AF_INET6, "::"), (socket.AF_INET, "127.0.0.1")),
    "ipv4 by an ipv6 socket": Way((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::ffff:127.0.0.1")),
    "bound to a device": Way((socket.AF_INET, "127.0.0.1"), (socket.AF_INET, "127.0.0.1"), b"lo"),
}


def connect(host: Namespace, way: Way, stack: ExitStack) -> Connection:
    listener = stack.enter_context(host.socket(way.listens[0]))
    listener.bind((way.listens[1], 0))
    listener.listen()
    client = stack.enter_context(host.socket(way.calls[0]))
    if way.device:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, way.device)
    client.connect((way.calls[1], listener.getsockname()[1]))
    server = stack.enter_context(listener.accept()[0])
    for each in (client, server, listener):
        each.settimeout(10)
    return Connection(client, server, listener)


_CAP_NET_ADMIN = 12
_HEADER = struct.pack("=Ii", 0x20080522, 0)  # linux/capability.h: version 3, this thread
_libc = ctypes.CDLL(None, use_errno=True)


@contextmanager
def without_net_admin() -> Iterator[None]:
    """Run the block, in this thread, with every capability but one."""
    buffer = ctypes.create_string_buffer(24)
    assert _libc.capget(_HEADER, buffer) == 0
    effective, *others = struct.unpack("=6I", buffer.raw)
    try:
        assert _libc.capset(_HEADER, struct.pack("=6I", effective & ~(1 << _CAP_NET_ADMIN), *others)) == 0
        yield
    finally:
        assert _libc.capset(_HEADER, struct.pack("=6I", effective, *others)) == 0


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as opened:
        yield opened


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS.keys())
def test_both_ends_of_a_local_connection_are_closed_and_nothing_else_is(
    namespace: Namespace, way: Way, stack: ExitStack
) -> None:
    meant, other = connect(namespace, way, stack), connect(namespace, way, stack)
    seen = taken(namespace)
    with namespace.entered():
        assert close_sockets(seen, meant.row(seen)) == "its connection is closed"
    for end in (meant.client, meant.server):
        with pytest.raises((ConnectionAbortedError, ConnectionResetError)):
            end.recv(1)
    other.client.sendall(b"x")
    assert other.server.recv(1) == b"x"
    with namespace.socket(way.calls[0]) as again:
        again.connect((way.calls[1], meant.listener.getsockname()[1]))
        meant.listener.accept()[0].close()


def test_a_connection_to_another_host_is_closed_here_and_reset_there(router: Router, stack: ExitStack) -> None:
    listener = stack.enter_context(router.wan.socket())
    listener.bind(("1.1.1.1", 443))
    listener.listen()
    client = stack.enter_context(router.router.socket())
    client.connect(("1.1.1.1", 443))
    server = stack.enter_context(listener.accept()[0])
    for each in (client, server):
        each.settimeout(10)
    seen = taken(router.router)
    assert seen.size == 1
    with router.router.entered():
        assert close_sockets(seen, 0) == "its connection is closed"
        with pytest.raises(ConnectionAbortedError):
            client.recv(1)
        with pytest.raises(ConnectionResetError):
            server.recv(1)
        with pytest.raises(OSError, match="no socket of this host has it any more"):
            close_sockets(seen, 0)


def test_the_listener_is_never_taken_for_its_connection(namespace: Namespace, stack: ExitStack) -> None:
    """The kernel finds who listens where it finds no connection."""
    made = connect(namespace, WAYS["ipv4"], stack)
    seen = taken(namespace)
    made.server.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # a RST: no TIME_WAIT stays
    made.server.close()
    with namespace.entered(), pytest.raises(OSError, match="no socket of this host") as caught:
        close_sockets(seen, made.row(seen))
    assert caught.value.errno == errno.ENOTCONN
    with namespace.entered():  # TIME_WAIT and the like: what is left of it goes
        assert end_flow(seen, made.row(seen)) == "its entry is deleted"
        with pytest.raises(FileNotFoundError, match="gone already"):
            end_flow(seen, made.row(seen))
    with namespace.socket() as again:
        again.connect(made.listener.getsockname())


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({"proto": 17}, "only TCP connections can be closed"),
        ({"direction": Direction.FORWARDED, "attribution": Attribution.FORWARDED}, "neither end is here"),
        ({"direction": Direction.FORWARDED, "attribution": Attribution.EXACT}, "in another network namespace"),
    ],
)
def test_what_cannot_be_closed_is_told_why_and_stays(
    namespace: Namespace, values: dict[str, int], why: str, stack: ExitStack
) -> None:
    made = connect(namespace, WAYS["ipv4"], stack)
    seen = changed(taken(namespace), **values)
    with namespace.entered(), pytest.raises(OSError, match=why):
        close_sockets(seen, 0)
    made.client.sendall(b"x")
    assert made.server.recv(1) == b"x"


def test_without_the_right_the_kernel_refuses_in_words(namespace: Namespace, stack: ExitStack) -> None:
    made = connect(namespace, WAYS["ipv4"], stack)
    seen = taken(namespace)
    with namespace.entered(), without_net_admin():
        for act in (delete, close_sockets, end_flow):
            with pytest.raises(OSError, match="CAP_NET_ADMIN") as caught:
                act(seen, made.row(seen))
            assert caught.value.errno == errno.EPERM
    made.client.sendall(b"x")
    assert made.server.recv(1) == b"x"
