"""flowtopd.enrich.rdns.breaker: a resolver that hangs is left alone, and found again."""

import pytest

from flowtopd.enrich.rdns.breaker import Breaker


class Clock:
    """Time that stands still until it is told."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breaker(clock: Clock) -> Breaker:
    return Breaker(3, (1.0, 5.0), clock)


def hang(breaker: Breaker, times: int = 1) -> None:
    for _ in range(times):
        breaker.end(hung=True, tried=breaker.begin())


def come_back(breaker: Breaker) -> None:
    breaker.end(hung=False, tried=breaker.begin())


def test_as_long_as_lookups_come_back_nothing_waits(breaker: Breaker) -> None:
    for _ in range(10):
        hang(breaker, 2)
        come_back(breaker)
        assert breaker.wait_s() == 0


def test_after_many_that_hung_in_a_row_there_is_a_pause(breaker: Breaker, clock: Clock) -> None:
    hang(breaker, 3)
    assert breaker.wait_s() == 1.0
    clock.now_s += 0.75
    assert breaker.wait_s() == 0.25
    clock.now_s += 10
    assert breaker.wait_s() == 0


def test_after_the_pause_one_is_tried_and_the_others_wait_for_it(breaker: Breaker, clock: Clock) -> None:
    hang(breaker, 3)
    clock.now_s += 1
    assert breaker.begin()
    assert breaker.wait_s() is None
    breaker.end(hung=False, tried=True)
    assert breaker.wait_s() == 0
    assert not breaker.begin()


def test_the_pause_grows_up_to_a_limit_and_is_short_again_after_an_answer(breaker: Breaker, clock: Clock) -> None:
    hang(breaker, 3)
    pauses_s = []
    for _ in range(5):
        pause_s = breaker.wait_s()
        assert pause_s is not None
        pauses_s.append(pause_s)
        clock.now_s += pause_s
        hang(breaker)
    assert pauses_s == [1, 2, 4, 5, 5]
    clock.now_s += 5
    come_back(breaker)
    hang(breaker, 3)
    assert breaker.wait_s() == 1


def test_those_that_were_under_way_do_not_make_the_pause_longer(breaker: Breaker) -> None:
    for _ in range(6):
        breaker.begin()
    for _ in range(6):
        breaker.end(hung=True, tried=False)
    assert breaker.wait_s() == 1


def test_an_answer_to_an_older_lookup_ends_the_pause_too(breaker: Breaker, clock: Clock) -> None:
    breaker.begin()
    hang(breaker, 3)
    clock.now_s += 1
    tried = breaker.begin()
    breaker.end(hung=False, tried=False)
    assert breaker.wait_s() == 0
    breaker.end(hung=True, tried=tried)
    assert breaker.wait_s() == 0
