"""The ring of rates: compared with what was put in, and bounded."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowtopd.flows.rate_history import RateHistory
from flowtopd.flows.snapshot import Moment, Snapshot
from flowtopd.flows.table import FlowTable
from tests.flowtopd.batches import Flow, batch, moment

MOVING, STILL, UNCOUNTED = Flow(ctid=1), Flow(ctid=2, sport=2), Flow(ctid=3, sport=3, counters=None)


def ticks(*flows: tuple[Flow, ...]) -> list[Snapshot]:
    """One snapshot a second."""
    table = FlowTable()
    return [table.apply(batch(*each, at_s=float(at)), moment(float(at))) for at, each in enumerate(flows)]


def row(snapshot: Snapshot, flow: Flow) -> int:
    (found,) = np.flatnonzero(snapshot.columns["ctid"] == flow.ctid).tolist()
    return int(found)


def kept(snapshots: list[Snapshot], **limits: int) -> RateHistory:
    history = RateHistory(**limits)
    for each in snapshots:
        history.add(each)
    return history


SEEN = ticks(
    (MOVING.counted(0, 0), STILL),
    (MOVING.counted(100, 7), STILL, UNCOUNTED),
    (MOVING.counted(100, 7), STILL, UNCOUNTED),
    (MOVING.counted(350, 7), STILL, UNCOUNTED),
)
START = moment(0.0).wall_s


def test_the_rates_of_a_flow_are_those_of_every_tick_since_its_first() -> None:
    points = kept(SEEN).of(SEEN[-1], row(SEEN[-1], MOVING))
    assert points == [(START, None, None), (START + 1, 100.0, 7.0), (START + 2, 0.0, 0.0), (START + 3, 250.0, 0.0)]


def test_a_flow_that_stands_still_has_rates_of_zero_and_one_that_is_not_counted_has_none() -> None:
    history, last = kept(SEEN), SEEN[-1]
    assert [orig for _, orig, _ in history.of(last, row(last, STILL))] == [None, 0.0, 0.0, 0.0]
    assert history.of(last, row(last, UNCOUNTED)) == []


def test_an_older_snapshot_sees_nothing_of_what_came_after_it() -> None:
    assert [at for at, _, _ in kept(SEEN).of(SEEN[1], row(SEEN[1], MOVING))] == [START, START + 1]


def test_a_flow_that_comes_back_begins_anew() -> None:
    """The same tuple and id, with another start: the flow before it had the same key."""
    again = Flow(ctid=1, start_ns=5)
    seen = ticks((MOVING.counted(0, 0),), (MOVING.counted(9, 9),), (again.counted(1, 1),), (again.counted(4, 1),))
    assert seen[0].columns["key"][0] == seen[-1].columns["key"][0]
    assert kept(seen).of(seen[-1], 0) == [(START + 2, None, None), (START + 3, 3.0, 0.0)]


def test_cleared_it_holds_nothing() -> None:
    history = kept(SEEN)
    history.clear()
    assert (len(history), history.nbytes, history.of(SEEN[-1], 0)) == (0, 0, [])


def test_the_oldest_go_first_when_they_are_too_many() -> None:
    points = kept(SEEN, samples=2).of(SEEN[-1], row(SEEN[-1], MOVING))
    assert [at for at, _, _ in points] == [START + 2, START + 3]


@given(st.lists(st.integers(0, 40), max_size=30), st.integers(0, 1000))
def test_it_never_takes_more_than_its_budget_and_keeps_what_fits(moving: list[int], budget: int) -> None:
    flows = [Flow(ctid=number, sport=number) for number in range(1, 41)]
    table, history, sizes = FlowTable(), RateHistory(budget), []
    moved = [0] * 40
    for at, count in enumerate(moving):
        moved = [so_far + (number < count) for number, so_far in enumerate(moved)]
        rows = [flow.counted(so_far, 0) for flow, so_far in zip(flows, moved, strict=True)]
        history.add(table.apply(batch(*rows, at_s=float(at)), moment(float(at))))
        sizes.append(16 * count if at else 0)
        assert history.nbytes == sum(sizes[len(sizes) - len(history) :]) <= budget
        assert len(history) == len(sizes) or sum(sizes[len(sizes) - len(history) - 1 :]) > budget


@pytest.mark.parametrize("set_s", [3600.0, -3600.0])
def test_a_clock_that_is_set_leaves_the_graph_whole(set_s: float) -> None:
    table, history = FlowTable(), RateHistory()
    for at in range(4):
        steps = set_s if at >= 2 else 0.0
        now = Moment(START + at + steps, float(at), set_s if at == 2 else 0.0)
        last = table.apply(batch(MOVING.counted(at * 100, 0), at_s=float(at)), now)
        history.add(last)
    times = [at for at, _orig, _reply in history.of(last, 0)]
    assert times == [START + set_s + at for at in range(4)]
    assert [orig for _at, orig, _reply in history.of(last, 0)] == [None, 100.0, 100.0, 100.0]
