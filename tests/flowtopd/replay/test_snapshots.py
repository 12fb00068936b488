"""What becomes a sample becomes the same snapshot again: every field, every group, every filter."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowtopd.flows.addresses import AddressTable
from flowtopd.flows.dimensions import Device, Dimensions, Where
from flowtopd.flows.schema import SCHEMA
from flowtopd.flows.snapshot import Snapshot
from flowtopd.query.execute import execute, rendered
from flowtopd.query.results import Results
from flowtopd.query.rows import render
from flowtopd.replay.snapshots import Snapshots
from flowtopd.wire.errors import RecordingError
from flowtopd.wire.fields import FLOW_FIELDS, RECORDED_FIELD_NAMES, RECORDED_FIELDS, VIEW_FIELDS, Field, Kind
from flowtopd.wire.messages import Query, View
from flowtopd.wire.samples import Sample
from tests.flowtopd.batches import Flow, joined, snapshot
from tests.flowtopd.replay.samples import plain_table, sample

FILTERS = (
    "tcp and dst port 443",
    "country US",
    "device tv",
    "remote scope lan",
    "src scope host",
    "not process *",
    "host 10.0.0.1",
    "snat or dnat",
    "loopback",
    "bytes > 1000",
    "attribution exact and user ann",
    "state ESTABLISHED",
)


def everything(taken: Snapshot) -> list[list[Any]]:
    return render(taken, np.arange(taken.size), RECORDED_FIELD_NAMES)


def groups(taken: Snapshot, view: View) -> list[list[Any]]:
    """The groups by their keys. Of this host's device only the addresses of flows are recorded, not all it has."""
    results, query = Results(taken), Query(view=view, sort="key", loopback=True)
    page = execute(results, query)
    rows = rendered(results, query, page.rows, VIEW_FIELDS[view])
    return [row for row in rows if row[0] != "(this host)"]


def again(taken: Snapshot) -> Snapshot:
    return Snapshots().make(sample(taken), 5.0)


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 10_000), st.integers(0, 60))
def test_every_field_of_every_flow_survives(seed: int, size: int) -> None:
    taken = plain_table(seed, size)
    made = again(taken)
    assert everything(made) == everything(taken)
    assert {name: (column.dtype, column.shape) for name, column in made.columns.items()} == {
        name: (column.dtype, column.shape) for name, column in taken.columns.items()
    }


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 10_000), st.sampled_from([view for view in View if view is not View.FLOWS]))
def test_the_groups_are_the_same(seed: int, view: View) -> None:
    taken = plain_table(seed, 40)
    assert groups(again(taken), view) == groups(taken, view)


@pytest.mark.parametrize("text", FILTERS)
def test_a_filter_means_the_same_flows(text: str) -> None:
    taken = plain_table(7, 300)
    query = Query(filter=text, loopback=True)
    meant, found = (Results(each).selection(query) for each in (taken, again(taken)))
    assert found.rows.tolist() == meant.rows.tolist()
    assert 0 < len(found.rows) < 300
    assert found.totals == meant.totals


def test_a_snapshot_has_every_column_and_none_can_be_written() -> None:
    made = again(plain_table(1, 3))
    assert set(made.columns) == set(SCHEMA)
    assert not any(column.flags.writeable for column in made.columns.values())
    assert (made.at.wall_s, made.at.monotonic_s, made.seq) == (1_700_000_010.0, 5.0, 1)


def test_rows_know_where_they_were_before() -> None:
    one, two = Flow(ctid=1), Flow(ctid=2, sport=2)
    snapshots = Snapshots()
    first = snapshots.make(sample(snapshot(one)), 1.0)
    second = snapshots.make(sample(snapshot(two, one)), 2.0)
    assert first.previous is not None
    assert second.previous is not None
    assert (first.previous.tolist(), second.previous.tolist()) == ([-1], [-1, 0])
    assert (first.seq, second.seq) == (1, 2)


def test_a_device_behind_a_forwarded_port_is_known_by_its_own_address() -> None:
    """Only the reply direction has it: nobody has sent anything to it, as conntrack sees it."""
    taken = snapshot(Flow(src="1.1.1.1", dst="203.0.113.1", status=0xE | 1 << 5))
    inside = np.array([[0, 0xFFFF_C0A8_0107]], np.uint64)
    addresses = AddressTable()
    ends = {name: addresses.add(taken.columns[name]).tolist() for name in ("src", "dst")}
    behind = addresses.add(inside)
    addresses.put("device", behind, 1)
    addresses.put("where", behind, Where.LAN)
    dimensions = Dimensions(addresses.columns, devices=(Device(), Device("nas", "02:00:00:00:00:09", None)))
    taken = replace(taken, columns=taken.columns | {"reply_src": inside})
    taken = joined(taken, dimensions, local_at=behind.tolist(), **{f"{name}_at": at for name, at in ends.items()})
    made = again(taken)
    assert everything(made) == everything(taken)
    assert groups(made, View.DEVICES) == groups(taken, View.DEVICES)
    for text in ("local scope lan", "local host 192.168.1.7 device nas"):
        assert len(Results(made).selection(Query(filter=text)).rows) == 1, text


def test_a_start_is_the_same_number_whenever_it_was() -> None:
    for start in (1_000_000_000.123456789, 1_764_000_000.987654321, 2_200_000_000.000000001):
        taken = snapshot(Flow(start_ns=int(start * 1e9) + 77))
        assert again(taken).columns["start_ns"][0] / 1e9 == taken.columns["start_ns"][0] / 1e9


def test_fields_that_are_not_there_are_unknown() -> None:
    taken = snapshot(Flow())
    few = ("id", "family", "proto", "src", "dst", "reply_src", "reply_dst")
    whole = sample(taken)
    made = Snapshots().make(replace(whole, columns={name: whole.columns[name] for name in few}), 0.0)
    shown = dict(zip(RECORDED_FIELD_NAMES, everything(made)[0], strict=True))
    assert {name: shown[name] for name in few} == {name: whole.columns[name][0] for name in few}
    assert shown["sport"] is shown["orig_bytes"] is shown["process"] is shown["start"] is shown["orig_rate"] is None


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("id", "zebra"),
        ("id", None),
        ("id", "f" * 17),
        ("src", "300.1.1.1"),
        ("src", None),
        ("src", "::1\0"),
        ("dst", "x:y"),
        ("local", "here"),
        ("proto", "tcpp"),
        ("proto", "256"),
        ("family", "ipx"),
        ("state", "GONE"),
        ("sport", 65536),
        ("sport", -1),
        ("orig_bytes", 1 << 64),
        ("start", -5.0),
        ("start", float("nan")),
        ("service_port", 1 << 20),
        ("pid", 1 << 32),
        ("dst_asn", -1),
    ],
)
def test_a_value_that_no_flow_can_have_is_refused(field: str, value: object) -> None:
    whole = sample(snapshot(Flow()))
    wrong: Sample = replace(whole, columns=whole.columns | {field: [value]})
    with pytest.raises(RecordingError):
        Snapshots().make(wrong, 0.0)


OF_KIND: dict[Kind, st.SearchStrategy[Any]] = {
    Kind.TEXT: st.text(max_size=40),
    Kind.INT: st.integers(-(1 << 63), (1 << 64) - 1),
    Kind.FLOAT: st.floats(),
    Kind.BOOL: st.booleans(),
    Kind.LIST: st.lists(st.text(max_size=10), max_size=3),
}


@settings(deadline=None, max_examples=300)
@given(st.sampled_from(RECORDED_FIELDS), st.data())
def test_any_value_of_its_kind_is_shown_or_refused_and_nothing_else(field: Field, data: st.DataObject) -> None:
    whole = sample(plain_table(1, 3))
    odd = whole.columns | {field.name: [*whole.columns[field.name][1:], data.draw(st.none() | OF_KIND[field.kind])]}
    try:
        made = Snapshots().make(replace(whole, columns=odd), 0.0)
    except RecordingError:
        return
    everything(made)
    for view in View:
        results = Results(made)
        for sort in ("key",) if view is not View.FLOWS else (field.name if field in FLOW_FIELDS else "rate",):
            query = Query(view=view, sort=sort, loopback=True)
            rendered(results, query, execute(results, query).rows, VIEW_FIELDS[view])
