"""flowtopd.enrich.process.overload: what is too much, and how long to wait."""

import pytest

from flowtopd.enrich.process.overload import CALM_S, MISSED_RATE, PAUSES_S, WINDOW_S, WINDOWS, Load, Pauses
from tests.flowtopd.enrich.process.agents import Clock


def seconds(load: Load, clock: Clock, count: int, handled: int, missed: int) -> None:
    """So many seconds, in each of which this happens in ten turns."""
    for _turn in range(count * 10):
        clock.now += 0.1
        load.note(handled // 10, missed // 10)


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_too_much_for_some_seconds_is_an_overload(clock: Clock) -> None:
    load = Load(clock)
    seconds(load, clock, WINDOWS - 1, 1000, 9000)
    assert not load.is_too_much
    seconds(load, clock, 2, 1000, 9000)
    assert load.is_too_much


@pytest.mark.parametrize(("handled", "missed"), [(10_000, 0), (30_000, 5_000), (10, 400)])
def test_few_that_are_missed_are_none(clock: Clock, handled: int, missed: int) -> None:
    load = Load(clock)
    seconds(load, clock, 20, handled, missed)
    assert not load.is_too_much


def test_a_burst_is_none_however_large_it_is(clock: Clock) -> None:
    load = Load(clock)
    for _burst in range(10):
        load.note(256, 100_000)
        seconds(load, clock, 2, 10, 0)
        assert not load.is_too_much


def test_a_thread_that_gets_no_time_sees_the_overload_too(clock: Clock) -> None:
    load = Load(clock)
    for _turn in range(WINDOWS + 1):
        clock.now += 4 * WINDOW_S
        load.note(256, 10 * int(MISSED_RATE))
    assert load.is_too_much


def test_a_trial_ends_well_after_a_quiet_second_also_without_any_event(clock: Clock) -> None:
    load = Load(clock)
    load.begin()
    assert load.is_tried is None
    clock.now += WINDOW_S
    assert load.is_tried is True


def test_a_trial_ends_well_while_events_come(clock: Clock) -> None:
    load = Load(clock)
    load.begin()
    seconds(load, clock, 2, 1000, 0)
    assert load.is_tried is True


def test_a_trial_fails_as_soon_as_too_much_is_missed(clock: Clock) -> None:
    load = Load(clock)
    load.begin()
    clock.now += 0.1
    load.note(256, 10_000)
    assert load.is_tried is False


def test_pauses_grow_and_begin_anew_after_a_calm_time(clock: Clock) -> None:
    pauses = Pauses(clock)
    shortest, longest = PAUSES_S
    assert [pauses.next() for _trial in range(3)] == [shortest, 2 * shortest, longest]
    pauses.well()
    clock.now += CALM_S - 1
    assert pauses.next() == longest
    pauses.well()
    clock.now += CALM_S
    assert pauses.next() == shortest
