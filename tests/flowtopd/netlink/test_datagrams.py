"""flowtopd.netlink.datagrams: a socket that keeps the bounds of messages stands for the kernel; and the real one."""

import contextlib
import errno
import os
import socket
import struct
import time
from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice

import pytest

from flowtopd.flows.identity import flow_keys
from flowtopd.netlink import uapi
from flowtopd.netlink.ctnetlink import Decoder, dump_request
from flowtopd.netlink.ctrecord import Columns
from flowtopd.netlink.datagrams import EVENTS, SLOT, Questioner, Subscription, open_all_flows, open_new_flows
from flowtopd.netlink.nlmsg import MalformedMessage, NetlinkError
from flowtopd.netlink.nlsocket import NetlinkSocket
from flowtopd.netlink.sock_diag import Question, decode, exact_request
from testbed.entries import mix
from testbed.inject import inject
from testbed.netns import Namespace
from testbed.packets import ping
from tests.flowtopd.netlink.ctmessages import tcp
from tests.flowtopd.netlink.diagmessages import Sock, rows

DIAG = uapi.SOCK_DIAG_BY_FAMILY


class Answering(socket.socket):
    """Our end of a pair; what is sent is answered, message by message, when `send` returns."""

    def __init__(self, answer: Callable[[int], bytes]) -> None:
        ours, self.theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        super().__init__(fileno=ours.detach())
        self._answer = answer
        self.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("@ll", 1, 0))

    def send(self, data: bytes, flags: int = 0) -> int:  # type: ignore[override]
        for at in range(0, len(data), 16):
            if reply := self._answer(struct.unpack_from("=I", data, at + 8)[0]):
                self.theirs.send(reply)
        return len(data) + flags

    def close(self) -> None:
        self.theirs.close()
        super().close()


def request(seq: int) -> bytes:
    return struct.pack("=IHHII", 16, DIAG, 1, seq, 0)


def error(seq: int, code: int) -> bytes:
    return struct.pack("=IHHIIi", 36, 2, 0, seq, 0, -code) + bytes(16)


@pytest.fixture
def asking() -> Iterator[contextlib.ExitStack]:
    with contextlib.ExitStack() as stack:
        yield stack


def questioner(asking: contextlib.ExitStack, answer: Callable[[int], bytes]) -> Questioner:
    made = Questioner(lambda: Answering(answer))
    asking.callback(made.close)
    return made


def test_questions_without_an_answer_are_left_out(asking: contextlib.ExitStack) -> None:
    def answer(seq: int) -> bytes:
        return error(seq, errno.ENOENT) if seq % 2 else Sock(inode=seq).message(seq=seq, flags=0)

    view, found = questioner(asking, answer).ask([request] * 7, DIAG)
    inodes = decode(view, found, 6)["inode"].tolist()
    assert len(inodes) in {3, 4}
    assert not any(inode % 2 for inode in inodes)


def test_no_answers_at_all_are_no_rows(asking: contextlib.ExitStack) -> None:
    view, found = questioner(asking, lambda seq: error(seq, errno.ENOENT)).ask([request] * 3, DIAG)
    assert len(decode(view, found, 6)["inode"]) == 0


def test_what_the_kernel_refuses_is_an_error_with_its_number(asking: contextlib.ExitStack) -> None:
    with pytest.raises(NetlinkError) as caught:
        questioner(asking, lambda seq: error(seq, errno.EPERM)).ask([request], DIAG)
    assert caught.value.errno == errno.EPERM


def test_an_answer_that_does_not_come_is_an_error(asking: contextlib.ExitStack) -> None:
    silent = questioner(asking, lambda _seq: b"")
    with pytest.raises(NetlinkError):
        silent.ask([request], DIAG)
    half = questioner(asking, lambda seq: b"" if seq % 2 else Sock().message(seq=seq, flags=0))
    with pytest.raises(NetlinkError):
        half.ask([request] * 2, DIAG)


@pytest.mark.parametrize(
    "answer",
    [
        lambda seq: Sock().message(seq=seq, flags=0)[:-4],
        lambda _seq: Sock().message(seq=1, flags=0),
        lambda seq: struct.pack("=IHHII", 16, 99, 0, seq, 0),
        lambda _seq: b"\0\0",
        lambda seq: struct.pack("=IHHII", 3000, DIAG, 0, seq, 0) + bytes(2984),
    ],
    ids=["cut", "to another question", "of another type", "tiny", "too long"],
)
def test_an_answer_that_makes_no_sense_is_refused(asking: contextlib.ExitStack, answer: Callable[[int], bytes]) -> None:
    with pytest.raises(MalformedMessage):
        questioner(asking, answer).ask([request], DIAG)


def test_after_an_error_the_next_question_has_a_socket_of_its_own() -> None:
    made: list[Answering] = []

    def opened() -> socket.socket:
        broken = not made
        made.append(Answering(lambda seq: b"\0" if broken else Sock().message(seq=seq, flags=0)))
        return made[-1]

    asker = Questioner(opened)
    with contextlib.closing(asker):
        with pytest.raises(MalformedMessage):
            asker.ask([request], DIAG)
        view, found = asker.ask([request], DIAG)
        assert rows(decode(view, found, 6)) == [Sock().row()]
    assert len(made) == 2


@pytest.mark.kernel
def test_real_sockets_are_found_by_their_tuple_and_nothing_else_is(namespace: Namespace) -> None:
    with contextlib.ExitStack() as stack, namespace.entered():
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        tcp_socket = stack.enter_context(socket.create_connection(listener.getsockname()))
        udp_socket = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        udp_socket.connect(("127.0.0.1", 9))
        asker = stack.enter_context(contextlib.closing(Questioner()))
        for sock, protocol in ((tcp_socket, 6), (udp_socket, 17)):
            (_, port), (_, peer) = sock.getsockname(), sock.getpeername()
            here = (0, 0xFFFF_7F00_0001)
            right = Question(socket.AF_INET, protocol, here, port, here, peer)
            wrong = Question(socket.AF_INET, protocol, here, port, here, 4)
            view, found = asker.ask([partial(exact_request, question) for question in (right, wrong)], DIAG)
            assert decode(view, found, protocol)["inode"].tolist() == [os.fstat(sock.fileno()).st_ino]


class Events:
    """The kernel's end of an event socket."""

    def __init__(self) -> None:
        self._ours, self.kernel = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._ours.setblocking(False)
        self.subscription = Subscription(lambda: self._ours)

    def close(self) -> None:
        self.subscription.close()
        self.kernel.close()

    def decoded(self) -> Columns:
        decoder = Decoder()
        decoder.begin(1)
        block, new, _ended = self.subscription.receive()
        decoder.feed_events(block, new, 1.0)
        return decoder.finish().columns


@pytest.fixture
def events() -> Iterator[Events]:
    with contextlib.closing(Events()) as made:
        yield made


def test_events_become_rows(events: Events) -> None:
    for number in range(5):
        events.kernel.send(tcp(number, seq=0, flags=0x600))
    assert events.decoded()["ctid"].tolist() == [1000, 1001, 1002, 1003, 1004]
    assert len(events.decoded()["ctid"]) == 0, "none is there: nothing is waited for"


def test_messages_of_other_subsystems_are_skipped(events: Events) -> None:
    events.kernel.send(struct.pack("=IHHII", 16, 0x0202, 0, 0, 0))
    events.kernel.send(tcp(1, seq=0, flags=0x600))
    assert events.decoded()["ctid"].tolist() == [1001]


@pytest.mark.parametrize("event", [tcp(1)[:-4], tcp(1) + bytes(4), b"\0\0"], ids=["cut", "longer", "tiny"])
def test_an_event_that_lies_about_its_length_is_refused(events: Events, event: bytes) -> None:
    events.kernel.send(event)
    with pytest.raises(MalformedMessage):
        events.subscription.receive()


@pytest.mark.kernel
def test_the_key_of_an_event_is_that_of_the_dump(namespace: Namespace) -> None:
    """TCP, UDP, ICMP, IPv6, NAT and zones: what identifies a flow is the same in both messages."""
    with namespace.entered():
        subscription = Subscription()
    with contextlib.closing(subscription):
        inject(namespace, mix(EVENTS))
        decoder = Decoder()
        decoder.begin(0)
        view, new, _ended = subscription.receive()
        decoder.feed_events(view, new, 1.0)
        early = decoder.finish().columns
        decoder.begin(0)
        with namespace.entered(), NetlinkSocket() as netlink:
            for block in netlink.dump(dump_request):
                decoder.feed(block.data, block.seq, 2.0)
        late = decoder.finish().columns
    assert len(set(flow_keys(early).tolist())) == EVENTS
    assert set(flow_keys(early).tolist()) == set(flow_keys(late).tolist())


def ended(number: int) -> bytes:
    """The event of a flow that was destroyed: IPCTNL_MSG_CT_DELETE instead of IPCTNL_MSG_CT_NEW."""
    message = bytearray(tcp(number, seq=0, flags=0))
    message[4:6] = struct.pack("=H", 1 << 8 | 2)
    return bytes(message)


def test_new_and_ended_flows_are_told_apart(events: Events) -> None:
    events.kernel.send(ended(1))
    events.kernel.send(tcp(2, seq=0, flags=0x600))
    events.kernel.send(ended(3))
    _block, new, gone = events.subscription.receive()
    assert (new.offsets.tolist(), gone.offsets.tolist()) == ([SLOT], [0, 2 * SLOT])


@pytest.mark.kernel
def test_the_event_of_a_destroyed_flow_has_its_last_counters_and_both_times(namespace: Namespace) -> None:
    with namespace.entered():
        subscription = Subscription(open_all_flows)
    with contextlib.closing(subscription):
        before_ns = time.time_ns()
        ping(namespace, "127.0.0.1")
        namespace.run(["conntrack", "-D", "-p", "icmp"])
        decoder = Decoder()
        decoder.begin(1)
        block, _new, gone = subscription.receive()
        decoder.feed_events(block, gone, 1.0)
        columns = decoder.finish().columns
    assert [columns[name].tolist() for name in ("orig_packets", "reply_packets")] == [[1], [1]]
    assert before_ns <= columns["start_ns"][0] <= columns["stop_ns"][0] <= time.time_ns()


@pytest.mark.kernel
def test_events_that_were_lost_are_counted_and_the_next_ones_still_come(namespace: Namespace) -> None:
    def small() -> socket.socket:
        with namespace.entered():
            opened = open_new_flows()
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 0)
        return opened

    with contextlib.closing(Subscription(small)) as subscription:
        inject(namespace, mix(100))
        assert len(subscription.receive()[1].offsets) == 0, "this read says that some were lost"
        got = len(subscription.receive()[1].offsets)
        assert got > 0
        assert subscription.lost == 100 - got
        inject(namespace, islice(mix(101), 100, None))
        assert len(subscription.receive()[1].offsets) == 1


@pytest.mark.kernel
def test_the_buffer_holds_thousands_of_events(namespace: Namespace) -> None:
    """SO_RCVBUFFORCE: more than net.core.rmem_max would allow."""
    with namespace.entered():
        subscription = Subscription()
    with contextlib.closing(subscription):
        inject(namespace, mix(12_000))
        got = 0
        while found := len(subscription.receive()[1].offsets):
            got += found
    assert (got, subscription.lost) == (12_000, 0)


@pytest.mark.kernel
def test_a_muted_subscription_gets_no_more_and_keeps_what_is_there(namespace: Namespace) -> None:
    with namespace.entered():
        subscription = Subscription(open_all_flows)
    with contextlib.closing(subscription):
        inject(namespace, mix(10))
        subscription.mute()
        inject(namespace, islice(mix(20), 10, None))
        assert len(subscription.receive()[1].offsets) == 10
        assert len(subscription.receive()[1].offsets) == 0


def test_where_the_kernel_does_not_count_occasions_are_counted(events: Events) -> None:
    class Old(socket.socket):
        """Of a kernel before 4.12, in which events have been lost."""

        def getsockopt(self, *_: object) -> bytes:  # type: ignore[override]
            raise OSError(errno.ENOPROTOOPT, "Protocol not available")

    events.kernel.send(tcp(1, seq=0, flags=0x600))
    old = Old(fileno=os.dup(events.subscription.fileno()))
    with contextlib.closing(Subscription(lambda: old)) as subscription:
        subscription._count_lost(said=True)
        subscription.receive()
        assert subscription.lost == 1
