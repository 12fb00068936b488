import random
from typing import Any

import pytest

from flowtopd.query.execute import Page, check, execute, rendered
from flowtopd.query.results import Results
from flowtopd.wire.fields import VIEW_FIELDS, sort_fields
from flowtopd.wire.messages import Query, View
from tests.flowtopd.query.tables import table

GROUPED = [view for view in View if view is not View.FLOWS]


def page(results: Results, query: Query) -> tuple[Page, list[dict[str, Any]]]:
    check(query)
    found = execute(results, query)
    fields = VIEW_FIELDS[query.view]
    return found, [dict(zip(fields, row, strict=True)) for row in rendered(results, query, found.rows, fields)]


@pytest.mark.parametrize("view", GROUPED)
@pytest.mark.parametrize("seed", range(12))
def test_the_filter_of_a_group_means_its_flows_and_no_others(view: View, seed: int) -> None:
    results = Results(table(seed, random.Random(seed).randrange(0, 120)))
    found, groups = page(results, Query(view=view, loopback=True))
    assert sum(group["flows"] for group in groups) == results.snapshot.size
    for group in groups:
        query = Query(filter=group["filter"], loopback=True)
        flows, _rows = page(results, query)
        totals = flows.totals
        assert flows.matched == group["flows"], group
        assert (totals.orig_bytes, totals.reply_bytes) == (group["orig_bytes"], group["reply_bytes"]), group
        assert totals.orig_rate == pytest.approx(group["orig_rate"])
        assert totals.reply_rate == pytest.approx(group["reply_rate"])
    assert len({group["key"] for group in groups}) == found.matched == len(groups)


@pytest.mark.parametrize("view", GROUPED)
def test_groups_sort_by_each_of_their_fields_with_unknown_last(view: View) -> None:
    results = Results(table(5, 200))
    for field in sort_fields(view):
        for descending in (False, True):
            _found, groups = page(results, Query(view=view, sort=field, descending=descending, loopback=True))
            if field in {"rate", "bytes"}:
                sums = [(group[f"orig_{field}"], group[f"reply_{field}"]) for group in groups]
                values = [None if None in pair else sum(pair) for pair in sums]
            else:
                values = [group[field] for group in groups]
            known = [value for value in values if value is not None]
            if field == "address" or (field == "key" and view is View.HOSTS):
                continue  # by number, not by text
            assert known == sorted(known, reverse=descending), field
            assert values == known + [None] * (len(values) - len(known))


@pytest.mark.parametrize("view", GROUPED)
def test_a_window_of_groups_is_a_piece_of_the_whole(view: View) -> None:
    results = Results(table(7, 300))
    _found, whole = page(results, Query(view=view, loopback=True))
    for offset in range(0, len(whole), 3):
        _found, part = page(results, Query(view=view, offset=offset, limit=3, loopback=True))
        assert part == whole[min(offset, max(0, len(whole) - 3)) :][:3]


def test_bytes_are_added_up_exactly() -> None:
    results = Results(table(3, 500))
    _found, groups = page(results, Query(view=View.COUNTRIES, loopback=True))
    flows = results.snapshot.columns
    total = sum(map(int, flows["reply_bytes"].tolist()))
    assert sum(group["reply_bytes"] or 0 for group in groups) == total
    assert total > 2**56  # more than a float64 tells apart


def test_this_host_is_one_device_with_all_its_interfaces() -> None:
    results = Results(table(7, 200))  # with addresses of two interfaces
    _found, groups = page(results, Query(view=View.DEVICES, loopback=True))
    assert [group["key"] for group in groups].count("(this host)") == 1
