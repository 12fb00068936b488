from dataclasses import replace

import numpy as np
import pytest

from flowtopd.flows.looks import look
from flowtopd.flows.schema import SCHEMA
from tests.flowtopd.batches import Flow, snapshot

LIVING, GONE = (Flow(sport=number, ctid=number).counted(100, 50) for number in (1, 2))
MEANS = (np.array([5.0]), np.array([6.0]))
TAKEN = replace(snapshot(LIVING, before=(LIVING,)), closed=snapshot(GONE), means={10.0: MEANS})


def test_who_asks_for_nothing_gets_the_snapshot_itself() -> None:
    assert look(TAKEN) is TAKEN
    assert look(replace(TAKEN, closed=None), closed=True) is not TAKEN
    assert look(replace(TAKEN, closed=None), closed=True).size == 1


def test_closed_flows_stand_behind_the_living_in_every_column() -> None:
    taken = look(TAKEN, closed=True)
    assert taken.size == 2
    assert taken.columns["sport"].tolist() == [1, 2]
    for name in SCHEMA:
        assert len(taken.columns[name]) == 2
        with pytest.raises(ValueError, match="read-only"):
            taken.columns[name][0] = 0


def test_only_what_is_read_is_put_together() -> None:
    taken = look(TAKEN, closed=True)
    assert taken.columns["sport"] is taken.columns["sport"]
    assert list(taken.columns) == ["sport"]


def test_means_stand_in_the_place_of_rates_and_closed_flows_have_none() -> None:
    assert look(TAKEN, mean_s=10.0).columns["orig_rate"].tolist() == [5.0]
    both = look(TAKEN, closed=True, mean_s=10.0)
    assert np.array_equal(both.columns["reply_rate"], [6.0, np.nan], equal_nan=True)
    assert TAKEN.columns["orig_rate"].tolist() == [0.0]


def test_a_mean_that_nobody_wanted_in_time_is_the_rate_of_the_last_tick() -> None:
    assert look(TAKEN, mean_s=40.0).columns["orig_rate"].tolist() == [0.0]
