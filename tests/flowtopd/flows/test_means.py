"""flowtopd.flows.means, through the table that makes rates."""

import itertools
import math
import random
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from flowtopd.flows.snapshot import Snapshot
from flowtopd.flows.table import FlowTable
from flowtopd.wire.messages import MEANS_S
from tests.flowtopd.batches import Flow, batch, moment

ONE, TWO = (Flow(sport=number, ctid=number) for number in (1, 2))
MEANS = [seconds for seconds in MEANS_S if seconds]


def means(taken: Snapshot, mean_s: float) -> dict[int, tuple[float, float]]:
    ports = taken.columns["sport"].tolist()
    return dict(zip(ports, zip(*(rates.tolist() for rates in taken.means[mean_s]), strict=True), strict=True))


def run(table: FlowTable, ticks: Any, mean_s: float) -> Snapshot:
    for at_s, flows in ticks:
        taken = table.apply(batch(*flows, at_s=at_s), moment(at_s), {mean_s})
    return taken


@pytest.mark.parametrize("mean_s", MEANS)
@pytest.mark.parametrize("interval_s", [0.1, 0.25, 1.0, 0.999, 3.0])
def test_a_mean_is_what_moved_in_its_time_to_a_tenth_of_it_or_a_tick(mean_s: float, interval_s: float) -> None:
    """A flow that moves 1000 bytes/s from second 100 on: how much of the mean that is says how long the mean is."""
    table = FlowTable()
    exact_s = max(mean_s / 10, interval_s / 2) + interval_s / 2 + 0.01
    for number in itertools.count():
        at_s = number * interval_s
        moved = max(0.0, at_s - 100.0) * 1000
        taken = table.apply(batch(ONE.counted(int(moved), 0), at_s=at_s), moment(at_s), {mean_s})
        if at_s > 100:
            rate = means(taken, mean_s)[1][0]
            since_s = at_s - 100
            if since_s > mean_s + exact_s:
                assert rate == pytest.approx(1000, rel=1e-3)
                break
            longest, shortest = mean_s + exact_s, min(since_s, max(interval_s, mean_s - exact_s))
            assert 1000 * since_s / longest * 0.99 <= rate <= 1000 * since_s / shortest * 1.01


def test_a_younger_flow_has_its_mean_over_its_life_so_far() -> None:
    ticks = [(float(at), [ONE, *([TWO.counted(500 * at, 100 * at)] if at >= 20 else [])]) for at in range(24)]
    found = means(run(FlowTable(), ticks, 40.0), 40.0)
    assert found[2] == pytest.approx((500, 100))
    assert found[1] == (0, 0)


def test_a_flow_that_was_sampled_once_or_is_not_counted_has_none() -> None:
    silent = replace(ONE, counters=None)
    found = means(run(FlowTable(), [(0.0, [silent]), (1.0, [silent]), (2.0, [silent, TWO])], 2.0), 2.0)
    assert all(math.isnan(rate) for rates in found.values() for rate in rates)


def test_flows_keep_their_means_wherever_the_dump_lists_them() -> None:
    rng = random.Random(5)
    flows = [Flow(sport=number, ctid=number) for number in range(50)]
    present, born = set(range(25)), dict.fromkeys(range(25), 0)
    table = FlowTable()
    for tick in range(40):
        for number in [one for one in present if rng.random() < 0.02]:
            present.remove(number)
        for number in range(50):
            if number not in born and rng.random() < 0.04:
                present.add(number)
                born[number] = tick
        order = rng.sample(sorted(present), len(present))
        listed = [flows[number].counted(1000 * number * tick, 7 * tick) for number in order]
        taken = table.apply(batch(*listed, at_s=float(tick)), moment(float(tick)), {10.0})
    found = means(taken, 10.0)
    assert len(found) > 10
    for number, rates in found.items():
        assert rates == pytest.approx((1000 * number, 7), rel=1e-6) or born[number] == tick


def test_a_table_that_was_empty_or_forgotten_begins_anew() -> None:
    table = FlowTable()
    for begin in range(2):
        run(table, [(float(at), [ONE.counted(1000 * at, 0)]) for at in range(10 * begin, 10 * begin + 5)], 2.0)
        taken = run(table, [(10.0 * begin + 6, []), (10.0 * begin + 7, [ONE])], 2.0)
        assert taken.means == {}
        table.forget()


def test_nothing_is_kept_for_nobody() -> None:
    table = FlowTable()
    run(table, [(float(at), [ONE]) for at in range(5)], 2.0)
    assert table.apply(batch(ONE, at_s=6.0), moment(6.0)).means == {}
    assert table._means == {}


def test_many_bytes_are_added_up_without_losing_any_that_matter() -> None:
    taken = run(FlowTable(), [(float(at), [ONE.counted(10**12 * at + at, 3 * at)]) for at in range(60)], 40.0)
    assert means(taken, 40.0)[1] == pytest.approx((10**12, 3), rel=1e-6)


def test_columns_of_means_are_read_only() -> None:
    taken = run(FlowTable(), [(0.0, [ONE]), (1.0, [ONE])], 2.0)
    for rates in taken.means[2.0]:
        with pytest.raises(ValueError, match="read-only"):
            rates[0] = np.nan
