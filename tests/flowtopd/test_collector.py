import contextlib
import errno
import struct
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from flowtopd.collector import ATTEMPTS, Collector
from flowtopd.flows.snapshot import KernelState
from flowtopd.netlink import nlsocket
from flowtopd.netlink.nlmsg import MalformedMessage, NetlinkError
from flowtopd.netlink.nlsocket import NetlinkSocket
from tests.flowtopd.netlink.ctmessages import SEQ, attr, done, tcp
from tests.flowtopd.netlink.test_nlsocket import Kernel

STATE = KernelState(accounting=True, timestamps=True, max=1, tracking=True)
BUSY = struct.pack("=IHHIIi", 36, 2, 0, SEQ, 0, -errno.EBUSY) + bytes(16)
WHOLE = (tcp(1) + tcp(2), done())
INTERRUPTED = (tcp(1, flags=0x12), done())


@pytest.fixture(autouse=True)
def fixed_seq(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flowtopd.netlink.nlsocket.random.randrange", lambda *_bounds: SEQ)


@pytest.fixture
def stack() -> Iterator[contextlib.ExitStack]:
    with contextlib.ExitStack() as opened:
        yield opened


def collector(stack: contextlib.ExitStack, *dumps: tuple[bytes, ...]) -> Collector:
    kernel = Kernel(*dumps)
    stack.callback(kernel.close)
    netlink = stack.enter_context(NetlinkSocket(kernel.open))
    return Collector(netlink, lambda _flows: STATE, stack.enter_context(ThreadPoolExecutor(1)))


def test_a_tick_is_a_snapshot_of_the_whole_dump(stack: contextlib.ExitStack) -> None:
    taken = collector(stack, WHOLE).tick()
    assert (taken.snapshot.size, taken.kernel) == (2, STATE)
    assert taken.seconds > 0


def test_ticks_follow_one_another_on_the_same_socket(stack: contextlib.ExitStack) -> None:
    collecting = collector(stack, WHOLE, WHOLE)
    first, second = collecting.tick(), collecting.tick()
    assert (first.snapshot.seq, first.snapshot.interval_s) == (1, None)
    assert second.snapshot.seq == 2
    assert second.snapshot.columns["orig_rate"].tolist() == [0.0, 0.0]


def test_an_interrupted_dump_is_read_again(stack: contextlib.ExitStack) -> None:
    assert collector(stack, INTERRUPTED, WHOLE).tick().snapshot.size == 2


def test_a_dump_that_stays_interrupted_counts_in_the_end(stack: contextlib.ExitStack) -> None:
    assert collector(stack, *(INTERRUPTED,) * ATTEMPTS).tick().snapshot.size == 1


def test_a_kernel_that_stays_busy_is_an_error_after_a_few_attempts(stack: contextlib.ExitStack) -> None:
    with pytest.raises(NetlinkError):
        collector(stack, *((BUSY,),) * ATTEMPTS, WHOLE).tick()


def test_a_malformed_dump_is_an_error_and_the_next_one_is_read(stack: contextlib.ExitStack) -> None:
    collecting = collector(stack, (tcp(1, attr(8, b"\0")), done()), WHOLE)
    with pytest.raises(MalformedMessage):
        collecting.tick()
    assert collecting.tick().snapshot.size == 2


def test_a_long_dump_is_decoded_while_it_is_read(stack: contextlib.ExitStack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nlsocket, "SLOTS", 2)
    reads = tuple(b"".join(tcp(read * 20 + number) for number in range(20)) for read in range(9))
    collecting = collector(stack, (*reads, done()), (*reads, done()))
    for _tick in range(2):
        assert collecting.tick().snapshot.size == 180


@pytest.mark.parametrize("bad", [0, 4, 8])
def test_a_bad_block_of_a_long_dump_ends_it_and_only_it(
    stack: contextlib.ExitStack, monkeypatch: pytest.MonkeyPatch, bad: int
) -> None:
    monkeypatch.setattr(nlsocket, "SLOTS", 2)
    reads = [tcp(number) for number in range(9)]
    reads[bad] = tcp(bad, attr(8, b"\0"))
    collecting = collector(stack, (*reads, done()), WHOLE)
    with pytest.raises(MalformedMessage):
        collecting.tick()
    assert collecting.tick().snapshot.size == 2


def test_after_forget_the_next_tick_has_no_rates(stack: contextlib.ExitStack) -> None:
    collecting = collector(stack, WHOLE, WHOLE)
    collecting.tick()
    collecting.forget()
    assert collecting.tick().snapshot.interval_s is None
