from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowtopd.flows.snapshot import Snapshot
from flowtopd.query.execute import check, execute, rendered
from flowtopd.query.results import Results
from flowtopd.query.rows import RENDERERS, render
from flowtopd.query.sort import SORT_KEYS, End, order
from flowtopd.wire.errors import ErrorCode, RemoteProtocolError
from flowtopd.wire.fields import FLOW_FIELD_NAMES, SORT_FIELDS
from flowtopd.wire.messages import Family, Query, View
from tests.flowtopd.batches import Flow, snapshot

FLOWS = (
    Flow(sport=1, ctid=1).counted(100, 0),
    Flow(sport=2, ctid=2, proto=17, state=None).counted(200, 50),
    Flow(sport=3, ctid=3, src="fd00::1", dst="2606:4700::1111").counted(300, 10),
    Flow(sport=4, ctid=4, src="127.0.0.1", dst="127.0.0.1").counted(400, 400),
    Flow(sport=5, ctid=5, counters=None),
)
BEFORE = (
    FLOWS[0],
    FLOWS[1].counted(100, 0),
    FLOWS[2].counted(100, 10),
    FLOWS[3],
    FLOWS[4],
)
TAKEN = snapshot(*FLOWS, before=BEFORE)


def ports(query: Query, taken: Snapshot = TAKEN) -> list[Any]:
    page = execute(Results(taken), query)
    return [row[0] for row in render(taken, page.rows, ("sport",))]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (Query(sort="sport", descending=False), [1, 2, 3, 5]),
        (Query(sort="sport", descending=False, loopback=True), [1, 2, 3, 4, 5]),
        (Query(sort="sport", descending=False, protocols=(6,)), [1, 3, 5]),
        (Query(sort="sport", descending=False, protocols=(17, 136)), [2]),
        (Query(sort="sport", descending=False, protocols=()), []),
        (Query(sort="sport", descending=False, families=(Family.IPV6,)), [3]),
        (Query(sort="sport", descending=False, families=(Family.IPV4,)), [1, 2, 5]),
        (Query(sort="sport", descending=False, families=()), []),
        (Query(sort="sport", descending=False, active=True), [2, 3]),
    ],
)
def test_a_query_selects(query: Query, expected: list[int]) -> None:
    assert ports(query) == expected


def test_unknown_comes_last_in_both_directions() -> None:
    assert ports(Query(sort="orig_bytes", descending=True))[-1] == 5
    assert ports(Query(sort="orig_bytes", descending=False))[-1] == 5


def test_the_default_order_is_by_rate_of_both_directions_falling() -> None:
    assert ports(Query())[:2] == [3, 2]


def test_totals_are_of_all_that_matched_not_of_the_window() -> None:
    page = execute(Results(TAKEN), Query(limit=1))
    assert (page.matched, len(page.rows)) == (4, 1)
    assert (page.totals.orig_bytes, page.totals.reply_bytes) == (600, 60)
    assert (page.totals.orig_rate, page.totals.reply_rate) == (300.0, 50.0)


def test_totals_of_nothing_counted_are_unknown_not_zero() -> None:
    totals = execute(Results(snapshot(FLOWS[4])), Query()).totals
    assert (totals.orig_bytes, totals.orig_rate) == (None, None)


@pytest.mark.parametrize(("offset", "shown"), [(0, [1, 2]), (1, [2, 3]), (2, [3, 5]), (9, [3, 5])])
def test_a_window_is_cut_and_never_lies_beyond_the_end(offset: int, shown: list[int]) -> None:
    query = Query(sort="sport", descending=False, offset=offset, limit=2)
    assert ports(query) == shown
    assert execute(Results(TAKEN), query).offset == min(offset, 2)


@given(st.lists(st.integers(0, 5), min_size=1, max_size=40), st.integers(0, 45), st.integers(0, 45), st.booleans())
def test_any_window_is_a_piece_of_the_whole_order(values: list[int], offset: int, limit: int, descending: bool) -> None:
    taken = snapshot(*(Flow(sport=number, ctid=number, mark=mark) for number, mark in enumerate(values)))
    query = Query(sort="mark", descending=descending)
    whole = execute(Results(taken), query).rows.tolist()
    page = execute(Results(taken), replace(query, offset=offset, limit=limit))
    assert page.rows.tolist() == whole[page.offset : page.offset + limit]


@given(st.lists(st.integers(0, 3) | st.none(), max_size=40), st.integers(0, 45), st.booleans())
def test_either_end_of_the_order_is_a_piece_of_the_whole(
    values: list[int | None], count: int, descending: bool
) -> None:
    flows = (Flow(sport=mark, ctid=number) for number, mark in enumerate(values))  # no port sorts last
    taken = snapshot(*flows)
    rows = np.arange(taken.size)
    whole = order(taken, rows, "sport", descending=descending, end=End.FIRST, count=99).tolist()
    first = order(taken, rows, "sport", descending=descending, end=End.FIRST, count=count).tolist()
    last = order(taken, rows, "sport", descending=descending, end=End.LAST, count=count).tolist()
    assert first == whole[:count]
    assert last == whole[max(0, len(whole) - count) :]


@given(st.lists(st.integers(0, 3), min_size=1, max_size=30), st.randoms())
def test_equal_rows_keep_their_places_whatever_the_order_of_the_dump(values: list[int], chance: Any) -> None:
    flows = [Flow(sport=number, ctid=number, mark=mark) for number, mark in enumerate(values)]
    shuffled = flows.copy()
    chance.shuffle(shuffled)
    query = Query(sort="mark", limit=10)
    assert ports(query, snapshot(*flows)) == ports(query, snapshot(*shuffled))


def test_every_field_of_the_contract_can_be_shown_and_sorted_by() -> None:
    assert set(RENDERERS) == set(FLOW_FIELD_NAMES)
    assert set(SORT_KEYS) == set(SORT_FIELDS)
    rows = np.arange(TAKEN.size)
    for field in SORT_FIELDS:
        for descending in (False, True):
            assert (
                sorted(order(TAKEN, rows, field, descending=descending, end=End.FIRST, count=99).tolist())
                == rows.tolist()
            )


@pytest.mark.parametrize(
    "field", ["proto", "state", "family", "src", "dst", "dport", "nat", "status", "start", "icmp_type"]
)
def test_sorting_by_a_field_follows_what_is_shown(field: str) -> None:
    """Text by text, numbers by number, addresses by number with IPv4 as mapped IPv6, unknown last."""
    flows = [
        Flow(ctid=1, proto=17, state=None, status=8, src="9.0.0.1", dst="2.0.0.1", dport=9),
        Flow(ctid=2, proto=6, state=3, status=0x18, src="10.0.0.1", dst="1.0.0.1", dport=80, start_ns=10**18),
        Flow(ctid=3, proto=6, state=7, status=0x28, src="10.0.0.1", dst="1.0.0.1", dport=443, start_ns=10**17),
        Flow(ctid=4, proto=132, state=4, status=0x3E, src="10.0.0.2", dst="1.0.0.3", dport=100),
        Flow(ctid=5, proto=1, state=None, sport=None, dport=None, icmp=(8, 0, 1)),
        Flow(ctid=6, proto=253, state=None, sport=None, dport=None),
    ]
    taken = snapshot(*flows)
    page = execute(Results(taken), Query(sort=field, descending=False))
    shown = [row[0] for row in render(taken, page.rows, (field,))]
    known = [value for value in shown if value is not None]
    assert shown == known + [None] * (len(shown) - len(known))
    if field in {"src", "dst"}:
        known = [tuple(map(int, address.split("."))) for address in known]
    elif field == "status":
        known = ["|".join(names) for names in known]
    assert known == sorted(known)


def test_rows_are_the_values_of_the_contract() -> None:
    flow = Flow(src="fd00::1", dst="2606:4700::1111", start_ns=1_699_999_990 * 10**9, mark=5, zone=2, status=0x1E)
    taken = snapshot(flow)
    (row,) = render(taken, np.array([0]), FLOW_FIELD_NAMES)
    shown = dict(zip(FLOW_FIELD_NAMES, row, strict=True))
    assert len(shown.pop("id")) == 16
    assert {name: value for name, value in shown.items() if value is not None} == {
        "family": "ipv6",
        "proto": "tcp",
        "state": "ESTABLISHED",
        "status": ["seen_reply", "assured", "confirmed", "snat"],
        "src": "fd00::1",
        "sport": 40000,
        "dst": "2606:4700::1111",
        "dport": 443,
        "reply_src": "2606:4700::1111",
        "reply_sport": 443,
        "reply_dst": "fd00::1",
        "reply_dport": 40000,
        "nat": "snat",
        "orig_packets": 1,
        "orig_bytes": 100,
        "reply_packets": 2,
        "reply_bytes": 200,
        "start": 1_699_999_990.0,
        "duration": 20.0,
        "timeout": 60,
        "mark": 5,
        "zone": 2,
        "closed": False,
    }


def test_what_is_absent_is_null_not_zero() -> None:
    taken = snapshot(Flow(sport=None, dport=None, state=None, counters=None, proto=253))
    fields = ("sport", "dport", "state", "orig_bytes", "orig_rate", "start", "duration", "icmp_type")
    assert render(taken, np.array([0]), fields) == [[None] * len(fields)]


def test_a_flow_from_before_the_clock_was_set_back_lasts_as_long_as_we_have_seen_it() -> None:
    flow = Flow(start_ns=1_800_000_000 * 10**9)
    first, second = snapshot(flow), snapshot(flow, before=(flow,))
    assert render(first, np.array([0]), ("duration",)) == [[0.0]]
    assert render(second, np.array([0]), ("duration",)) == [[1.0]]
    assert SORT_KEYS["duration"](second, np.array([0])).tolist() == [1.0]


def with_closed() -> Snapshot:
    """A flow that moves, and three that have closed, after 5, 9 and 7 seconds."""
    flows = [Flow(sport=number, ctid=number, start_ns=1_699_999_980 * 10**9).counted(100, 0) for number in range(1, 5)]
    gone = snapshot(*flows[1:])
    stops = {"stop_ns": np.array([1_699_999_985, 1_699_999_989, 1_699_999_987], np.uint64) * np.uint64(10**9)}
    return replace(
        snapshot(flows[0].counted(300, 0), before=(flows[0],)), closed=replace(gone, columns=gone.columns | stops)
    )


CLOSED = with_closed()


def shown(query: Query, *fields: str) -> list[list[Any]]:
    results = Results(CLOSED).looking(query)
    return rendered(results, query, execute(results, query).rows, fields)


def test_closed_flows_are_shown_when_asked_for_and_unknown_in_what_is_over() -> None:
    query = Query(closed=True, sort="sport", descending=False)
    assert shown(query, "sport", "closed", "duration", "orig_rate", "orig_bytes", "timeout") == [
        [1, False, 30.0, 200.0, 300, 60],
        [2, True, 5.0, None, 100, None],
        [3, True, 9.0, None, 100, None],
        [4, True, 7.0, None, 100, None],
    ]
    assert shown(Query(), "sport") == [[1]]


@pytest.mark.parametrize(
    ("query", "ports"),
    [
        (Query(sort="duration"), [1, 3, 4, 2]),
        (Query(sort="duration", descending=False), [2, 4, 3, 1]),
        (Query(sort="sport", filter="duration < 8s"), [4, 2]),
        (Query(sort="sport", filter="closed"), [4, 3, 2]),
        (Query(sort="sport", filter="not closed"), [1]),
        (Query(sort="sport", filter="timeout > 0"), [1]),
        (Query(sort="sport", active=True), [1]),
    ],
)
def test_they_are_sorted_and_filtered_as_the_others(query: Query, ports: list[int]) -> None:
    found = [row[0] for row in shown(replace(query, closed=True), "sport")]
    assert found == ports


def test_they_count_as_rows_and_in_no_sum() -> None:
    query = Query(closed=True)
    page = execute(Results(CLOSED).looking(query), query)
    assert (page.matched, page.totals.orig_bytes, page.totals.orig_rate) == (4, 300, 200.0)
    groups = replace(query, view=View.SERVICES)
    results = Results(CLOSED).looking(groups)
    assert rendered(results, groups, execute(results, groups).rows, ("flows", "orig_bytes")) == [[1, 300]]


def test_means_are_the_rates_of_rows_sums_order_and_filter() -> None:
    means = {10.0: (np.array([7.0, 9.0, 3.0, 1.0, np.nan]), np.zeros(5))}
    results = Results(replace(TAKEN, means=means))

    def ports(query: Query) -> list[int]:
        taken = results.looking(query)
        return [row[0] for row in rendered(taken, query, execute(taken, query).rows, ("sport",))]

    assert ports(Query(mean=10)) == [2, 1, 3, 5]
    assert ports(Query(mean=10, filter="rate > 5", sort="sport")) == [2, 1]
    assert execute(results.looking(Query(mean=10)), Query(mean=10)).totals.orig_rate == 19.0
    assert ports(Query(mean=40)) == ports(Query())


@pytest.mark.parametrize(
    ("query", "code"),
    [
        (Query(sort="nonsense"), ErrorCode.SORT),
        (Query(filter="port"), ErrorCode.FILTER),
        (Query(filter="name ~ ("), ErrorCode.FILTER),
        (Query(view=View.COUNTRIES, sort="sport"), ErrorCode.SORT),
        (Query(view=View.COUNTRIES, fields=("sport",)), ErrorCode.FIELD),
        (Query(protocols=(256,)), ErrorCode.FIELD),
        (Query(protocols=(-1,)), ErrorCode.FIELD),
        (Query(offset=-1), ErrorCode.FIELD),
        (Query(limit=-1), ErrorCode.FIELD),
        (Query(interval=0.01), ErrorCode.FIELD),
        (Query(interval=float("nan")), ErrorCode.FIELD),
        (Query(interval=1e9), ErrorCode.FIELD),
        (Query(mean=3.0), ErrorCode.FIELD),
        (Query(mean=float("nan")), ErrorCode.FIELD),
        (Query(fields=("sport", "nonsense")), ErrorCode.FIELD),
    ],
)
def test_a_query_that_makes_no_sense_is_refused(query: Query, code: ErrorCode) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        check(query)
    assert caught.value.code is code
