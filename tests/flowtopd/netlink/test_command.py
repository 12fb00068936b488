"""Commands and their acknowledgements, from a kernel of our own; a real one is in tests/flowtopd/system."""

import errno
import socket
import struct
from collections.abc import Iterator

import pytest

from flowtopd.netlink.command import command
from flowtopd.netlink.nlmsg import NLMSGHDR, NetlinkError, request


def answer(seq: int, code: int, kind: int = 2) -> bytes:
    return NLMSGHDR.pack(36, kind, 0, seq, 0) + struct.pack("=i", code) + bytes(16)


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        yield ours, theirs


def commanded(ends: tuple[socket.socket, socket.socket], *answers: tuple[int, int, int]) -> None:
    """One command, for which the kernel has these answers: beside its number, code, kind."""
    ours, theirs = ends

    def make(seq: int) -> bytes:
        for beside, code, kind in answers:
            theirs.send(answer(seq + beside, code, kind))
        return request(0x102, 5, seq, b"")

    command(ours, make)


def test_it_returns_when_the_kernel_has_done_it(ends: tuple[socket.socket, socket.socket]) -> None:
    commanded(ends, (0, 0, 2))
    assert len(ends[1].recv(100)) == NLMSGHDR.size


def test_answers_to_others_are_not_taken_for_its_own(ends: tuple[socket.socket, socket.socket]) -> None:
    with pytest.raises(NetlinkError) as caught:
        commanded(ends, (-1, -errno.EPERM, 2), (0, -errno.EPERM, 0x100), (0, -errno.ENOENT, 2))
    assert caught.value.errno == errno.ENOENT


def test_silence_is_an_error(ends: tuple[socket.socket, socket.socket]) -> None:
    ends[0].setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("@ll", 0, 1000))
    with pytest.raises(NetlinkError) as caught:
        commanded(ends)
    assert caught.value.errno == errno.EAGAIN
