import errno
import socket
import threading
import time

import pytest

from flowtopd.netlink.recvmmsg import Slots


def test_datagrams_come_into_slots_of_their_own() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        for datagram in (b"one", b"three", b"four-hundred" * 10):
            theirs.send(datagram)
        slots = Slots(8, 16)
        count = slots.receive(ours.fileno(), 8)
        assert slots.sizes(count) == [3, 5, 120]  # the last one was cut, and its true size says so
        assert [bytes(slots.view[at : at + 5]) for at in (0, 16, 32)] == [b"one\0\0", b"three", b"four-"]


def test_no_more_are_taken_than_asked_for() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        for _number in range(5):
            theirs.send(b"x")
        assert Slots(8, 16).receive(ours.fileno(), 3) == 3


def test_an_error_has_its_number() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        ours.setblocking(False)
        with pytest.raises(BlockingIOError) as caught:
            Slots(1, 16).receive(ours.fileno(), 1)
        assert caught.value.errno == errno.EAGAIN


def test_other_threads_run_while_it_waits() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        waiting = threading.Thread(target=Slots(1, 16).receive, args=(ours.fileno(), 1))
        waiting.start()
        time.sleep(0.01)
        theirs.send(b"x")  # never sent if the waiting thread held the interpreter
        waiting.join(10)
        assert not waiting.is_alive()
