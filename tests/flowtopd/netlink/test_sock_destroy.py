"""Which sockets of a dump are meant, and that the request is for them alone. Closing: tests/flowtopd/system."""

import struct

import pytest

from flowtopd.netlink.nlmsg import NLMSGHDR, MalformedMessage
from flowtopd.netlink.sock_destroy import Ends, connected, destroy_request
from tests.flowtopd.netlink.diagmessages import AF_INET, AF_INET6, SEQ, Sock

HERE, THERE = (0, 0xFFFF_0A00_0001), (0, 0xFFFF_0101_0101)
WANTED = Ends(HERE, 40000, THERE, 443)
MAPPED = Sock("::ffff:10.0.0.1", 40000, "::ffff:1.1.1.1", 443)
OTHERS = (
    Sock(local_port=40001),
    Sock(remote_port=80),
    Sock(local="10.0.0.2"),
    Sock(remote="1.1.1.2"),
    Sock("1.1.1.1", 443, "10.0.0.1", 40000),
    Sock("10.0.0.1", 40000, "0.0.0.0", 0),
)


def found(*socks: Sock, wanted: tuple[Ends, ...] = (WANTED,)) -> list[tuple[int, bytes]]:
    block = b"".join(sock.message() for sock in socks)
    return [(one.family, one.raw) for one in connected(memoryview(block), SEQ, 6, wanted)]


@pytest.mark.parametrize(("sock", "family"), [(Sock(ifindex=3), AF_INET), (MAPPED, AF_INET6)])
def test_the_socket_with_these_ends_is_found_among_others_with_its_id_as_it_is(sock: Sock, family: int) -> None:
    assert found(*OTHERS, sock, *OTHERS) == [(family, sock.message()[20:68])]


def test_both_ends_are_found_and_nothing_where_nothing_is_wanted() -> None:
    back = Ends(THERE, 443, HERE, 40000)
    assert len(found(*OTHERS, Sock(), wanted=(WANTED, back))) == 2
    assert found(*OTHERS, Sock(), wanted=()) == []
    assert found() == []


def test_a_broken_block_is_refused() -> None:
    with pytest.raises(MalformedMessage):
        connected(Sock().message()[:-4], SEQ, 6, (WANTED,))


def test_the_request_means_this_socket_by_cookie_and_device() -> None:
    (one,) = connected(Sock(ifindex=3).message(), SEQ, 6, (WANTED,))
    asked = destroy_request(one, 6, 99)
    assert NLMSGHDR.unpack_from(asked) == (len(asked), 21, 0x5, 99, 0)
    assert len(asked) == 16 + 56  # struct inet_diag_req_v2
    assert (asked[16], asked[17]) == (AF_INET, 6)
    assert struct.unpack_from(">HH", asked, 24) == (40000, 443)
    assert struct.unpack_from("=III", asked, 60) == (3, 1, 2)
