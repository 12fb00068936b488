"""flowtopd.enrich.process.events: the thread that finds processes while they live."""

import contextlib
import errno
import logging
import os
import queue
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import numpy as np
import pytest

from flowtopd.enrich.process.attribution import Answers, Attributor
from flowtopd.enrich.process.budget import Budget
from flowtopd.enrich.process.cgroup import Cgroups
from flowtopd.enrich.process.endings import Endings
from flowtopd.enrich.process.events import AT_ONCE, BURST_S, BUSY_SHARE, FEW_S, OPENED_S, READS, Listening, Watcher
from flowtopd.enrich.process.holders import Holders
from flowtopd.enrich.process.identity import Identities
from flowtopd.enrich.process.match import Mask
from flowtopd.enrich.process.namespaces import Namespaces
from flowtopd.enrich.process.sockets import Sockets
from flowtopd.enrich.process.verdict import Verdicts
from flowtopd.flows.dimensions import Attribution
from flowtopd.netlink.datagrams import EVENTS, Subscription, open_all_flows, open_new_flows
from flowtopd.netlink.sock_diag import Columns
from testbed import conntrack
from testbed.entries import mix
from testbed.inject import inject
from testbed.netns import Namespace, wait_until
from testbed.programs import Program
from tests.flowtopd.batches import Flow, batch
from tests.flowtopd.netlink.ctmessages import tcp

A_TURN = READS * EVENTS


class Inbox:
    """What the thread has said."""

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[Answers | Listening] = queue.SimpleQueue()
        self.put = self._queue.put

    def get(self) -> Answers | Listening:
        return self._queue.get(timeout=10)

    def answers(self) -> Answers:
        found = self.get()
        assert isinstance(found, Answers)
        return found

    def empty(self) -> bool:
        return self._queue.empty()


def everywhere(addresses: np.ndarray[tuple[int, ...], np.dtype[np.uint64]]) -> Mask:
    return np.ones(len(addresses), np.bool_)


def nowhere(addresses: np.ndarray[tuple[int, ...], np.dtype[np.uint64]]) -> Mask:
    return np.zeros(len(addresses), np.bool_)


def attributor(is_local: Callable[..., Mask] = everywhere) -> Attributor:
    cgroups = Cgroups()
    return Attributor(Sockets(), Verdicts(Holders(cgroups), Identities(cgroups)), Namespaces(), is_local)


ONLY = np.zeros(1, np.intp)
"""The only row."""


@pytest.fixture
def inbox() -> Inbox:
    return Inbox()


@contextlib.contextmanager
def running(watcher: Watcher) -> Iterator[Watcher]:
    watcher.start()
    try:
        yield watcher
    finally:
        watcher.stop()


@pytest.fixture
def watcher(namespace: Namespace, inbox: Inbox) -> Iterator[Watcher]:
    with namespace.entered(), running(Watcher(attributor(), inbox.put)) as made:
        yield made


CLIENT = """
s = socket.create_connection(("127.0.0.1", {port}))
say(s.getsockname()[1])
"""


@pytest.mark.kernel
def test_who_opens_a_flow_is_found_before_any_tick(namespace: Namespace, watcher: Watcher, inbox: Inbox) -> None:
    del watcher
    with namespace.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        with Program(namespace, CLIENT.format(port=server.getsockname()[1])) as program:
            answers = inbox.answers()
    assert answers.how.tolist() == [Attribution.EXACT]
    assert [answers.owners[number].pid for number in answers.owner] == [program.pid]


@pytest.mark.kernel
def test_a_question_is_answered_between_events(watcher: Watcher, inbox: Inbox) -> None:
    flows = batch(Flow("127.0.0.1", "127.0.0.1", 1, 2)).columns | {"key": np.array([77], np.uint64)}
    watcher.ask(flows, ONLY)
    answers = inbox.answers()
    assert (answers.keys.tolist(), answers.how.tolist()) == ([77], [Attribution.EXITED])


@pytest.mark.kernel
def test_a_question_about_very_many_flows_is_answered_in_parts(watcher: Watcher, inbox: Inbox) -> None:
    size = AT_ONCE + 2
    flow = batch(Flow("10.9.9.1", "10.9.9.2", 1, 2)).columns
    flows = {name: np.repeat(column, size, axis=0) for name, column in flow.items()}
    flows["key"] = np.arange(size, dtype=np.uint64)
    watcher.ask(flows, np.arange(1, size))
    answers = [inbox.answers(), inbox.answers()]
    assert [len(part.keys) for part in answers] == [AT_ONCE, 1]
    assert np.concatenate([part.keys for part in answers]).tolist() == list(range(1, size))


@pytest.mark.kernel
def test_the_listening_ports_are_told_when_asked_for(namespace: Namespace, watcher: Watcher, inbox: Inbox) -> None:
    with namespace.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        watcher.ask_listening()
        told = inbox.get()
        assert isinstance(told, Listening)
        assert told.ports[6] == {server.getsockname()[1]}


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208


@pytest.mark.kernel
def test_when_it_is_stopped_nothing_is_left_and_it_can_be_started_again(namespace: Namespace, inbox: Inbox) -> None:
    with namespace.entered():
        made = Watcher(attributor(), inbox.put)
        threads, files = threading.active_count(), open_files()
        for _ in range(3):
            made.start()
            made.start()
            flows = batch(Flow("127.0.0.1", "127.0.0.1", 1, 2)).columns | {"key": np.array([77], np.uint64)}
            made.ask(flows, ONLY)
            inbox.answers()
            made.stop()
            made.stop()
            assert (threading.active_count(), open_files()) == (threads, files)
        made.ask(flows, ONLY)
        assert inbox.empty(), "nobody is there to answer"


@pytest.mark.kernel
def test_while_nothing_happens_it_does_not_wake_up(watcher: Watcher, inbox: Inbox) -> None:
    thread = next(each for each in threading.enumerate() if each.name == "processes")
    watcher.ask_listening()
    inbox.get()

    def switched() -> int:
        lines = Path(f"/proc/self/task/{thread.native_id}/status").read_text(encoding="ascii").splitlines()
        return sum(int(line.split()[1]) for line in lines if "ctxt_switches" in line)

    def asleep() -> bool:
        stat = Path(f"/proc/self/task/{thread.native_id}/stat").read_text(encoding="ascii")
        return stat.rpartition(")")[2].split()[0] == "S"

    wait_until(asleep)
    before = switched()
    time.sleep(0.3)
    assert switched() - before <= 1


@pytest.mark.kernel
def test_without_events_questions_are_answered_all_the_same(
    namespace: Namespace, inbox: Inbox, caplog: pytest.LogCaptureFixture
) -> None:
    def refused() -> Subscription:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    with namespace.entered(), caplog.at_level(logging.WARNING):
        made = Watcher(attributor(), inbox.put, refused)
        for _ in range(2):
            with running(made):
                made.ask_listening()
                assert isinstance(inbox.get(), Listening)
    assert caplog.messages == ["no events of new flows: Operation not permitted"]


@pytest.fixture
def line() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Two ends that keep the bounds of messages, the first one not blocking, with room for many."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.setblocking(False)
    theirs.setsockopt(socket.SOL_SOCKET, 32, 1 << 22)  # SO_SNDBUFFORCE
    with ours, theirs:
        yield ours, theirs


class Seen(Attributor):
    """Keeps what it is asked for."""

    def __init__(self, is_local: Callable[..., Mask] = everywhere) -> None:
        cgroups = Cgroups()
        super().__init__(Sockets(), Verdicts(Holders(cgroups), Identities(cgroups)), Namespaces(), is_local)
        self.flows = 0

    def attribute_early(self, flows: Columns) -> Answers:
        self.flows += len(flows["key"])
        nothing = np.zeros(0, np.uint8)
        return Answers(
            nothing.astype(np.uint64),
            nothing.astype(np.uint64),
            nothing,
            nothing.astype(np.int32),
            nothing.astype(np.bool_),
            (),
        )


def event(number: int) -> bytes:
    return tcp(number, seq=0, flags=0x600)


@pytest.mark.kernel
def test_an_event_that_makes_no_sense_is_named_once_and_the_next_is_handled(
    inbox: Inbox, line: tuple[socket.socket, socket.socket], caplog: pytest.LogCaptureFixture
) -> None:
    ours, theirs = line
    seen = Seen()
    with caplog.at_level(logging.WARNING), running(Watcher(seen, inbox.put, lambda: Subscription(lambda: ours))):
        for number in range(3):
            theirs.send(event(number)[:-4])
        wait_until(lambda: bool(caplog.messages))
        theirs.send(event(9))
        wait_until(lambda: seen.flows == 1)
    assert len(caplog.messages) == 1
    assert caplog.messages[0].startswith("an event that makes no sense: ")


@pytest.mark.kernel
def test_when_events_end_questions_are_answered_all_the_same(
    namespace: Namespace, inbox: Inbox, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken(Subscription):
        def receive(self) -> tuple[memoryview, object]:  # type: ignore[override]
            raise OSError(errno.EIO, "Input/output error")

    with (
        namespace.entered(),
        caplog.at_level(logging.WARNING),
        running(Watcher(attributor(nowhere), inbox.put, Broken)) as made,
    ):
        inject(namespace, mix(1))
        wait_until(lambda: bool(caplog.messages))
        made.ask_listening()
        assert isinstance(inbox.get(), Listening)
    assert caplog.messages == ["no more events of new flows: Input/output error"]


def ending(number: int) -> bytes:
    message = bytearray(event(number))
    message[4:6] = struct.pack("=H", 1 << 8 | 2)  # IPCTNL_MSG_CT_DELETE
    return bytes(message)


@pytest.mark.kernel
def test_endings_are_kept_as_they_come_and_nobody_is_looked_for(
    inbox: Inbox, line: tuple[socket.socket, socket.socket]
) -> None:
    ours, theirs = line
    seen, endings = Seen(), Endings()
    for number in range(3):
        theirs.send(ending(number))
    theirs.send(event(9))
    with running(Watcher(seen, inbox.put, lambda: Subscription(lambda: ours), endings=endings)):
        wait_until(lambda: seen.flows == 1)
        ended: list[int] = []

        def all_there() -> bool:
            ended.extend(endings.take(0.0)["ctid"].tolist())
            return len(ended) == 3

        wait_until(all_there)
    assert sorted(ended) == [1000, 1001, 1002]


@pytest.mark.kernel
def test_flows_that_others_have_opened_are_left_alone(inbox: Inbox, line: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = line
    us = int.from_bytes(b"\x0a\x00\x00\x05")
    seen, endings = Seen(lambda addresses: addresses[:, 1] == (0xFFFF << 32 | us)), Endings()
    for number in range(9):
        theirs.send(event(number))  # from 10.0.0.number
    theirs.send(ending(9))
    with running(Watcher(seen, inbox.put, lambda: Subscription(lambda: ours), endings=endings)):
        wait_until(lambda: len(endings.take(0.0)["key"]) == 1)
    assert seen.flows == 1


@pytest.mark.kernel
def test_events_that_come_often_are_gathered(inbox: Inbox, line: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = line
    seen = Seen()
    saved_up = round(FEW_S / OPENED_S)
    with running(Watcher(seen, inbox.put, lambda: Subscription(lambda: ours))):
        began_s = time.monotonic()
        for number in range(1, saved_up + 21):
            theirs.send(event(number))
            while seen.flows < number and time.monotonic() - began_s < 20:
                time.sleep(0.0002)  # much shorter than what is to be seen
        took_s = time.monotonic() - began_s
    # each came by itself; what the turns had saved up was used, and the last one of all is followed by no rest
    assert took_s >= 19 * OPENED_S


@pytest.mark.kernel
def test_whoever_has_an_ending_finds_the_answer_too(namespace: Namespace, inbox: Inbox) -> None:
    endings = Endings()
    with (
        namespace.entered(),
        running(Watcher(attributor(), inbox.put, lambda: Subscription(open_all_flows), endings=endings)),
        namespace.socket() as server,
    ):
        server.bind(("127.0.0.1", 0))
        server.listen()
        with Program(namespace, CLIENT.format(port=server.getsockname()[1])) as program:
            namespace.run(["conntrack", "-D", "-p", "tcp"])
            taken: list[int] = []

            def ended() -> bool:
                taken.extend(endings.take(0.0)["key"].tolist())
                return bool(taken)

            wait_until(ended)
        assert not inbox.empty()
        answers = inbox.answers()
    assert answers.keys.tolist() == taken
    assert [owner.pid for owner in answers.owners if owner.pid] == [program.pid]


@pytest.mark.kernel
def test_too_many_events_are_passed_over_and_counted(inbox: Inbox, line: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = line
    seen = Seen()
    work_s, now_s = count(), count()
    # a turn is 0.15 s of work, while hardly any time goes by: it is followed by a rest of 0.2 s
    made = Watcher(
        seen,
        inbox.put,
        lambda: Subscription(lambda: ours),
        lambda: next(now_s) / 1e6,
        busy=lambda: next(work_s) * 0.15,
    )
    for number in range(3 * A_TURN):
        theirs.send(event(number) if number % 2 else ending(number))
    with running(made):
        wait_until(lambda: seen.flows * 2 + made.passed_over == 3 * A_TURN, timeout=30)
    assert made.passed_over > 0
    assert seen.flows * 2 >= A_TURN


@pytest.mark.kernel
def test_a_storm_of_new_flows_costs_no_more_than_its_share(namespace: Namespace, inbox: Inbox) -> None:
    """What waits behind a burst and cannot be handled within the share is passed over or lost."""
    calm = threading.Event()

    def put(found: Answers | Listening) -> None:
        calm.wait(10)
        inbox.put(found)

    with namespace.entered(), running(Watcher(attributor(), put)) as made:
        thread = next(each for each in threading.enumerate() if each.name == "processes")

        def work_s() -> float:
            fields = Path(f"/proc/self/task/{thread.native_id}/stat").read_text(encoding="ascii").rpartition(")")[2]
            return sum(map(int, fields.split()[11:13])) / os.sysconf("SC_CLK_TCK")

        made.ask_listening()  # whose answer holds the thread until all events are there
        inject(namespace, mix(30_000))
        began_s, worked_s = time.monotonic(), work_s()
        calm.set()
        assert isinstance(inbox.get(), Listening)
        wait_until(lambda: made.passed_over + made.lost > 0)
        made.ask_listening()
        while not isinstance(inbox.get(), Listening):
            pass
        assert work_s() - worked_s <= BURST_S + BUSY_SHARE * (time.monotonic() - began_s) + 0.15


@pytest.mark.kernel
def test_lost_events_are_counted_over_restarts(namespace: Namespace, inbox: Inbox) -> None:
    def small() -> Subscription:
        def opened() -> socket.socket:
            made = open_new_flows()
            made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 0)
            return made

        return Subscription(opened)

    with namespace.entered():
        made = Watcher(attributor(nowhere), inbox.put, small)
        with running(made):
            inject(namespace, mix(500))
            wait_until(lambda: made.lost > 0)
        lost = made.lost
        assert lost > 0
        with running(made):
            assert made.lost >= lost


def test_a_budget_saves_up_for_a_burst_and_then_keeps_to_its_share() -> None:
    now_s = [0.0]
    budget = Budget(0.25, 0.1, lambda: now_s[0])
    now_s[0] = 1000.0
    budget.spend(0.1)
    assert budget.rest_s() == 0
    budget.spend(0.05)
    assert budget.rest_s() == pytest.approx(0.2)
    now_s[0] += 0.1
    assert budget.rest_s() == pytest.approx(0.1)
    now_s[0] += 0.1
    assert budget.rest_s() == pytest.approx(0.0)


@pytest.mark.kernel
def test_whatever_goes_wrong_with_one_flow_the_next_are_looked_for(
    inbox: Inbox, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = Watcher(attributor(), inbox.put)
    asked = iter([KeyError("gone"), OSError(errno.EMFILE, "Too many open files")])

    def fail(_self: Attributor) -> dict[int, frozenset[int]]:
        for error in asked:
            raise error
        return {6: frozenset({80})}

    monkeypatch.setattr(Attributor, "listening", fail)
    monkeypatch.setattr("flowtopd.enrich.process.events.AFTER_MISTAKE_S", 0.01)
    with running(made), caplog.at_level(logging.ERROR):
        for _question in range(3):
            made.ask_listening()
        assert inbox.get() == Listening({6: frozenset({80})})
    assert caplog.messages == ["the processes of some flows could not be looked for"] * 2


def test_a_thread_that_hangs_is_left_behind_and_another_begins_when_it_has_ended(
    inbox: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flowtopd.enrich.process.events.PATIENCE_S", 0.01)
    gate = threading.Event()

    def hang(found: Answers | Listening) -> None:
        gate.wait(10)
        inbox.put(found)

    made = Watcher(attributor(), hang)
    made.start()
    made.ask_listening()
    thread = next(each for each in threading.enumerate() if each.name == "processes")
    wait_until(lambda: made.waiting == 0)
    made.stop()
    made.start()
    assert [each for each in threading.enumerate() if each.name == "processes"] == [thread]
    gate.set()
    thread.join()
    inbox.get()
    with running(made):
        made.ask_listening()
        assert isinstance(inbox.get(), Listening)


class Slow(Seen):
    """Takes its time over every flow, as with thousands of sockets to be asked for."""

    def attribute_early(self, flows: Columns) -> Answers:
        time.sleep(len(flows["key"]) / 20_000)
        return super().attribute_early(flows)


@pytest.mark.kernel
def test_in_a_storm_it_does_without_events_and_afterwards_they_come_again(
    namespace: Namespace, inbox: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever became of an event that was made: it was looked at, or it is counted as lost."""
    for module in ("overload", "hearing"):
        monkeypatch.setattr(f"flowtopd.enrich.process.{module}.WINDOW_S", 0.1)
        monkeypatch.setattr(f"flowtopd.enrich.process.{module}.PAUSES_S", (0.5, 1.0))
    monkeypatch.setattr("flowtopd.netlink.datagrams.EVENT_BUFFER", 1 << 19)
    seen = Slow()
    storm = list(mix(3000))
    with namespace.entered(), running(Watcher(seen, inbox.put, busy=time.monotonic)) as made:
        assert made.events == "on"
        rounds = 0
        while made.events == "on":
            inject(namespace, storm)
            conntrack.flush(namespace)
            rounds += 1
            assert rounds < 300
        assert 0 < made.lost <= rounds * len(storm) - seen.flows
        wait_until(lambda: str(made.events) == "on")
        before = seen.flows
        inject(namespace, storm[:5])
        wait_until(lambda: seen.flows == before + 5)
        made.ask_listening()
        assert isinstance(inbox.get(), Listening)
