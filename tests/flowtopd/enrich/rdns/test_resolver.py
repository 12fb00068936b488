"""flowtopd.enrich.rdns.resolver: who waits for whom (nobody), in which order, and how much of everything.

The lookups are those of a phone book that hangs when it is told to. Real ones: `test_system_names`.
"""

import signal
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from flowtopd.enrich.rdns.known import FAILED_S, FOUND_S, NONE_S
from flowtopd.enrich.rdns.resolver import Limits, Resolver
from testbed.netns import wait_until
from tests.flowtopd.enrich.rdns.addresses import at, numbered
from tests.flowtopd.enrich.rdns.phone_book import Office, PhoneBook, threads, told

HERE, THERE = at("192.0.2.1"), at("2001:db8::1")
NO_NAME = socket.gaierror(socket.EAI_NONAME, "Name or service not known")
TIME_OUT = socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
THREADS = Limits().threads


@pytest.fixture
def book() -> PhoneBook:
    return PhoneBook()


@pytest.fixture
def office(book: PhoneBook) -> Iterator[Office]:
    made = Office(book)
    yield made
    made.close()


@pytest.fixture
def resolver(office: Office) -> Resolver:
    return office.resolver()


# what is told


def test_a_name_is_told_when_it_was_found(resolver: Resolver, book: PhoneBook) -> None:
    book.others["2001:db8::1"] = NO_NAME
    resolver.want([HERE, THERE])
    assert told(resolver, 2) == {HERE: "host-192-0-2-1.example", THERE: None}
    assert sorted(book.asked) == ["192.0.2.1", "2001:db8::1"]
    assert resolver.take() == {}


def test_what_is_known_is_told_again_without_a_lookup(resolver: Resolver, book: PhoneBook) -> None:
    book.others["2001:db8::1"] = NO_NAME
    resolver.want([HERE, THERE])
    first = told(resolver, 2)
    for _ in range(3):
        resolver.want([THERE, HERE])
        assert resolver.take() == first
    assert len(book.asked) == 2


def test_what_cannot_have_a_name_is_told_at_once_and_starts_no_thread(resolver: Resolver, book: PhoneBook) -> None:
    nameless = [at("0.0.0.0"), at("::"), at("255.255.255.255"), at("224.0.0.251"), at("ff02::fb")]
    resolver.want(nameless)
    assert resolver.take() == dict.fromkeys(nameless)
    assert (book.asked, threads()) == ([], [])


@pytest.mark.parametrize(("answer", "age_s"), [("web.example.", FOUND_S), (NO_NAME, NONE_S)])
def test_what_is_too_old_is_asked_for_again(
    resolver: Resolver, book: PhoneBook, answer: str | Exception, age_s: float
) -> None:
    book.others["192.0.2.1"] = answer
    resolver.want([HERE])
    told(resolver)
    book.clock.now_s += age_s
    book.others["192.0.2.1"] = "new.example"
    resolver.want([HERE])
    assert told(resolver) == {HERE: "new.example"}


@pytest.mark.parametrize("failure", [TIME_OUT, socket.gaierror(socket.EAI_SYSTEM, "?"), OSError(24, "Too many files")])
def test_a_failure_says_nothing_and_is_left_alone_for_a_while(
    resolver: Resolver, book: PhoneBook, failure: Exception
) -> None:
    book.others["192.0.2.1"] = failure
    resolver.want([HERE])
    wait_until(lambda: len(resolver.quick_lookups()) == 1 and not resolver._asking)
    book.others.clear()
    resolver.want([HERE, THERE])
    assert told(resolver) == {THERE: "host-2001-db8--1.example"}
    assert book.asked == ["192.0.2.1", "2001:db8::1"]
    book.clock.now_s += FAILED_S[0]
    resolver.want([HERE])
    assert told(resolver) == {HERE: "host-192-0-2-1.example"}


@pytest.mark.parametrize(
    "answer",
    [
        *("\x1b[31mred", "192.0.2.1", "."),
        UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"),
        *(socket.gaierror(socket.EAI_OVERFLOW, "?"), socket.gaierror(socket.EAI_NODATA, "?")),
    ],
    ids=repr,
)
def test_rubbish_is_no_name_and_no_reason_to_ask_again(
    resolver: Resolver, book: PhoneBook, answer: str | Exception
) -> None:
    book.others["192.0.2.1"] = answer
    resolver.want([HERE])
    assert told(resolver) == {HERE: None}
    resolver.want([HERE])
    assert resolver.take() == {HERE: None}
    assert len(book.asked) == 1


def test_after_it_was_told_to_forget_it_asks_again(resolver: Resolver, book: PhoneBook) -> None:
    resolver.want([HERE])
    told(resolver)
    resolver.forget()
    book.others["192.0.2.1"] = "moved.example"
    resolver.want([HERE])
    assert told(resolver) == {HERE: "moved.example"}


# who waits


def test_one_that_hangs_keeps_nobody_else_waiting(resolver: Resolver, book: PhoneBook) -> None:
    book.held = {"192.0.2.1"}
    book.open.clear()
    resolver.want([HERE, *map(numbered, range(100))])
    assert set(told(resolver, 100)) == set(map(numbered, range(100)))
    book.open.set()
    assert told(resolver) == {HERE: "host-192-0-2-1.example"}


def test_what_is_being_asked_for_is_not_asked_for_twice(resolver: Resolver, book: PhoneBook) -> None:
    book.open.clear()
    resolver.want([HERE])
    wait_until(lambda: book.asked != [])
    resolver.want([HERE, THERE])
    book.open.set()
    assert set(told(resolver, 2)) == {HERE, THERE}
    assert sorted(book.asked) == ["192.0.2.1", "2001:db8::1"]


def hold_all_threads(resolver: Resolver, book: PhoneBook) -> None:
    book.open.clear()
    resolver.want([at(f"172.16.0.{number}") for number in range(THREADS)])
    wait_until(lambda: len(book.asked) == THREADS)


def test_the_newest_wish_comes_first_and_of_one_the_first_address(office: Office, book: PhoneBook) -> None:
    book.open.clear()
    resolver = office.resolver(Limits(threads=1))
    resolver.want([at("172.16.0.1")])
    wait_until(lambda: len(book.asked) == 1)
    resolver.want(map(numbered, range(5)))
    resolver.want(map(numbered, (7, 3, 8)))
    book.open.set()
    told(resolver, 8)
    assert book.asked[1:] == [f"10.0.0.{number}" for number in (7, 3, 8, 0, 1, 2, 4)]


def test_of_too_many_wishes_the_oldest_are_dropped_and_can_be_wished_again(resolver: Resolver, book: PhoneBook) -> None:
    hold_all_threads(resolver, book)
    for first in range(0, 10_000, 50):
        resolver.want(map(numbered, range(first, first + 50)))
    queue = Limits().queue
    book.open.set()
    found = told(resolver, THREADS + queue)
    assert len(book.asked) == len(found) == THREADS + queue
    assert set(map(numbered, range(10_000 - queue // 50 * 50, 10_000))) < set(found)
    resolver.want([numbered(0)])
    assert set(told(resolver)) == {numbered(0)}


def test_of_one_wish_that_is_too_large_the_first_are_kept(resolver: Resolver, book: PhoneBook) -> None:
    hold_all_threads(resolver, book)
    resolver.want(map(numbered, range(10_000)))
    queue = Limits().queue
    book.open.set()
    found = told(resolver, THREADS + queue)
    assert set(map(numbered, range(queue))) < set(found)
    assert len(book.asked) == THREADS + queue


def test_what_nobody_takes_does_not_pile_up(office: Office) -> None:
    resolver = office.resolver(Limits(known=10))
    for number in range(0, 100, 10):
        resolver.want(map(numbered, range(number, number + 10)))
        wait_until(lambda done=number + 10: len(resolver.quick_lookups()) == done and not resolver._asking)  # type: ignore[misc]
    resolver.want(at(f"224.0.0.{number}") for number in range(100))
    assert len(resolver.take()) == 10


# a resolver that is dead


def test_when_lookups_time_out_one_is_tried_now_and_then_until_one_is_answered(
    office: Office, book: PhoneBook, caplog: pytest.LogCaptureFixture
) -> None:
    book.takes_s = 10.0
    book.others = {f"10.0.0.{number}": TIME_OUT for number in range(100)}
    resolver = office.resolver(Limits(pauses_s=(0.05, 0.1)), lambda: time.monotonic() + book.clock.now_s)
    resolver.want(map(numbered, range(100)))
    # up to 2 * THREADS - 1 were under way when the last of THREADS in a row had failed; the others were tried alone
    wait_until(lambda: len(book.asked) >= 2 * THREADS + 2)
    assert len(book.asked) < 50
    assert resolver.take() == {}
    assert caplog.messages == ["the resolver does not answer; it is asked now and then until it does"]
    book.takes_s, book.others = 0.0, {}
    wait_until(lambda: len(book.asked) == 100)
    assert len(told(resolver, 80)) < 100, "those that failed are put off"


def test_after_the_first_answer_all_threads_are_at_work_again(
    office: Office, book: PhoneBook, caplog: pytest.LogCaptureFixture
) -> None:
    book.takes_s = 10.0
    book.others = {f"10.0.0.{number}": TIME_OUT for number in range(THREADS)}
    resolver = office.resolver(Limits(pauses_s=(0.05, 0.1)), lambda: time.monotonic() + book.clock.now_s)
    resolver.want(map(numbered, range(THREADS)))
    wait_until(lambda: caplog.messages != [])
    book.takes_s = 0.0
    book.held = {"192.0.2.1"}
    book.open.clear()
    resolver.want([HERE, *(at(f"172.16.0.{number}") for number in range(THREADS))])
    wait_until(lambda: book.asked[-1] == "192.0.2.1")
    time.sleep(0.1)  # longer than the pause: the others are past their timers, and wait for this one
    book.meeting = threading.Barrier(THREADS)
    book.open.set()
    assert len(told(resolver, 1 + THREADS)) == 1 + THREADS


# threads


def test_stop_does_not_wait_for_one_that_hangs_and_no_more_hang_after_a_new_start(
    resolver: Resolver, book: PhoneBook
) -> None:
    hold_all_threads(resolver, book)
    hanging = set(threads())
    assert len(hanging) == THREADS
    resolver.want([HERE])
    resolver.stop()
    resolver.want([THERE])
    assert set(threads()) == hanging
    assert len(book.asked) == THREADS
    book.open.set()
    assert THERE in told(resolver, THREADS + 1)
    assert "192.0.2.1" not in book.asked, "the wishes before the stop were dropped"


def test_after_a_stop_the_threads_end_and_a_new_wish_starts_them_again(resolver: Resolver) -> None:
    resolver.stop()
    for number in range(3):
        resolver.want([numbered(number)])
        told(resolver)
        assert len(threads()) == THREADS
        resolver.stop()
        resolver.stop()
        wait_until(lambda: not threads())


def test_what_is_known_starts_no_thread(resolver: Resolver) -> None:
    resolver.want([HERE])
    told(resolver)
    resolver.stop()
    wait_until(lambda: not threads())
    resolver.want([HERE])
    assert resolver.take() == {HERE: "host-192-0-2-1.example"}
    assert threads() == []


def test_a_mistake_in_a_lookup_does_not_cost_a_thread_for_good(
    resolver: Resolver, book: PhoneBook, monkeypatch: pytest.MonkeyPatch
) -> None:
    died: list[type[BaseException]] = []
    monkeypatch.setattr(threading, "excepthook", lambda args: died.append(args.exc_type))
    book.others["192.0.2.1"] = ZeroDivisionError()
    resolver.want([HERE])
    wait_until(lambda: died == [ZeroDivisionError] and len(threads()) == THREADS - 1)
    resolver.want([HERE, THERE])
    assert told(resolver) == {THERE: "host-2001-db8--1.example"}
    assert len(threads()) == THREADS


def test_where_no_thread_can_be_started_there_are_no_names_until_one_can(
    resolver: Resolver, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refuse)
        resolver.want([HERE])
    assert caplog.messages == ["no names: can't start new thread"]
    resolver.want([THERE])
    assert set(told(resolver, 2)) == {HERE, THERE}


def status(thread: threading.Thread) -> dict[str, str]:
    lines = Path(f"/proc/self/task/{thread.native_id}/status").read_text(encoding="ascii").splitlines()
    return dict(line.split(":\t", 1) for line in lines)


def test_without_work_no_thread_wakes_up(resolver: Resolver) -> None:
    resolver.want(map(numbered, range(10)))
    told(resolver, 10)

    def asleep() -> bool:
        return all(status(thread)["State"].startswith("S") for thread in threads())

    def switches() -> int:
        return sum(int(status(thread)["voluntary_ctxt_switches"]) for thread in threads())

    wait_until(asleep)
    before = switches()
    time.sleep(0.3)
    assert switches() - before <= THREADS, "each may still have been on its way to sleep"
    assert len(threads()) == THREADS


def test_signals_are_left_to_the_main_thread(resolver: Resolver) -> None:
    resolver.want(map(numbered, range(10)))
    told(resolver, 10)
    blocked = {int(status(thread)["SigBlk"], 16) for thread in threads()}
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD):
        assert all(mask >> number - 1 & 1 for mask in blocked)


# their own flows


def test_it_is_known_when_short_lookups_took_place(office: Office, resolver: Resolver, book: PhoneBook) -> None:
    assert resolver.quick_lookups().shape == (0, 2)
    hold_all_threads(resolver, book)
    office.wall_ns += 50_000_000
    book.open.set()
    told(resolver, THREADS)
    assert resolver.quick_lookups().tolist() == [[office.wall_ns - 50_000_000, office.wall_ns]] * THREADS
    office.wall_ns += 61_000_000_000
    assert resolver.quick_lookups().shape == (0, 2)


def test_of_lookups_that_run_the_beginning_is_among_them(office: Office, resolver: Resolver, book: PhoneBook) -> None:
    hold_all_threads(resolver, book)
    begin_ns = office.wall_ns
    office.wall_ns += 30_000_000
    assert resolver.quick_lookups().tolist() == [[begin_ns, begin_ns + 30_000_000]] * THREADS
    office.wall_ns += 5_000_000_000
    assert resolver.quick_lookups().tolist() == [[begin_ns, begin_ns + 100_000_000]] * THREADS
    book.open.set()


def test_long_lookups_are_not_among_them(office: Office, resolver: Resolver, book: PhoneBook) -> None:
    hold_all_threads(resolver, book)
    office.wall_ns += 101_000_000
    book.open.set()
    told(resolver, THREADS)
    assert resolver.quick_lookups().shape == (0, 2)
