import contextlib
import errno
import struct
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from flowtopd.collector import ATTEMPTS, STEP_S, TIDY_S, Collector
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


class Clocks:
    """The three clocks of a machine."""

    def __init__(self) -> None:
        self.monotonic_s, self.boot_s, self.wall_s = 100.0, 150.0, 1_700_000_000.0

    def run(self, seconds: float, *, asleep: float = 0.0, set_s: float = 0.0) -> None:
        """Let time pass; the machine sleeps for a part of it, and somebody sets the clock."""
        self.monotonic_s += seconds
        self.boot_s += seconds + asleep
        self.wall_s += seconds + asleep + set_s


def ticking(
    stack: contextlib.ExitStack, clocks: Clocks, *dumps: tuple[bytes, ...], tidy: Callable[[], None] = lambda: None
) -> Collector:
    kernel = Kernel(*dumps)
    stack.callback(kernel.close)
    return Collector(
        stack.enter_context(NetlinkSocket(kernel.open)),
        lambda _flows: STATE,
        stack.enter_context(ThreadPoolExecutor(1)),
        monotonic=lambda: clocks.monotonic_s,
        wall=lambda: clocks.wall_s,
        since_boot=lambda: clocks.boot_s,
        tidy=tidy,
    )


def test_memory_is_given_back_after_the_first_tick_then_now_and_then_and_in_the_end(
    stack: contextlib.ExitStack,
) -> None:
    clocks, tidied = Clocks(), []
    collecting = ticking(stack, clocks, *(WHOLE,) * 12, tidy=lambda: tidied.append(clocks.monotonic_s))
    for _session in range(2):
        tidied.clear()
        began_s = clocks.monotonic_s
        for _tick in range(6):
            collecting.tick()
            clocks.run(TIDY_S / 2)
        assert [at_s - began_s for at_s in tidied] == [TIDY_S / 2, TIDY_S * 3 / 2, TIDY_S * 5 / 2]
        collecting.forget()
        assert tidied.pop() == clocks.monotonic_s


def moved(count: int) -> bytes:
    """A flow that has moved so many bytes."""
    return bytes(tcp(1)).replace((700).to_bytes(8), count.to_bytes(8))


@pytest.mark.parametrize("set_s", [3600.0, -3600.0, 1e9])
def test_a_clock_that_is_set_changes_no_rate_and_is_noticed_once(stack: contextlib.ExitStack, set_s: float) -> None:
    clocks = Clocks()
    collecting = ticking(stack, clocks, *((moved(1000 * (number + 1)), done()) for number in range(3)))
    collecting.tick()
    clocks.run(1, set_s=set_s)
    second = collecting.tick().snapshot
    assert (second.at.set_s, second.interval_s, second.columns["orig_rate"].tolist()) == (set_s, 1.0, [1000.0])
    clocks.run(1)
    third = collecting.tick().snapshot
    assert (third.at.set_s, third.columns["orig_rate"].tolist()) == (0.0, [1000.0])
    assert third.columns["first_seen_s"].tolist() == [third.at.wall_s - 2]


def test_after_a_sleep_rates_are_those_of_the_time_awake(stack: contextlib.ExitStack) -> None:
    """A flow does not move while the machine sleeps, and the wall clock has not been set."""
    clocks = Clocks()
    began_s = clocks.wall_s
    collecting = ticking(stack, clocks, (moved(1000), done()), (moved(3000), done()))
    collecting.tick()
    clocks.run(2, asleep=30_000)
    second = collecting.tick().snapshot
    assert (second.at.set_s, second.interval_s, second.columns["orig_rate"].tolist()) == (0.0, 2.0, [1000.0])
    assert second.columns["first_seen_s"].tolist() == [began_s]


def test_a_clock_that_is_slewed_was_not_set_until_it_adds_up(stack: contextlib.ExitStack) -> None:
    clocks = Clocks()
    collecting = ticking(stack, clocks, *(WHOLE,) * 12)
    steps = []
    for _tick in range(12):
        steps.append(collecting.tick().snapshot.at.set_s)
        clocks.run(1, set_s=0.1)
    assert sum(steps) == pytest.approx(1.0, abs=0.51)
    assert max(steps) >= STEP_S
