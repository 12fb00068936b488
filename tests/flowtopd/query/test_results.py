from dataclasses import replace

import pytest

from flowtopd.query import results as module
from flowtopd.query import sort
from flowtopd.query.execute import execute
from flowtopd.query.results import KEPT, Results
from flowtopd.query.rows import flow_id
from flowtopd.wire.messages import Query, View
from tests.flowtopd.batches import Flow, snapshot
from tests.flowtopd.query.tables import table

TAKEN = snapshot(*(Flow(sport=number, ctid=number, mark=number % 7) for number in range(3000)))
QUERY = Query(sort="mark", limit=50)


@pytest.fixture
def sorts(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many rows each sort was asked for."""
    counted: list[int] = []
    original = sort.order

    def order(*arguments: object, **options: object) -> object:
        counted.append(options["count"])  # type: ignore[arg-type]
        return original(*arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "order", order)
    return counted


def test_scrolling_in_one_snapshot_sorts_seldom_and_never_more_than_half(sorts: list[int]) -> None:
    results, fresh = Results(TAKEN), Results(TAKEN)
    for offset in range(0, 3000, 50):
        query = replace(QUERY, offset=offset)
        whole = execute(fresh, replace(QUERY, limit=None)).rows
        assert execute(results, query).rows.tolist() == whole[offset : offset + 50].tolist()
    # the whole table, for comparison; then from the beginning, and from the middle on as far as it is to the end
    assert sorts == [4096, 1024, 2048, 2048]


def test_what_differs_in_meaning_is_kept_apart() -> None:
    results = Results(TAKEN)
    for query in (QUERY, replace(QUERY, descending=False), replace(QUERY, sort="sport"), replace(QUERY, protocols=())):
        assert execute(results, query).rows.tolist() == execute(Results(TAKEN), query).rows.tolist()


def test_what_does_not_change_the_rows_shares_their_result(sorts: list[int]) -> None:
    results = Results(TAKEN)
    for query in (QUERY, replace(QUERY, tag=9, interval=5.0, fields=("id",), paused=True, names=False)):
        execute(results, query)
    assert len(sorts) == 1


def test_only_so_many_results_are_kept() -> None:
    results = Results(TAKEN)
    for number in range(KEPT * 3):
        execute(results, replace(QUERY, protocols=(number,)))
    assert len(results._selections) == KEPT
    assert len(results._orders) == KEPT


def test_flows_without_counters_and_offloaded_ones_are_counted_among_those_that_are_meant() -> None:
    past = 1 << 14 | 1 << 15
    taken = snapshot(
        Flow(ctid=1, counters=None),
        Flow(ctid=2, counters=None, proto=17),
        Flow(ctid=3, status=0xE | 1 << 14),
        Flow(ctid=4, status=0xE | past, proto=17),
        Flow(ctid=5, counters=None, status=0xE | 1 << 15),
    )
    every, tcp = (execute(Results(taken), Query(protocols=chosen)) for chosen in (None, (6,)))
    assert (every.uncounted, every.offloaded) == (3, 3)
    assert (tcp.uncounted, tcp.offloaded) == (2, 2)
    grouped = execute(Results(taken), Query(view=View.SERVICES))
    assert (grouped.uncounted, grouped.offloaded) == (3, 3)


@pytest.mark.parametrize("descending", [True, False])
@pytest.mark.parametrize("field", ["rate", "bytes", "dst_name", "state", "duration", "id"])
def test_a_flow_that_is_followed_is_found_at_its_place_and_is_in_the_window(field: str, descending: bool) -> None:
    taken = table(5, 400)
    query = Query(sort=field, descending=descending, protocols=(6, 17), limit=20)
    whole = execute(Results(taken), replace(query, limit=None)).rows
    results = Results(taken)
    for place in range(0, len(whole), 7):
        following = replace(query, follow=flow_id(int(taken.columns["key"][whole[place]])))
        assert results.place(following) == place
        page = execute(results, following)
        assert whole[place] in page.rows
        assert len(page.rows) == 20
        assert list(page.rows) == list(whole[page.offset : page.offset + 20])


def test_a_flow_that_is_no_row_of_the_view_is_not_followed() -> None:
    taken = snapshot(*(Flow(sport=number, ctid=number, proto=6 if number else 17) for number in range(50)))
    udp = flow_id(int(taken.columns["key"][0]))
    for following in (Query(protocols=(6,), follow=udp), Query(follow="nonsense"), Query(follow="0" * 16)):
        assert Results(taken).place(following) is None
        assert execute(Results(taken), replace(following, offset=10, limit=5)).offset == 10
    assert Results(taken).place(Query(view=View.HOSTS, follow=udp)) is None
