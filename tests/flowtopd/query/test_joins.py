from typing import Any

import pytest

from flowtopd.flows.addresses import AddressTable
from flowtopd.flows.dimensions import Attribution, Device, Dimensions, Direction, Owner, Place, ServiceBy
from flowtopd.query.execute import execute
from flowtopd.query.joins import JOINS
from flowtopd.query.results import Results
from flowtopd.query.rows import RENDERERS, render
from flowtopd.query.sort import SORT_KEYS
from flowtopd.wire.fields import FLOW_FIELD_NAMES, SORT_FIELDS
from flowtopd.wire.messages import Query
from tests.flowtopd.batches import Flow, joined, snapshot

TAKEN = snapshot(Flow(dst="1.1.1.1"), Flow(dst="8.8.8.8", sport=2, ctid=2), Flow(dst="9.9.9.9", sport=3, ctid=3))

OWNERS = (
    Owner(),
    Owner(10, 0.0, "curl", "curl x", 1000, "ann", "session-3.scope", None),
    Owner(uid=0, user="root", container="web"),
)


def _taken() -> Any:
    table = AddressTable()
    dst_at, src_at = table.add(TAKEN.columns["dst"]), table.add(TAKEN.columns["src"])
    (src, *_), (one, eight, nine) = src_at.tolist(), dst_at.tolist()
    table.put("name", dst_at[:1], 1)
    table.put("place", dst_at[:2], [1, 2])
    table.put("device", src_at[:1], 1)
    places = (Place(), Place("AU", None, 13335, "CLOUDFLARENET"), Place("US", "Ashburn", 15169, "GOOGLE"))
    devices = (Device(), Device("tv", "02:00:00:00:00:01", "Acme"))
    dimensions = Dimensions(table.columns, (None, "one.one"), places, devices, OWNERS, (None, "https"))
    return joined(
        TAKEN,
        dimensions,
        dst_at=[one, eight, nine],
        src_at=[src] * 3,
        local_at=[src, src, 0],
        owner=[1, 2, 0],
        attribution=[Attribution.EXACT, Attribution.OTHER_NETNS, Attribution.PENDING],
        service=[1, 0, 0],
        service_port=[443, 0, 0],
        service_by=[ServiceBy.KNOWN, ServiceBy.LOWER, ServiceBy.NONE],
        direction=[Direction.OUTBOUND, Direction.FORWARDED, Direction.UNKNOWN],
    )


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("dst_name", ["one.one", None, None]),
        ("src_name", [None, None, None]),
        ("dst_country", ["AU", "US", None]),
        ("dst_city", [None, "Ashburn", None]),
        ("dst_asn", [13335, 15169, None]),
        ("dst_org", ["CLOUDFLARENET", "GOOGLE", None]),
        ("src_country", [None, None, None]),
        ("process", ["curl", None, None]),
        ("pid", [10, None, None]),
        ("uid", [1000, 0, None]),
        ("user", ["ann", "root", None]),
        ("unit", ["session-3.scope", None, None]),
        ("container", [None, "web", None]),
        ("attribution", ["exact", "other-netns", None]),
        ("device", ["tv", "tv", None]),
        ("device_mac", ["02:00:00:00:00:01", "02:00:00:00:00:01", None]),
        ("device_vendor", ["Acme", "Acme", None]),
        ("service", ["https", None, None]),
        ("service_port", [443, 0, None]),
        ("service_by", ["known", "lower", None]),
        ("direction", ["outbound", "forwarded", None]),
    ],
)
def test_a_field_is_found_along_its_path(field: str, values: list[Any]) -> None:
    taken = _taken()
    rows = TAKEN.index.find(TAKEN.columns["key"])
    assert [row[0] for row in render(taken, rows, (field,))] == values


@pytest.mark.parametrize("field", JOINS)
def test_every_joined_field_sorts_by_its_values_with_unknown_last(field: str) -> None:
    taken = _taken()
    for descending in (False, True):
        page = execute(Results(taken), Query(sort=field, descending=descending, fields=(field,)))
        values = [row[0] for row in render(taken, page.rows, (field,))]
        known = [value for value in values if value is not None]
        assert known == sorted(known, reverse=descending)
        assert values == known + [None] * (len(values) - len(known))


def test_every_field_has_a_value_and_an_order() -> None:
    assert set(RENDERERS) == set(FLOW_FIELD_NAMES)
    assert set(SORT_KEYS) == set(SORT_FIELDS)


def test_the_daemons_own_lookups_are_hidden_like_loopback() -> None:
    taken = joined(TAKEN, own=[True, False, False])
    assert execute(Results(taken), Query()).matched == 2
    assert execute(Results(taken), Query(loopback=True)).matched == 3
