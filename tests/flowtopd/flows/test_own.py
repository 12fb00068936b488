"""What one user sees is what a daemon would see on which nobody else has flows."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from flowtopd.flows.dimensions import Attached, Dimensions, Owner, Parent
from flowtopd.flows.own import OVERFLOW_UID, own
from flowtopd.flows.snapshot import Snapshot
from flowtopd.query.execute import execute, rendered
from flowtopd.query.results import Results
from flowtopd.query.rows import render
from flowtopd.wire.fields import FLOW_FIELD_NAMES, VIEW_FIELDS
from flowtopd.wire.messages import Query, View
from tests.flowtopd.batches import Flow, joined, snapshot
from tests.flowtopd.query.tables import table

UIDS = (0, 33, 1000, 1001)


def flows(taken: Snapshot) -> list[dict[str, Any]]:
    rows = render(taken, np.arange(taken.size), FLOW_FIELD_NAMES)
    return [dict(zip(FLOW_FIELD_NAMES, row, strict=True)) for row in rows]


def everything(seed: int) -> Snapshot:
    """With closed flows and means."""
    living, closed = table(seed, 60), table(seed + 1000, 30)
    gone = replace(closed, columns=closed.columns | {"stop_ns": np.full(closed.size, 5, np.uint64)})
    rates = living.columns["orig_rate"], living.columns["reply_rate"]
    # the closed ones point into the tables of the living
    pointers = {
        name: np.minimum(gone.columns[name], living.dimensions.addresses["address"].shape[0] - 1)
        for name in ("src_at", "dst_at", "reply_src_at", "reply_dst_at", "local_at")
    }
    gone = replace(gone, columns=gone.columns | pointers, dimensions=living.dimensions)
    return replace(living, closed=gone, means={10.0: rates})


@pytest.mark.parametrize("seed", range(5))
def test_the_flows_of_all_users_are_each_seen_by_one_of_them_or_by_nobody(seed: int) -> None:
    all_of_it = everything(seed)
    assert all_of_it.closed is not None
    for uid in UIDS:
        mine = own(all_of_it, uid)
        assert mine.closed is not None
        for part, whole in ((mine, all_of_it), (mine.closed, all_of_it.closed)):
            assert flows(part) == [flow for flow in flows(whole) if flow["uid"] == uid]


@pytest.mark.parametrize("seed", range(5))
def test_nothing_that_it_points_into_has_a_record_that_none_of_its_flows_needs(seed: int) -> None:
    for uid in UIDS:
        mine = own(everything(seed), uid)
        assert mine.closed is not None
        tables = [mine.columns, mine.closed.columns]
        dimensions = mine.dimensions
        ends = np.concatenate([each[name] for each in tables for name in each if name.endswith("_at")])
        assert set(ends.tolist()) | {0} == set(range(len(dimensions.addresses["address"])))
        of_flows: list[tuple[Sequence[Any], str]] = [(dimensions.owners, "owner"), (dimensions.services, "service")]
        of_addresses: list[tuple[Sequence[Any], str]] = [
            (dimensions.names, "name"),
            (dimensions.places, "place"),
            (dimensions.devices, "device"),
        ]
        for records, name in of_flows:
            used = np.concatenate([each[name] for each in tables])
            assert set(used.tolist()) | {0} == set(range(len(records)))
        for records, name in of_addresses:
            assert set(dimensions.addresses[name].tolist()) | {0} == set(range(len(records)))
        assert {owner.uid for owner in dimensions.owners[1:]} <= {uid}


QUERIES = [
    Query(view=view, filter=filtered, loopback=True, closed=closed, mean=mean)
    for view in View
    for filtered, closed, mean in (
        ("", False, 0.0),
        ("not uid 0", True, 0.0),
        ("net 10.0.0.0/8 or name ~ e", False, 10.0),
        ("not process firefox", True, 10.0),
    )
]


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: f"{query.view}-{query.filter}")
@pytest.mark.parametrize("seed", range(3))
def test_every_question_is_answered_as_if_there_were_no_other_flows(seed: int, query: Query) -> None:
    """The answer about this user's part is the answer about the whole with this user as a filter."""
    whole = everything(seed)
    for uid in UIDS:
        mine = Results(own(whole, uid)).looking(query)
        theirs = f"uid {uid}" if not query.filter else f"uid {uid} ({query.filter})"
        asked = replace(query, filter=theirs)
        filtered = Results(whole).looking(asked)
        fields = VIEW_FIELDS[query.view]
        page, expected = execute(mine, query), execute(filtered, asked)
        assert (page.matched, page.totals) == (expected.matched, expected.totals)
        got, wanted = rendered(mine, query, page.rows, fields), rendered(filtered, asked, expected.rows, fields)
        assert sorted(map(str, got)) == sorted(map(str, wanted))


def test_counters_that_were_set_back_do_not_tell_how_many_flows_there_are() -> None:
    taken = replace(table(1, 20), resets=7)
    assert own(taken, 1000).resets == 0


def test_a_flow_is_found_by_its_id_only_by_its_user() -> None:
    taken = table(2, 40)
    for flow, key in zip(flows(taken), taken.columns["key"], strict=True):
        for uid in UIDS:
            found = own(taken, uid).rows_of(np.array([key], np.uint64))[0] >= 0
            assert found == (flow["uid"] == uid)


@pytest.mark.parametrize("uid", [1000, OVERFLOW_UID])
def test_what_cannot_be_told_apart_is_nobodys(uid: int) -> None:
    owners = (Owner(), Owner(1, uid=None), Owner(2, uid=OVERFLOW_UID))
    taken = joined(snapshot(*(Flow(ctid=n) for n in range(3))), Dimensions(owners=owners), owner=[0, 1, 2])
    assert own(taken, uid).size == 0


def test_the_parent_of_a_process_is_told_only_where_it_is_the_same_users() -> None:
    """/proc may hide the processes of others (hidepid): nothing of them is told here either."""
    mine, roots = Parent(10, "bash", 1000), Parent(11, "sshd", 0)
    owners = (Owner(), *(Owner(20 + n, uid=1000, parent=each) for n, each in enumerate((mine, roots, None))))
    taken = joined(snapshot(*(Flow(ctid=n) for n in range(3))), Dimensions(owners=owners), owner=[1, 2, 3])
    assert [owner.parent for owner in own(taken, 1000).dimensions.owners[1:]] == [mine, None, None]


def test_what_is_attached_to_flows_is_told_only_of_the_users_own() -> None:
    taken = everything(4)
    assert taken.closed is not None
    keys = [*taken.columns["key"].tolist(), *taken.closed.columns["key"].tolist()]
    attached = {key: Attached("ftp", (str(key),)) for key in keys}
    taken = replace(taken, attached=attached, closed=replace(taken.closed, attached=attached))
    for uid in UIDS:
        mine = own(taken, uid)
        assert mine.closed is not None
        for part in (mine, mine.closed):
            assert part.attached == {key: attached[key] for key in part.columns["key"].tolist()}


def test_without_flows_there_is_an_empty_snapshot() -> None:
    for taken in (snapshot(), table(3, 20)):
        mine = own(taken, 424242)
        assert (mine.size, mine.seq, mine.at) == (0, taken.seq, taken.at)
        assert len(mine.dimensions.addresses["address"]) == 1
        assert execute(Results(mine), Query(loopback=True)).matched == 0


def test_it_is_never_changed() -> None:
    mine = own(everything(1), 1000)
    assert mine.size
    assert not any(column.flags.writeable for column in mine.columns.values())
    assert not any(column.flags.writeable for column in mine.dimensions.addresses.values())
    assert not any(rate.flags.writeable for rates in mine.means.values() for rate in rates)
