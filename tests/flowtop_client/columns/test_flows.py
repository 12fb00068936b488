import unicodedata
from typing import Any

import pytest

from flowtop_client.columns.column import Column, Units, cells, needed_fields
from flowtop_client.columns.flows import NO_PROCESS, flow_columns
from flowtop_client.humanize import clean
from flowtopd.wire.fields import FLOW_FIELD_NAMES, FLOW_FIELDS, SORT_FIELDS, Kind
from tests.flowtop_client.scripted_daemon import NO_FLOW, Flow, flow

WITHOUT_SOURCE = flow_columns()
WITH_SOURCE = flow_columns(source=True)


def texts(values: Flow, *, bits: bool = False, **columns: bool) -> dict[str, str]:
    shown = flow_columns(source=True, **columns)
    row = [values[name] for name in FLOW_FIELD_NAMES]
    return dict(zip((c.name for c in shown), cells(shown, FLOW_FIELD_NAMES, Units(bits))(row), strict=True))


def test_the_classic_columns_come_in_their_classic_order() -> None:
    classic = ["PROCESS", "PID", "PROTO", "STATE", "TIME", "ADDRESS", "PORT", "GEO", "BYTES", "RATE"]
    titles = [column.title for column in WITHOUT_SOURCE]
    assert [title for title in titles if title in classic] == classic
    assert [column.title for column in WITH_SOURCE if column not in WITHOUT_SOURCE] == [
        *("SOURCE", "PORT", "GEO", "CITY", "NETWORK", "ASN")
    ]


@pytest.mark.parametrize("column", WITH_SOURCE, ids=lambda column: column.name)
def test_a_column_reads_and_sorts_by_fields_that_the_wire_has(column: Column) -> None:
    assert set(column.fields) <= set(FLOW_FIELD_NAMES)
    assert column.sort in SORT_FIELDS
    assert len(column.title) <= column.least <= column.most


def test_no_two_columns_share_a_name_or_a_sort_field() -> None:
    assert len({column.name for column in WITH_SOURCE}) == len(WITH_SOURCE)
    assert len({column.sort for column in WITH_SOURCE}) == len(WITH_SOURCE)


def test_whatever_an_enricher_finds_has_its_column() -> None:
    enriched = FLOW_FIELD_NAMES[FLOW_FIELD_NAMES.index("src_name") : FLOW_FIELD_NAMES.index("closed")]
    assert set(enriched) <= set(needed_fields(WITH_SOURCE))


def test_unknown_is_a_dash_in_every_column() -> None:
    assert set(texts(NO_FLOW).values()) == {"-"}


def test_zero_is_not_unknown() -> None:
    shown = texts(NO_FLOW | {"orig_bytes": 0, "reply_bytes": 0, "orig_rate": 0.0, "dport": 0, "uid": 0})
    assert (shown["bytes"], shown["rate"], shown["orig_rate"], shown["reply_rate"], shown["port"], shown["user"]) == (
        *("0", "0", "0", "-", "0", "0"),
    )


def test_both_directions_add_up_and_are_shown_apart() -> None:
    shown = texts(flow(1, orig_bytes=1000, reply_bytes=2000, orig_rate=10.0, reply_rate=20.0))
    assert (shown["bytes"], shown["orig_bytes"], shown["reply_bytes"]) == ("3.00k", "1.00k", "2.00k")
    assert (shown["rate"], shown["orig_rate"], shown["reply_rate"]) == ("30", "10", "20")


def test_bits_change_rates_alone() -> None:
    assert texts(flow(1), bits=True)["bytes"] == texts(flow(1))["bytes"]
    assert texts(flow(1), bits=True)["rate"] == "24.0M"


def test_a_flow_shows_packets_translation_and_what_is_left_of_it() -> None:
    shown = texts(flow(1, nat="snat", orig_packets=12345, reply_packets=None, timeout=120))
    assert (shown["nat"], shown["orig_packets"], shown["reply_packets"], shown["expires"]) == (
        *("snat", "12.3k", "-", "2m"),
    )


def test_a_name_stands_in_for_an_address_where_there_is_one() -> None:
    shown = texts(flow(1, dst_name="example.com", src_name=""))
    assert (shown["address"], shown["source"]) == ("example.com", "10.0.0.1")


def test_without_names_there_are_addresses_even_where_a_name_is_here() -> None:
    shown = texts(flow(1, dst_name="example.com", src_name="laptop", dst_country="US"), names=False)
    assert (shown["address"], shown["source"], shown["geo"]) == ("192.0.2.2", "10.0.0.1", "US")


def test_without_geoip_there_are_no_places() -> None:
    gone = set(texts(flow(1))) - set(texts(flow(1), geoip=False))
    assert gone == {"geo", "city", "network", "asn", "sgeo", "scity", "snetwork", "sasn"}


@pytest.mark.parametrize(
    ("values", "at_source", "at_destination"),
    [
        ({"sport": 40000, "dport": 443, "service": "https", "service_port": 443}, "40000", "https"),
        ({"sport": 22, "dport": 40000, "service": "ssh", "service_port": 22}, "ssh", "40000"),
        ({"sport": 123, "dport": 123, "service": "ntp", "service_port": 123}, "ntp", "ntp"),
        ({"sport": 40000, "dport": 5000, "service": None, "service_port": 5000}, "40000", "5000"),
        ({"sport": 40000, "dport": 443, "service": "", "service_port": 443}, "40000", "443"),
        ({"sport": 40000, "dport": 443, "service": "https", "service_port": None}, "40000", "443"),
        ({"sport": None, "dport": None, "service": None, "service_port": None}, "-", "-"),
    ],
)
def test_the_service_is_named_at_the_end_that_offers_it(values: Flow, at_source: str, at_destination: str) -> None:
    shown = texts(flow(1, service_by="listening", **values))
    assert (shown["sport"], shown["port"]) == (at_source, at_destination)


@pytest.mark.parametrize(
    ("service_by", "port"), [("listening", "ssh"), ("known", "ssh"), ("lower", "ssh?"), (None, "ssh")]
)
def test_a_service_that_is_only_guessed_is_shown_as_such(service_by: str | None, port: str) -> None:
    assert texts(flow(1, dport=22, service="ssh", service_port=22, service_by=service_by))["port"] == port


@pytest.mark.parametrize(
    ("values", "process"),
    [
        ({"process": "firefox", "attribution": "exact"}, "firefox"),
        ({"process": "chronyd", "attribution": "listener"}, "chronyd"),
        ({"attribution": "forwarded"}, "(fwd)"),
        ({"attribution": "exited"}, "(exited)"),
        ({"attribution": "kernel"}, "(kernel)"),
        ({"attribution": "other-netns"}, "(netns)"),
        ({"attribution": "no-permission"}, "(denied)"),
        ({"attribution": "ambiguous"}, "(shared)"),
        ({"attribution": None}, "-"),
        ({"attribution": "of a later version"}, "-"),
        ({"attribution": "cgroup", "unit": "ssh.service"}, "ssh.service"),
        ({"attribution": "cgroup", "unit": "docker-1.scope", "container": "shop-db"}, "shop-db"),
        ({"attribution": "cgroup"}, "-"),
        ({"attribution": "exited", "unit": "ssh.service"}, "(exited)"),
    ],
)
def test_the_process_or_why_there_is_none(values: Flow, process: str) -> None:
    assert texts(flow(1, **values))["process"] == process


def test_a_reason_fits_into_the_narrowest_column_and_claims_no_room() -> None:
    column = next(column for column in WITHOUT_SOURCE if column.name == "process")
    for said, _ in NO_PROCESS.values():
        assert len(said) <= column.least
        assert said in column.blank


APPLE = {"device_mac": "3c:22:fb:4f:1a:22", "device_vendor": "Apple, Inc."}


@pytest.mark.parametrize(
    ("values", "device"),
    [
        (APPLE | {"device": "laptop"}, "laptop"),
        (APPLE, "Apple 4f:1a:22"),
        (APPLE | {"device_vendor": None}, "3c:22:fb:4f:1a:22"),
        (APPLE | {"device_vendor": " "}, "3c:22:fb:4f:1a:22"),
        ({"device_vendor": "Apple, Inc."}, "-"),
    ],
)
def test_a_device_has_its_name_or_its_vendor_and_address(values: Flow, device: str) -> None:
    assert texts(flow(1, **values))["device"] == device


@pytest.mark.parametrize(
    ("direction", "word"),
    [("outbound", "out"), ("inbound", "in"), ("forwarded", "fwd"), ("local", "loc"), (None, "-"), ("later", "-")],
)
def test_a_direction_is_a_short_word_in_any_locale(direction: str | None, word: str) -> None:
    assert texts(flow(1, direction=direction))["dir"] == word
    assert word.isascii()


def test_a_network_is_its_organisation_or_its_number() -> None:
    assert texts(flow(1, dst_org="EDGECAST", dst_asn=15133))["network"] == "EDGECAST"
    shown = texts(flow(1, dst_asn=15133, src_org="Example Ltd"))
    assert (shown["network"], shown["asn"], shown["snetwork"], shown["sasn"]) == (
        "AS15133",
        "15133",
        "Example Ltd",
        "-",
    )


def test_a_user_without_a_name_is_a_number() -> None:
    assert texts(flow(1, user="alice", uid=1000))["user"] == "alice"
    assert texts(flow(1, uid=1000))["user"] == "1000"


NASTY = (
    "\x1b[2J\x1b]0;title\x07",
    "a\nb\rc\td\x00e\x7f",
    "\x9b31m",
    "user\u202egnp.exe",
    "zero\u200bwidth\ufeff",
    "\udcff",
)


@pytest.mark.parametrize("text", [*NASTY, "例" * 9, "e\u0301" * 9], ids=ascii)
@pytest.mark.parametrize("field", [field.name for field in FLOW_FIELDS if field.kind is Kind.TEXT])
def test_no_text_field_gets_through_as_it_came(field: str, text: str) -> None:
    """Whichever field it is in, and whoever lied to the daemon: the cells of a row can steer no terminal."""
    known: dict[str, Any] = {"service_port": 443, "device_mac": "3c:22:fb:4f:1a:22"}
    shown = texts(flow(1) | known | {field: text})
    for cell in shown.values():
        assert cell.isprintable()
        assert not any(unicodedata.category(char) in {"Cc", "Cf", "Cs"} for char in cell)
    assert (clean(text) in shown.values()) == (field in SHOWN_AS_THEY_ARE)


SHOWN_AS_THEY_ARE = {
    *(
        "proto",
        "state",
        "nat",
        "src",
        "dst",
        "device_mac",
        "src_name",
        "dst_name",
        "src_country",
        "dst_country",
        "src_city",
        "dst_city",
        "src_org",
    ),
    *("dst_org", "service", "process", "user", "unit", "container", "device"),
}
