"""flowtopd.enrich.process.sockets: what is asked of the kernel, and what it says."""

import contextlib
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from flowtopd.enrich.process.sockets import Sockets
from flowtopd.flows.names import DCCP, SCTP, TCP, UDP
from flowtopd.netlink.datagrams import QUESTIONS
from flowtopd.netlink.nlsocket import open_sock_diag
from flowtopd.netlink.sock_diag import Question
from testbed.netns import Namespace

LOOPBACK = (0, 0xFFFF_7F00_0001)
ICMP = 1
RAW_LINE = b"   1: 00000000:%04X 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 %d 2 0 0\n"


@pytest.fixture
def sockets(namespace: Namespace) -> Iterator[Sockets]:
    with namespace.entered(), contextlib.closing(Sockets()) as made:
        yield made


def inode(sock: socket.socket) -> int:
    return os.fstat(sock.fileno()).st_ino


@pytest.mark.kernel
def test_more_questions_than_fit_into_one_turn_are_all_answered(namespace: Namespace, sockets: Sockets) -> None:
    count = QUESTIONS + 10
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(namespace.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(count)
        kept = [stack.enter_context(namespace.socket()) for _ in range(count)]
        port = listener.getsockname()[1]
        for each in kept:
            each.connect(("127.0.0.1", port))
        questions = [Question(socket.AF_INET, TCP, LOOPBACK, each.getsockname()[1], LOOPBACK, port) for each in kept]
        assert sockets.exact(questions)["inode"].tolist() == [inode(each) for each in kept]


@pytest.mark.kernel
def test_who_is_not_connected_is_no_exact_answer(namespace: Namespace, sockets: Sockets) -> None:
    """The kernel names the socket that would receive it, which may have company."""
    with namespace.socket(socket.AF_INET, socket.SOCK_DGRAM) as bound:
        bound.bind(("127.0.0.1", 0))
        question = Question(socket.AF_INET, UDP, LOOPBACK, bound.getsockname()[1], LOOPBACK, 9)
        assert len(sockets.exact([question])["inode"]) == 0


@pytest.mark.kernel
def test_no_questions_are_no_answers(sockets: Sockets) -> None:
    assert len(sockets.exact([])["inode"]) == 0


@pytest.mark.kernel
def test_ipv4_flows_need_the_sockets_of_both_families(namespace: Namespace, sockets: Sockets) -> None:
    with (
        namespace.socket(socket.AF_INET, socket.SOCK_DGRAM) as one,
        namespace.socket(socket.AF_INET6, socket.SOCK_DGRAM) as other,
    ):
        one.bind(("127.0.0.1", 0))
        other.bind(("::", 0))
        assert set(sockets.table([(socket.AF_INET, UDP)])["inode"].tolist()) == {inode(one), inode(other)}
        assert sockets.table([(socket.AF_INET6, UDP)])["inode"].tolist() == [inode(other)]
        assert len(sockets.table([(socket.AF_INET, TCP)])["inode"]) == 0


@pytest.mark.kernel
def test_ping_sockets_are_read_from_proc(namespace: Namespace, sockets: Sockets) -> None:
    namespace.sysctl("net.ipv4.ping_group_range", "0 0")
    with namespace.socket(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_ICMP) as ping:
        ping.bind(("127.0.0.1", 4711))
        table = sockets.table([(socket.AF_INET, ICMP)])
        assert table["inode"].tolist() == [inode(ping)]
        assert table["local_port"].tolist() == [4711]


@pytest.mark.kernel
def test_raw_sockets_have_their_protocol(namespace: Namespace, sockets: Sockets) -> None:
    with (
        namespace.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as one,
        namespace.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_GRE) as other,
    ):
        raw = sockets.raw()
        rows = set(zip(raw["inode"].tolist(), raw["family"].tolist(), raw["protocol"].tolist(), strict=True))
        assert rows == {(inode(one), socket.AF_INET, 1), (inode(other), socket.AF_INET6, 47)}
        assert set(raw["local_port"].tolist()) == {0}


def test_a_proc_without_these_tables_has_no_such_sockets(tmp_path: Path) -> None:
    sockets = Sockets(net=tmp_path)
    assert len(sockets.raw()["inode"]) == 0
    (tmp_path / "raw").write_bytes(b"head\n" + RAW_LINE % (1, 5) + (RAW_LINE % (2, 6))[:40])
    assert sockets.raw()["inode"].tolist() == [5]


@pytest.mark.kernel
def test_a_protocol_that_the_kernel_does_not_have_is_asked_for_once(namespace: Namespace) -> None:
    opened = 0

    def counted() -> socket.socket:
        nonlocal opened
        opened += 1
        return open_sock_diag()

    with namespace.entered(), contextlib.closing(Sockets(counted)) as sockets:
        for _ in range(3):
            assert len(sockets.table([(socket.AF_INET, SCTP), (socket.AF_INET6, DCCP)])["inode"]) == 0
    # after each refusal the socket is made anew
    assert opened <= 3
