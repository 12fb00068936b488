import contextlib
import errno
import socket
import struct
from collections.abc import Iterator
from typing import Any

import pytest

from flowtopd.netlink import nlsocket
from flowtopd.netlink.ctnetlink import Decoder, dump_request
from flowtopd.netlink.nlmsg import MalformedMessage, NetlinkError
from flowtopd.netlink.nlsocket import NetlinkSocket
from testbed.entries import mix
from testbed.inject import inject
from testbed.netns import Namespace
from tests.flowtopd.netlink.ctmessages import done, tcp


class Kernel:
    """The kernel's end of sockets that keep the bounds of messages, as netlink does. Each request is one dump's."""

    def __init__(self, *dumps: tuple[bytes, ...]) -> None:
        self.dumps = list(dumps)
        self.opened = 0
        self._ends: list[socket.socket] = []

    def open(self) -> socket.socket:
        self.opened += 1
        ours = _Asking(self)
        self._ends.append(ours.theirs)
        return ours

    def close(self) -> None:
        for end in self._ends:
            end.close()


class _Asking(socket.socket):
    """Our end: what is sent is a request, and the answer is there when it returns."""

    def __init__(self, kernel: Kernel) -> None:
        ours, self.theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        super().__init__(fileno=ours.detach())
        self.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("@ll", 5, 0))
        self._kernel = kernel

    def send(self, data: Any, flags: int = 0) -> int:
        for read in self._kernel.dumps.pop(0):
            self.theirs.send(read)
        return len(data) + flags


@pytest.fixture
def kernels() -> Iterator[contextlib.ExitStack]:
    with contextlib.ExitStack() as stack:
        yield stack


def answered(kernels: contextlib.ExitStack, *reads: bytes, blocks: int = 1) -> list[bytes]:
    kernel = Kernel(reads)
    kernels.callback(kernel.close)
    with NetlinkSocket(kernel.open) as netlink:
        got = [bytes(block.data) for block in netlink.dump(lambda _seq: b"request")]
    assert len(got) == blocks
    return got


@pytest.fixture(autouse=True)
def fixed_seq(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flowtopd.netlink.nlsocket.random.randrange", lambda *_bounds: 0x5BD1E995)


def error(code: int) -> bytes:
    return struct.pack("=IHHIIi", 36, 2, 0, 0x5BD1E995, 0, -code) + bytes(16)


def test_reads_are_packed_one_after_the_other(kernels: contextlib.ExitStack) -> None:
    assert answered(kernels, tcp(1) + tcp(2), tcp(3), done()) == [tcp(1) + tcp(2) + tcp(3)]


def test_done_in_the_same_read_as_entries_ends_the_dump(kernels: contextlib.ExitStack) -> None:
    assert answered(kernels, tcp(1) + done()) == [tcp(1)]


def test_an_empty_table_is_one_empty_block(kernels: contextlib.ExitStack) -> None:
    assert answered(kernels, done()) == [b""]


def test_a_full_buffer_is_handed_out_and_the_other_one_filled(
    kernels: contextlib.ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nlsocket, "SLOTS", 2)
    read = b"".join(tcp(number) for number in range(10))
    blocks = answered(kernels, read, tcp(1), read, tcp(2), done(), blocks=3)
    assert b"".join(blocks) == read + tcp(1) + read + tcp(2)


@pytest.mark.parametrize(
    "reads",
    [(error(errno.EPERM),), (tcp(1), error(errno.EPERM)), (tcp(1), done(code=-errno.EPERM))],
    ids=["at once", "in the middle", "at the end"],
)
def test_what_the_kernel_refuses_is_an_error_with_its_number(
    kernels: contextlib.ExitStack, reads: tuple[bytes, ...]
) -> None:
    with pytest.raises(NetlinkError) as caught:
        answered(kernels, *reads)
    assert caught.value.errno == errno.EPERM


@pytest.mark.parametrize("read", [b"\x01\x02", tcp(1)[:18], tcp(1) + b"\0"], ids=["tiny", "short", "odd"])
def test_a_short_read_is_refused(kernels: contextlib.ExitStack, read: bytes) -> None:
    with pytest.raises(MalformedMessage, match="a read of"):
        answered(kernels, read)


def test_a_read_that_was_cut_is_refused(kernels: contextlib.ExitStack) -> None:
    with pytest.raises(MalformedMessage, match="was cut to 32768"):
        answered(kernels, bytes(40_000))


def test_after_an_error_the_next_dump_has_a_socket_of_its_own(kernels: contextlib.ExitStack) -> None:
    kernel = Kernel((error(errno.EBUSY),), (tcp(1), done()))
    kernels.callback(kernel.close)
    with NetlinkSocket(kernel.open) as netlink:
        with pytest.raises(NetlinkError):
            list(netlink.dump(lambda _seq: b"request"))
        assert [bytes(block.data) for block in netlink.dump(lambda _seq: b"request")] == [tcp(1)]
    assert kernel.opened == 2


def test_a_dump_given_up_half_way_leaves_nothing_for_the_next(kernels: contextlib.ExitStack) -> None:
    kernel = Kernel((tcp(1), done()), (tcp(1), done()))
    kernels.callback(kernel.close)
    with NetlinkSocket(kernel.open) as netlink:
        first = netlink.dump(lambda _seq: b"request")
        next(first)
        first.close()
        assert [bytes(block.data) for block in netlink.dump(lambda _seq: b"request")] == [tcp(1)]
    assert kernel.opened == 2


@pytest.mark.kernel
def test_answers_that_were_lost_are_an_error(namespace: Namespace) -> None:
    """The kernel itself says ENOBUFS, once a message did not fit into a receive buffer of the smallest size."""

    def overflown() -> socket.socket:
        with namespace.entered():
            events = nlsocket.open_netfilter()
        events.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 0)
        events.setsockopt(270, 1, struct.pack("i", 1))  # SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, NFNLGRP_CONNTRACK_NEW
        inject(namespace, mix(200))
        return events

    with NetlinkSocket(overflown) as netlink, pytest.raises(NetlinkError) as caught:
        list(netlink.dump(dump_request))
    assert caught.value.errno == errno.ENOBUFS


@pytest.mark.kernel
def test_a_real_table_is_read_whole(namespace: Namespace) -> None:
    inject(namespace, mix(20_000))
    decoder = Decoder()
    decoder.begin(0)
    with namespace.entered(), NetlinkSocket() as netlink:
        for block in netlink.dump(dump_request):
            decoder.feed(block.data, block.seq, 0.0)
    assert decoder.finish().size == 20_000
