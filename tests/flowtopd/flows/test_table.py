import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowtopd.flows.schema import COUNTERS, JOINED, SCHEMA
from flowtopd.flows.snapshot import Moment, Snapshot
from flowtopd.flows.table import FlowTable
from tests.flowtopd.batches import Flow, batch, moment, snapshot

ONE = Flow()


def values(taken: object, name: str) -> list[float]:
    return taken.columns[name].tolist()  # type: ignore[attr-defined,no-any-return]


def test_a_rate_needs_two_samples() -> None:
    first = snapshot(ONE)
    assert first.interval_s is None
    assert math.isnan(first.columns["orig_rate"][0])


def test_a_rate_is_what_moved_between_two_samples_of_the_same_flow() -> None:
    second = snapshot(ONE.counted(1100, 5200), before=(ONE.counted(100, 200),))
    assert second.interval_s == 1.0
    assert values(second, "orig_rate") == [1000.0]
    assert values(second, "reply_rate") == [5000.0]


def test_the_time_between_samples_is_that_of_the_flow_not_of_the_tick() -> None:
    """A long dump reads its last block much later than its first one."""
    table = FlowTable()
    table.apply(batch(replace(ONE.counted(0, 0), at_s=9.0)), moment(9.0))
    second = table.apply(batch(replace(ONE.counted(3000, 0), at_s=10.5)), moment(11.0))
    assert values(second, "orig_rate") == [2000.0]


def test_a_new_flow_has_no_rate_yet_while_its_neighbours_have() -> None:
    new = Flow(sport=40001, ctid=2)
    second = snapshot(ONE.counted(200, 200), new, before=(ONE.counted(100, 200),))
    by_port = dict(zip(values(second, "sport"), values(second, "orig_rate"), strict=True))
    assert by_port[40000] == 100.0
    assert math.isnan(by_port[40001])


def test_what_is_not_counted_stays_unknown() -> None:
    uncounted = replace(ONE, counters=None)
    second = snapshot(uncounted, before=(uncounted,))
    assert math.isnan(second.columns["orig_rate"][0])


def test_a_flow_that_begins_to_be_counted_has_a_rate_from_the_next_sample_on() -> None:
    second = snapshot(ONE, before=(replace(ONE, counters=None),))
    assert math.isnan(second.columns["orig_rate"][0])


def test_a_tuple_that_is_used_again_is_another_flow() -> None:
    again = [replace(ONE.counted(10, 10), ctid=2), replace(ONE.counted(10, 10), start_ns=2)]
    for other in again:
        second = snapshot(other, before=(replace(ONE.counted(1000, 1000), start_ns=1 if other.start_ns else 0),))
        assert math.isnan(second.columns["orig_rate"][0])
        assert second.resets == 0
        assert values(second, "first_seen_s") == [second.at.wall_s]


def test_counters_set_back_by_another_program_go_on() -> None:
    table = FlowTable()
    sent = [1000, 1500, 200, 700, 50]  # what the kernel says: set back twice
    continued = [1000, 1500, 1700, 2200, 2250]
    rates = [math.nan, 500.0, 200.0, 500.0, 50.0]
    resets = [0, 0, 1, 1, 2]
    for second, (raw, total, rate, count) in enumerate(zip(sent, continued, rates, resets, strict=True)):
        taken = table.apply(batch(ONE.counted(raw, 0), at_s=float(second)), moment(float(second)))
        assert values(taken, "orig_bytes") == [total]
        assert values(taken, "orig_packets") == [total // 100]
        assert taken.resets == count
        assert np.array_equal(values(taken, "orig_rate"), [rate], equal_nan=True)


def test_a_flow_that_comes_while_others_are_continued_begins_at_its_own_value() -> None:
    table = FlowTable()
    table.apply(batch(ONE.counted(1000, 0), at_s=0.0), moment(0.0))
    table.apply(batch(ONE.counted(100, 0), at_s=1.0), moment(1.0))
    new = Flow(sport=1, ctid=9).counted(70, 0)
    taken = table.apply(batch(new, ONE.counted(100, 0), at_s=2.0), moment(2.0))
    assert dict(zip(values(taken, "sport"), values(taken, "orig_bytes"), strict=True)) == {1: 70, 40000: 1100}


@given(st.lists(st.lists(st.integers(0, 2**40), min_size=2, max_size=2), min_size=2, max_size=8))
def test_no_counter_ever_falls_and_no_rate_is_negative(samples: list[list[int]]) -> None:
    table = FlowTable()
    last = dict.fromkeys(COUNTERS, 0)
    for second, (orig, reply) in enumerate(samples):
        taken = table.apply(batch(ONE.counted(orig, reply), at_s=float(second)), moment(float(second)))
        for name in COUNTERS:
            assert taken.columns[name][0] >= last[name]
            last[name] = int(taken.columns[name][0])
        for rate in ("orig_rate", "reply_rate"):
            assert not taken.columns[rate][0] < 0


def test_first_seen_is_kept_while_the_flow_lives() -> None:
    table = FlowTable()
    first = table.apply(batch(ONE, at_s=1.0), moment(1.0))
    table.apply(batch(ONE, at_s=2.0), moment(2.0))
    third = table.apply(batch(ONE, Flow(sport=1, ctid=2), at_s=3.0), moment(3.0))
    seen = dict(zip(values(third, "sport"), values(third, "first_seen_s"), strict=True))
    assert seen == {40000: first.at.wall_s, 1: third.at.wall_s}


def test_a_flow_that_the_dump_lists_twice_is_one_row_with_the_newer_sample() -> None:
    early, late = replace(ONE.counted(100, 0), at_s=9.8), replace(ONE.counted(300, 0), at_s=9.9)
    for rows in ((early, late), (late, early)):
        taken = snapshot(*rows, Flow(sport=2, ctid=5))
        assert taken.size == 2
        assert sorted(values(taken, "orig_bytes")) == [100, 300]
        assert 300 in values(taken, "orig_bytes")


@pytest.mark.parametrize("moved", [False, True], ids=["in the same rows", "in other rows"])
def test_flows_are_known_again_wherever_the_dump_lists_them(moved: bool) -> None:
    table = FlowTable()
    others = [Flow(sport=number, ctid=number + 2).counted(0, 0) for number in range(5)]
    for second in range(4):
        flows = [ONE.counted(1000 * second, 0), *others] if second < 2 else [ONE.counted(100 * second, 0), *others]
        taken = table.apply(batch(*(flows[::-1] if moved and second % 2 else flows), at_s=second), moment(second))
    by_port = dict(zip(values(taken, "sport"), values(taken, "orig_bytes"), strict=True))
    rates = dict(zip(values(taken, "sport"), values(taken, "orig_rate"), strict=True))
    assert (by_port[40000], rates[40000], rates[0]) == (1300, 100.0, 0.0)
    assert (taken.resets, values(taken, "first_seen_s")) == (1, [moment(0).wall_s] * 6)
    assert values(taken, "loopback") == [False] * 6


def test_flows_that_differ_in_one_thing_are_different_flows() -> None:
    flows = [
        ONE,
        replace(ONE, src="10.0.0.2"),
        replace(ONE, dst="1.1.1.2"),
        replace(ONE, sport=1),
        replace(ONE, dport=1),
        replace(ONE, proto=17),
        replace(ONE, zone=1),
        replace(ONE, ctid=2),
        replace(ONE, src="::ffff:0:1", dst="::1"),
        replace(ONE, sport=None, dport=None, proto=1, icmp=(8, 0, 7)),
        replace(ONE, sport=None, dport=None, proto=1, icmp=(8, 0, 8)),
        replace(ONE, sport=None, dport=None, proto=1, icmp=(13, 0, 7)),
    ]
    assert len(set(values(snapshot(*flows), "key"))) == len(flows)


def test_a_snapshot_cannot_be_changed() -> None:
    taken = snapshot(ONE)
    for name in SCHEMA:
        with pytest.raises(ValueError, match="read-only"):
            taken.columns[name][0] = 0


def test_a_snapshot_has_every_column_of_the_schema_and_no_other() -> None:
    assert set(snapshot(ONE).columns) == set(SCHEMA)
    assert set(snapshot(ONE, before=(ONE,)).columns) == set(SCHEMA)


def test_an_earlier_snapshot_stays_as_it_was() -> None:
    table = FlowTable()
    first = table.apply(batch(ONE.counted(100, 0), at_s=0.0), moment(0.0))
    before = {name: column.copy() for name, column in first.columns.items()}
    table.apply(batch(ONE.counted(50, 0), at_s=1.0), moment(1.0))
    table.apply(batch(at_s=2.0), moment(2.0))
    for name, column in first.columns.items():
        assert np.array_equal(column, before[name], equal_nan=True)


def test_after_forget_the_next_tick_is_a_first_one() -> None:
    table = FlowTable()
    table.apply(batch(ONE, at_s=0.0), moment(0.0))
    table.forget()
    taken = table.apply(batch(ONE, at_s=1.0), moment(1.0))
    assert (taken.seq, taken.interval_s) == (2, None)
    assert math.isnan(taken.columns["orig_rate"][0])


def test_empty_tables_come_and_go() -> None:
    table = FlowTable()
    assert table.apply(batch(at_s=0.0), moment(0.0)).size == 0
    assert table.apply(batch(ONE, at_s=1.0), moment(1.0)).size == 1
    assert table.apply(batch(at_s=2.0), moment(2.0)).size == 0


def test_counters_that_were_continued_are_forgotten_with_their_flows() -> None:
    table = FlowTable()
    dumps = [(ONE.counted(1000, 0),), (ONE.counted(100, 0),), (), (ONE.counted(70, 0),), (ONE.counted(90, 0),)]
    taken = [table.apply(batch(*flows, at_s=float(at)), moment(float(at))) for at, flows in enumerate(dumps)]
    assert [values(one, "orig_bytes") for one in taken] == [[1000], [1100], [], [70], [90]]


def test_rows_are_found_by_their_keys() -> None:
    taken = snapshot(ONE, Flow(sport=7, ctid=2))
    assert taken.rows_of(np.append(taken.columns["key"], np.uint64(12345))).tolist() == [0, 1, -1]


def test_a_row_knows_where_its_flow_stood_before() -> None:
    table = FlowTable()
    other = Flow(sport=7, ctid=2, start_ns=5)
    assert _previous(table.apply(batch(ONE, other), moment(0))) == [-1, -1]
    assert _previous(table.apply(batch(ONE, other), moment(1))) is None
    assert _previous(table.apply(batch(Flow(sport=8, ctid=3), other, ONE), moment(2))) == [-1, 1, 0]
    # the slot was used again: the same key, another start
    assert _previous(table.apply(batch(replace(other, start_ns=6), ONE), moment(3))) == [-1, 2]


def _previous(taken: Snapshot) -> list[int] | None:
    return None if taken.previous is None else taken.previous.tolist()


@pytest.mark.parametrize(
    ("src", "dst", "loopback"),
    [
        ("127.0.0.1", "127.9.9.9", True),
        ("10.0.0.1", "127.0.0.53", True),
        ("::1", "::1", True),
        ("fd00::1", "2606:4700::1", False),
        ("126.255.255.255", "128.0.0.1", False),
        ("fd00::ffff:7f00:1", "fd00::2", False),
    ],
)
def test_loopback_is_told_by_the_addresses(src: str, dst: str, loopback: bool) -> None:
    assert values(snapshot(Flow(src=src, dst=dst)), "loopback") == [loopback]


@pytest.mark.parametrize("others", [(), (Flow(sport=7, ctid=7),)], ids=["the same flows", "others too"])
@pytest.mark.parametrize("set_s", [3600.0, -3600.0])
def test_when_the_clock_is_set_flows_are_as_old_as_before_and_rates_are_the_same(
    set_s: float, others: tuple[Flow, ...]
) -> None:
    table = FlowTable()
    table.apply(batch(ONE.counted(0, 0), at_s=9.0), moment(9.0))
    now = Moment(moment(10.0).wall_s + set_s, 10.0, set_s)
    second = table.apply(batch(ONE.counted(500, 0), *others, at_s=10.0), now)
    row = values(second, "ctid").index(ONE.ctid)
    assert values(second, "orig_rate")[row] == 500.0
    assert now.wall_s - values(second, "first_seen_s")[row] == 1.0
    later = Moment(now.wall_s + 1, 11.0)
    third = table.apply(batch(ONE.counted(500, 0), *others, at_s=11.0), later)
    assert later.wall_s - values(third, "first_seen_s")[values(third, "ctid").index(ONE.ctid)] == 2.0


def test_what_is_not_joined_yet_takes_no_memory() -> None:
    taken = FlowTable().apply(batch(Flow(), Flow(sport=2)), moment(1.0))
    for name in JOINED:
        assert taken.columns[name].tolist() == [0, 0]
        assert taken.columns[name].strides == (0,)
