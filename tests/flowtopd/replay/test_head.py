"""Where a recording stands, second by second; nothing here knows a clock."""

import math

import pytest

from flowtopd.replay.head import Head
from flowtopd.wire.messages import Seek

TIMES = (0.0, 1.0, 2.5, 4.0)


def passed(head: Head, *seconds: float) -> list[int]:
    numbers = []
    for each in seconds:
        head.pass_by(each)
        numbers.append(head.number)
    return numbers


def test_time_passes_and_stops_at_the_end() -> None:
    head = Head(TIMES)
    assert passed(head, 0.0, 0.9, 0.1, 1.4, 0.2, 100.0) == [0, 0, 1, 1, 2, 3]
    assert head.is_still
    assert head.due_s == math.inf
    assert head.replay("").ended


def test_what_is_next_is_due_when_it_comes() -> None:
    head = Head(TIMES, speed=2.0)
    assert head.due_s == 0.5
    head.pass_by(0.75)
    assert head.due_s == pytest.approx(0.5)


def test_with_speed_time_passes_faster() -> None:
    assert passed(Head(TIMES, speed=10.0), 0.1, 0.15) == [1, 2]


def test_a_pause_stops_it_and_going_on_does_not_catch_up() -> None:
    head = Head(TIMES)
    head.seek(Seek(paused=True))
    assert passed(head, 50.0) == [0]
    assert (head.is_still, head.replay("").paused) == (True, True)
    head.seek(Seek(paused=False))
    assert passed(head, 0.5, 0.6) == [0, 1]


@pytest.mark.parametrize(
    ("wanted", "number", "position"),
    [
        (Seek(seconds=1.0), 2, 2.5),
        (Seek(seconds=-1.0), 0, 0.5),
        (Seek(seconds=-1e9), 0, 0.0),
        (Seek(seconds=1e9), 3, 4.0),
        (Seek(samples=1), 2, 2.5),
        (Seek(samples=-1), 0, 0.0),
        (Seek(samples=-7), 0, 0.0),
        (Seek(samples=7), 3, 4.0),
        (Seek(seconds=1.0, samples=-1), 1, 1.0),
        (Seek(speed=3.0), 1, 1.5),
    ],
)
def test_a_viewer_goes_elsewhere(wanted: Seek, number: int, position: float) -> None:
    head = Head(TIMES)
    head.pass_by(1.5)
    head.seek(wanted)
    assert (head.number, head.replay("").position) == (number, position)
    assert head.jumps == 1


def test_from_the_end_one_can_go_back() -> None:
    head = Head(TIMES)
    head.pass_by(10.0)
    head.seek(Seek(seconds=-2.0))
    assert not head.is_still
    assert passed(head, 0.0, 0.5, 1.5) == [1, 2, 3]


def test_a_loop_shows_the_last_one_as_long_as_the_others_and_begins_anew() -> None:
    head = Head(TIMES, loop=True)
    assert passed(head, 4.0, 1.3) == [3, 3]
    assert not head.replay("").ended
    assert not head.is_still
    assert head.due_s == pytest.approx(4 / 3 - 1.3)
    assert passed(head, 0.1) == [0]
    assert head.jumps == 1


def test_one_sample_alone_is_the_end_and_in_a_loop_a_second_long() -> None:
    assert Head((0.0,)).is_still
    assert Head((0.0,), loop=True).due_s == 1.0


def test_times_that_become_fewer_end_it_sooner() -> None:
    times = list(TIMES)
    head = Head(times)
    head.pass_by(3.0)
    del times[2:]
    assert (head.number, head.is_still) == (1, True)
    told = head.replay("broken")
    assert (told.position, told.duration, told.ended, told.trouble) == (1.0, 1.0, True, "broken")
