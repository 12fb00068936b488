from dataclasses import replace
from typing import Any

import pytest

from flowtop_client.columns.column import Align, Column, Cut, Units, cells
from flowtop_client.columns.groups import NOBODY, UNKNOWN_GROUPS, group_columns, total_row, whole_of
from flowtopd.wire.fields import VIEW_FIELDS, sort_fields
from flowtopd.wire.messages import Query, Totals, View
from tests.flowtop_client.scripted_daemon import STATUS, made_up, snapshot_for

GROUPED = tuple(view for view in View if view is not View.FLOWS)
ALL = tuple((view, column) for view in GROUPED for column in group_columns(view, "rate"))


def texts(
    view: View, *, sort: str = "rate", units: Units | None = None, names: bool = True, **values: Any
) -> dict[str, str]:
    fields = VIEW_FIELDS[view]
    row = [({"key": "some"} | values).get(field) for field in fields]
    columns = group_columns(view, sort, names=names)
    return dict(zip((c.name for c in columns), cells(columns, fields, units or Units())(row), strict=True))


@pytest.mark.parametrize(("view", "column"), ALL, ids=lambda each: getattr(each, "name", each))
def test_a_column_reads_and_sorts_by_fields_that_its_view_has(view: View, column: Column) -> None:
    assert set(column.fields) <= set(VIEW_FIELDS[view])
    assert column.sort in {"", *sort_fields(view)}
    assert len(column.title) <= column.least <= column.most
    assert column.cut is not Cut.NEVER or column.align is Align.RIGHT


@pytest.mark.parametrize("view", GROUPED)
def test_no_two_columns_share_a_name_or_a_sort_field(view: View) -> None:
    columns = group_columns(view, "rate")
    assert len({column.name for column in columns}) == len(columns)
    sorts = [column.sort for column in columns if column.sort]
    assert len(set(sorts)) == len(sorts)


@pytest.mark.parametrize("view", GROUPED)
def test_every_view_has_what_adds_up(view: View) -> None:
    titles = [column.title for column in group_columns(view, "rate")]
    assert {"FLOWS", "%RATE", "BYTES", "→BYTES", "←BYTES", "RATE", "→RATE", "←RATE"} <= set(titles)


def test_the_processes_view_has_the_columns_of_the_classic_one() -> None:
    titles = [column.title for column in group_columns(View.PROCESSES, "rate")]
    assert titles[:4] == ["PROCESS", "PID", "USER", "FLOWS"]
    assert titles[-3:] == ["UNIT", "CONTAINER", "COMMAND"]


@pytest.mark.parametrize(
    ("view", "values", "said"),
    [
        (View.PROCESSES, {"process": "firefox", "pid": 4711}, "firefox"),
        (View.PROCESSES, {"unit": "ssh.service"}, "ssh.service"),
        (View.PROCESSES, {"unit": "docker-1.scope", "container": "shop-db"}, "shop-db"),
        (View.PROCESSES, {"attribution": "forwarded"}, "(forwarded for others)"),
        (View.PROCESSES, {"attribution": "of a later version"}, "(not known yet)"),
        (View.PROCESSES, {}, "(not known yet)"),
        (View.DEVICES, {"device": "tv", "mac": "a4:77:33:00:11:22"}, "tv"),
        (View.DEVICES, {"mac": "3c:22:fb:4f:1a:22", "vendor": "Apple, Inc."}, "Apple 4f:1a:22"),
        (View.DEVICES, {"address": "192.168.1.7"}, "192.168.1.7"),
        (View.DEVICES, {"key": "(this host)"}, "this host"),
        (View.DEVICES, {"key": "(this host)", "device": "router"}, "router (this host)"),
        (View.DEVICES, {"key": "(none)"}, "(no local end)"),
        (View.HOSTS, {"address": "192.0.2.1"}, "192.0.2.1"),
        (View.HOSTS, {"address": "192.0.2.1", "name": "example.com"}, "example.com"),
        (View.HOSTS, {"address": "::"}, "(no address)"),
        (View.COUNTRIES, {"country": "DE"}, "DE"),
        (View.COUNTRIES, {}, "(no country known)"),
        (View.NETWORKS, {"asn": 64500, "org": "EDGECAST"}, "EDGECAST"),
        (View.NETWORKS, {"asn": 64500}, "AS64500"),
        (View.NETWORKS, {}, "(no network known)"),
        (View.SERVICES, {"service": "https", "proto": "tcp", "port": 443}, "https"),
        (View.SERVICES, {"proto": "udp", "port": 51820}, "udp/51820"),
        (View.SERVICES, {"proto": "icmp"}, "(no service port)"),
        (View.CONTAINERS, {"container": "shop-db"}, "shop-db"),
        (View.CONTAINERS, {"unit": "ssh.service"}, "ssh.service"),
        (View.CONTAINERS, {}, "(no container or unit)"),
    ],
)
def test_a_group_is_named_or_says_in_words_that_it_is_unknown(view: View, values: dict[str, Any], said: str) -> None:
    assert texts(view, **values)["group"] == said
    assert (said in UNKNOWN_GROUPS) == (said.startswith("("))


@pytest.mark.parametrize("view", GROUPED)
def test_a_row_without_a_key_is_the_total(view: View) -> None:
    assert texts(view, key=None)["group"] == "total"


def test_every_reason_has_its_words() -> None:
    for attribution, said in NOBODY.items():
        assert texts(View.PROCESSES, attribution=attribution)["group"] == said


def test_without_names_a_host_is_its_address() -> None:
    shown = texts(View.HOSTS, name="example.com", address="192.0.2.1", names=False)
    assert shown["group"] == "192.0.2.1"
    assert "address" not in shown
    assert texts(View.HOSTS, name="example.com", address="192.0.2.1")["address"] == "192.0.2.1"


def test_without_geoip_hosts_have_no_places() -> None:
    gone = {c.title for c in group_columns(View.HOSTS, "rate")} - {
        c.title for c in group_columns(View.HOSTS, "rate", geoip=False)
    }
    assert gone == {"GEO", "CITY", "NETWORK", "ASN"}


def test_a_container_and_a_unit_are_told_apart() -> None:
    assert texts(View.CONTAINERS, container="a")["kind"] == "container"
    assert texts(View.CONTAINERS, unit="a")["kind"] == "unit"
    assert texts(View.CONTAINERS)["kind"] == "-"


@pytest.mark.parametrize(
    ("rates", "whole", "plain", "drawn"),
    [
        ((30.0, 70.0), 100.0, "100%", "100% ██████"),
        ((30.0, 20.0), 100.0, "50%", " 50% ███"),
        ((62.0, None), 100.0, "62%", " 62% ███▊"),
        ((0.1, 0.0), 100.0, "<1%", " <1% ▏"),
        ((0.0, 0.0), 100.0, "0%", "  0%"),
        ((1.0, 0.0), 0.0, "-", "-"),
        ((1.0, 0.0), None, "-", "-"),
        ((None, None), 100.0, "-", "-"),
        ((101.0, 0.0), 100.0, "100%", "100% ██████"),
    ],
)
def test_a_share_is_a_number_and_on_a_screen_a_bar(
    rates: tuple[float | None, float | None], whole: float | None, plain: str, drawn: str
) -> None:
    values: dict[str, Any] = dict(zip(("orig_rate", "reply_rate"), rates, strict=True))
    assert texts(View.HOSTS, units=Units(whole=whole), **values)["share"] == plain
    shown = texts(View.HOSTS, units=Units(whole=whole, bars=True), **values)["share"]
    assert shown.rstrip() == drawn
    assert len(shown) == (1 if drawn == "-" else 11)


@pytest.mark.parametrize("sort", ["bytes", "orig_bytes", "reply_bytes"])
def test_where_bytes_are_sorted_by_shares_are_of_bytes(sort: str) -> None:
    totals = Totals(1.0, 2.0, 300, 700)
    assert (whole_of(totals, sort), whole_of(totals, "rate"), whole_of(totals, "flows")) == (1000, 3.0, 3.0)
    assert whole_of(Totals(None, None, None, None), sort) is None
    shown = texts(View.HOSTS, sort=sort, units=Units(whole=1000), orig_bytes=250, orig_rate=9.0)
    assert shown["share"] == "25%"
    assert "%BYTES" in [column.title for column in group_columns(View.HOSTS, sort)]


def test_the_total_is_that_of_all_flows_and_counts_them_where_all_groups_are_here() -> None:
    whole = snapshot_for(Query(view=View.COUNTRIES), made_up(100), 1, STATUS, 1.0)
    row = dict(zip(whole.fields, total_row(whole), strict=True))
    assert row["flows"] == 100
    assert row["orig_bytes"] == whole.totals.orig_bytes
    assert (row["key"], row["country"]) == (None, None)
    part = replace(whole, rows=whole.rows[:2])
    assert dict(zip(part.fields, total_row(part), strict=True))["flows"] is None
