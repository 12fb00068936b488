from dataclasses import replace

import numpy as np

from flowtopd.flows.history import sample
from flowtopd.flows.snapshot import Sample
from tests.flowtopd.batches import Flow, snapshot

BEFORE = [Flow(sport=number, ctid=number).counted(0, 0) for number in range(3)]
FLOWS = [flow.counted(1000, 10) for flow in BEFORE]


def test_a_sample_is_what_all_flows_move() -> None:
    taken = snapshot(*FLOWS, before=tuple(BEFORE))
    assert sample(taken) == Sample(taken.seq, taken.at.wall_s, 3000.0, 30.0)


def test_the_first_tick_has_no_rates_and_no_sample() -> None:
    assert sample(snapshot(*FLOWS)) is None


def test_loopback_and_the_daemons_own_are_left_out() -> None:
    local = Flow("127.0.0.1", "127.0.0.1", ctid=9).counted(0, 0)
    taken = snapshot(*FLOWS, local.counted(10**6, 10**6), before=(*BEFORE, local))
    own = np.array([True, False, False, False])
    made = sample(replace(taken, columns=taken.columns | {"own": own}))
    assert made is not None
    assert (made.orig_rate, made.reply_rate) == (2000.0, 20.0)


def test_flows_that_are_new_or_not_counted_add_nothing() -> None:
    silent = Flow(sport=7, ctid=7, counters=None)
    made = sample(snapshot(*FLOWS, silent, Flow(sport=8, ctid=8), before=(*BEFORE, silent)))
    assert made is not None
    assert made.orig_rate == 3000.0


def test_where_nothing_is_counted_the_rate_is_unknown_and_an_empty_table_moves_nothing() -> None:
    silent = Flow(counters=None)
    unknown, empty = sample(snapshot(silent, before=(silent,))), sample(snapshot(before=(silent,)))
    assert unknown is not None
    assert empty is not None
    assert (unknown.orig_rate, unknown.reply_rate) == (None, None)
    assert (empty.orig_rate, empty.reply_rate) == (0.0, 0.0)
