"""Merged windows against the plain way: all rows of all hosts in one list, sorted and cut."""

from dataclasses import replace
from typing import Any

import pytest

from flowtop_client.connection.merging import merged, past, present, query_of_host
from flowtop_client.several import HOST_FIELD
from flowtopd.wire.messages import Query, Snapshot, View
from tests.flowtop_client.scripted_daemon import STATUS, Flow, made_up, snapshot_for

HOSTS = {"router": made_up(90)[0::2], "ap": made_up(90)[1::2], "empty": []}
FIELDS = ("id", "dst", "orig_rate")


def answers(query: Query, hosts: dict[str, list[Flow]] | None = None) -> dict[str, Snapshot]:
    asked = query_of_host(query)
    return {
        name: snapshot_for(asked, flows, 1, STATUS, 1.0) for name, flows in (HOSTS if hosts is None else hosts).items()
    }


def in_one(query: Query) -> Any:
    return merged(query, answers(query), seq=7, time=1000.0)


@pytest.mark.parametrize("offset", [0, 1, 13, 44, 80, 1000])
@pytest.mark.parametrize("sort", ["rate", "bytes", "orig_rate", "process", "dport", "duration", "status"])
@pytest.mark.parametrize("descending", [True, False])
def test_a_window_is_the_part_of_all_rows_in_order(offset: int, sort: str, *, descending: bool) -> None:
    query = Query(tag=3, sort=sort, descending=descending, offset=offset, limit=12, fields=FIELDS)
    window = in_one(query)
    whole = in_one(replace(query, offset=0, limit=None))
    assert len(whole.rows) == 90
    assert window.offset == min(offset, 90 - 12)
    assert window.rows == whole.rows[window.offset : window.offset + 12]
    assert (window.tag, window.seq, window.time, window.fields) == (3, 7, 1000.0, (HOST_FIELD, *FIELDS))
    everything = {each["id"]: each for flows in HOSTS.values() for each in flows}
    parts = {"rate": ("orig_rate", "reply_rate"), "bytes": ("orig_bytes", "reply_bytes")}.get(sort, (sort,))
    values = [[everything[row[1]][part] for part in parts] for row in whole.rows]
    known = [value if len(value) > 1 else value[0] for value in values if None not in value]
    if known and isinstance(known[0], list) and sort != "status":
        known = [sum(value) for value in known]
    if sort != "status":
        assert known == sorted(known, reverse=descending)
    assert all(None in value for value in values[len(known) :]), "what is unknown comes last"


def test_every_row_says_whose_it_is() -> None:
    of = {each["id"]: name for name, flows in HOSTS.items() for each in flows}
    assert {(row[0], row[1]) for row in in_one(Query(fields=FIELDS)).rows} == {(of[name], name) for name in of}


def test_addresses_are_in_the_order_of_their_numbers() -> None:
    hosts = {
        "a": [made_up(1)[0] | {"id": "1", "dst": "10.0.0.9"}, made_up(1)[0] | {"id": "2", "dst": "2001:db8::1"}],
        "b": [made_up(1)[0] | {"id": "3", "dst": "9.0.0.1"}, made_up(1)[0] | {"id": "4", "dst": "10.0.0.10"}],
    }
    query = Query(sort="dst", descending=False, fields=("dst",))
    told = {
        name: replace(answer, rows=[[each["dst"]] for each in hosts[name]])
        for name, answer in answers(query, hosts).items()
    }
    told["b"] = replace(told["b"], rows=[["9.0.0.1"], ["10.0.0.10"]])
    rows = merged(query, told, seq=1, time=0.0).rows
    assert [row[1] for row in rows] == ["9.0.0.1", "10.0.0.9", "10.0.0.10", "2001:db8::1"]


def test_groups_stay_groups_of_one_host() -> None:
    query = Query(view=View.COUNTRIES, sort="flows")
    rows = merged(query, answers(query, dict.fromkeys(("router", "ap"), made_up(50))), seq=1, time=0.0).rows
    assert len({(row[0], row[1]) for row in rows}) == len(rows)
    assert [row[0] for row in rows if row[1] == "DE"] == ["router", "ap"]


def test_amounts_are_sums_and_each_host_keeps_its_own() -> None:
    told = answers(Query(limit=1, fields=FIELDS))
    told["ap"] = replace(told["ap"], status=replace(told["ap"].status, max=None, accounting=False, pace=4.0))
    whole = merged(Query(limit=1, fields=FIELDS), told, seq=1, time=0.0)
    assert (whole.status.flows, whole.status.matched) == (90, 90)
    assert (whole.status.max, whole.status.accounting, whole.status.pace) == (None, False, 4.0)
    assert whole.totals.orig_bytes == sum(each["orig_bytes"] for flows in HOSTS.values() for each in flows)
    assert [name for name, status in whole.hosts if not status.accounting] == ["ap"]


def test_nothing_is_known_of_rates_before_every_host_has_two_samples() -> None:
    told = answers(Query(limit=1))
    told["ap"] = replace(told["ap"], interval=None)
    assert merged(Query(limit=1), told, seq=1, time=0.0).interval is None


def test_the_past_is_added_up_by_how_long_ago_it_was() -> None:
    one, two = (replace(answer, time=at) for answer, at in zip(answers(Query()).values(), (50.0, 9000.0), strict=False))
    one = replace(one, history=[[48.0, 1.0, 10.0], [49.02, 2.0, None], [50.0, 3.0, 30.0]])
    two = replace(two, history=[[8999.0, 100.0, 1000.0], [9000.01, 200.0, 2000.0]])
    assert past([one, two], time=700.0, step_s=1.0) == [
        [698.0, 1.0, 10.0],
        [699.0, 102.0, 1000.0],
        [700.0, 203.0, 2030.0],
    ]
    assert present([[50.0, 3.0, None], [9000.0, 200.0, None]], time=701.0) == [[701.0, 203.0, None]]
