"""flowtopd.enrich.rdns.known: what stands for how long."""

import pytest

from flowtopd.enrich.rdns.known import FAILED_S, FOUND_S, NONE_S, Answer, Known, Unknown
from tests.flowtopd.enrich.rdns.addresses import at, numbered
from tests.flowtopd.enrich.rdns.test_breaker import Clock

HERE = at("192.0.2.1")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def known(clock: Clock) -> Known:
    return Known(100, clock)


@pytest.mark.parametrize(
    ("answer", "stands_s"), [("web.example", FOUND_S), (None, NONE_S), (Unknown.FAILED, FAILED_S[0])]
)
def test_an_answer_stands_for_its_time(known: Known, clock: Clock, answer: Answer, stands_s: float) -> None:
    assert known.recall(HERE) is Unknown.UNASKED
    known.learn(HERE, answer)
    clock.now_s += stands_s * 0.99
    assert known.recall(HERE) == answer
    clock.now_s += stands_s * 0.01
    assert known.recall(HERE) is Unknown.UNASKED


def test_a_failure_stands_for_longer_each_time_until_there_is_an_answer(known: Known, clock: Clock) -> None:
    def stands_s() -> float:
        known.learn(HERE, Unknown.FAILED)
        began_s = clock.now_s
        while known.recall(HERE) is Unknown.FAILED:
            clock.now_s += 1
        return clock.now_s - began_s

    assert [stands_s() for _ in range(7)] == [10, 20, 40, 80, 160, 300, 300]
    known.learn(HERE, None)
    assert stands_s() == 10


def test_what_was_learnt_longest_ago_is_forgotten_first(known: Known) -> None:
    for number in range(100):
        known.learn(numbered(number), str(number))
    known.learn(numbered(0), "again")
    known.learn(numbered(100), "one too many")
    assert len(known) == 100
    assert known.recall(numbered(0)) == "again"
    assert known.recall(numbered(1)) is Unknown.UNASKED
    assert known.recall(numbered(2)) == "2"


def test_everything_can_be_forgotten(known: Known) -> None:
    known.learn(HERE, "web.example")
    known.forget()
    assert known.recall(HERE) is Unknown.UNASKED
