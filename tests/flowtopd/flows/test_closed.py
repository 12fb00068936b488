from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from flowtopd.flows.closed import ClosedFlows, Closing
from flowtopd.flows.identity import flow_keys
from flowtopd.flows.schema import JOINED, SCHEMA
from flowtopd.flows.snapshot import Columns, Snapshot
from flowtopd.flows.table import FlowTable
from tests.flowtopd.batches import Flow, batch, moment

SECOND = 10**9
START = 1_700_000_000 * SECOND
ONE, TWO, THREE = (Flow(sport=number, ctid=number, start_ns=START) for number in (1, 2, 3))


def endings(*flows: Flow, stop_ns: int = 0) -> Columns:
    columns = batch(*flows).columns
    columns["stop_ns"] = np.full(len(flows), stop_ns, np.uint64)
    return columns | {"key": flow_keys(columns)}


class Scene:
    """Ticks of a table, a second each, with the closed flows beside it."""

    def __init__(self, keep_s: float = 60, most: int = 100) -> None:
        self.closed = ClosedFlows(keep_s, most)
        self._table = FlowTable()
        self._last: Snapshot | None = None
        self._now_s = 0.0

    def tick(self, *flows: Flow, ended: Columns | None = None, seconds: float = 1.0) -> Closing:
        self._now_s += seconds
        living = self._table.apply(batch(*flows, at_s=self._now_s), moment(self._now_s))
        closing = self.closed.follow(living, self._last, endings() if ended is None else ended)
        self._last = living
        taken = closing.snapshot
        assert set(taken.columns) == set(SCHEMA) - set(JOINED)
        assert {len(column) for column in taken.columns.values()} == {taken.size}
        keys = [*living.columns["key"].tolist(), *taken.columns["key"].tolist()]
        assert len(keys) == len(set(keys)), "an id is one flow's"
        return closing


def shown(closing: Closing, *names: str) -> list[Any]:
    columns = [closing.snapshot.columns[name].tolist() for name in names]
    return columns[0] if len(names) == 1 else list(zip(*columns, strict=True))


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_a_flow_that_the_dump_does_not_have_any_more_has_closed_with_what_was_last_known(scene: Scene) -> None:
    scene.tick(ONE, TWO.counted(100, 200))
    closing = scene.tick(ONE)
    assert shown(closing, "sport", "orig_bytes", "reply_bytes") == [(2, 100, 200)]
    assert shown(closing, "stop_ns") == [START + 2 * SECOND]
    assert np.isnan(shown(closing, "orig_rate", "reply_rate")).all()
    assert (closing.came.tolist(), closing.at.tolist()) == ([0], [1])


def test_its_id_stays_and_it_is_kept_for_its_time_only(scene: Scene) -> None:
    scene.tick(ONE, TWO)
    first = scene.tick(ONE)
    assert shown(first, "key") == endings(TWO)["key"].tolist()
    for seconds in (1.0, 58.5):
        later = scene.tick(ONE, seconds=seconds)
        assert shown(later, "key", "stop_ns") == shown(first, "key", "stop_ns")
    assert scene.tick(ONE).snapshot.size == 0


@pytest.mark.parametrize("late", [False, True], ids=["in time", "a tick late"])
def test_its_ending_has_the_last_word(scene: Scene, late: bool) -> None:
    scene.tick(ONE, TWO.counted(100, 200))
    ending = endings(TWO.counted(1000, 300), stop_ns=START + SECOND)
    closing = scene.tick(ONE, ended=None if late else ending)
    if late:
        closing = scene.tick(ONE, ended=ending)
    assert shown(closing, "sport", "orig_bytes", "reply_bytes", "stop_ns") == [(2, 1000, 300, START + SECOND)]


def test_an_ending_that_came_after_the_dump_waits_for_the_next_one(scene: Scene) -> None:
    scene.tick(ONE)
    assert scene.tick(ONE, ended=endings(ONE.counted(900, 0))).snapshot.size == 0
    assert shown(scene.tick(), "orig_bytes") == [900]


def test_an_ending_of_a_flow_that_is_still_there_at_the_next_dump_was_another_ones(scene: Scene) -> None:
    scene.tick(ONE.counted(10, 0))
    scene.tick(ONE.counted(10, 0), ended=endings(ONE.counted(900, 0)))
    scene.tick(ONE.counted(10, 0))
    assert shown(scene.tick(), "orig_bytes") == [10]


def test_a_flow_that_lived_between_two_dumps_is_known_by_its_ending(scene: Scene) -> None:
    scene.tick(ONE)
    closing = scene.tick(ONE, ended=endings(replace(THREE, src="127.0.0.1"), stop_ns=START + 7))
    assert shown(closing, "sport", "stop_ns", "loopback") == [(3, START + 7, True)]
    assert len(closing.came) == 0
    assert scene.tick(ONE).snapshot.previous is None, "nothing came or went"


def test_a_tuple_that_is_used_again_is_another_flow_with_another_id(scene: Scene) -> None:
    again = replace(ONE, start_ns=START + 5)
    scene.tick(ONE.counted(10, 0))
    closing = scene.tick(again.counted(25, 0), ended=endings(ONE.counted(20, 0)))
    assert shown(closing, "start_ns", "orig_bytes") == [(START, 20)]
    closing = scene.tick(replace(ONE, start_ns=START + 9), ended=endings(again.counted(30, 0)))
    assert shown(closing, "start_ns", "orig_bytes") == [(START, 20), (START + 5, 30)]


def test_an_id_that_lives_again_is_taken_from_the_closed_one_at_once(scene: Scene) -> None:
    scene.tick(ONE, TWO)
    scene.tick(ONE)
    assert shown(scene.tick(ONE, replace(TWO, start_ns=START + 5)), "sport") == [2]


def test_counters_never_fall_and_become_known_late(scene: Scene) -> None:
    scene.tick(ONE.counted(500, 500), replace(TWO, counters=None))
    closing = scene.tick(ended=endings(ONE.counted(100, 700), TWO.counted(5, 6)))
    assert shown(closing, "sport", "orig_bytes", "reply_bytes") == [(1, 500, 700), (2, 5, 6)]


def test_of_too_many_the_oldest_go_first() -> None:
    scene = Scene(most=5)
    flows = [Flow(sport=number, ctid=number, start_ns=START) for number in range(12)]
    scene.tick(*flows)
    scene.tick(*flows[3:])
    closing = scene.tick(*flows[7:], ended=endings(replace(THREE, sport=99)))
    assert shown(closing, "sport") == [3, 4, 5, 6, 99]
    assert (closing.came.tolist(), closing.at.tolist()) == ([0, 1, 2, 3], [0, 1, 2, 3])
    later = scene.tick(ended=endings(replace(THREE, sport=98)))
    assert shown(later, "sport") == [8, 9, 10, 11, 98]
    assert (later.came.tolist(), later.at.tolist()) == ([0, 1, 2, 3], [1, 2, 3, 4])


def test_when_it_has_forgotten_nothing_is_left(scene: Scene) -> None:
    scene.tick(ONE, TWO)
    scene.tick(ONE)
    scene.closed.forget()
    assert scene.tick(ONE).snapshot.size == 0


def test_against_a_plain_account_of_many_ticks() -> None:
    """Flows come and go at random, with endings in time, late, or never; every one closes once, with its last bytes."""
    rng = np.random.default_rng(7)
    scene, late = Scene(keep_s=1e9, most=10_000), endings()
    alive: dict[int, Flow] = {}
    told: dict[int, int] = {}
    for tick in range(60):
        leaving = [number for number in alive if rng.random() < 0.3]
        ends = []
        for number in leaving:
            flow = alive.pop(number)
            told[number] = number * 100
            if rng.random() < 0.7:
                told[number] += 100
                ends.append(flow.counted(told[number], 0))
        for number in range(tick * 10, tick * 10 + int(rng.integers(0, 10))):
            flow = Flow(sport=number, ctid=number, start_ns=START + number).counted(number * 100, 0)
            if rng.random() < 0.2:
                ends.append(flow)
                told[number] = number * 100
            else:
                alive[number] = flow
        now = endings(*ends)
        half = rng.random(len(ends)) < 0.5
        merged = {name: np.concatenate((late[name], now[name][half])) for name in now}
        late = {name: column[~half] for name, column in now.items()}
        closing = scene.tick(*(alive[number] for number in rng.permutation(list(alive))), ended=merged)
    closing = scene.tick(*alive.values(), ended=late)
    assert dict(shown(closing, "sport", "orig_bytes")) == told
    assert closing.snapshot.size == len(told)
