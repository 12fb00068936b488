"""Snapshots in a format: what is documented of each, and text from outside in it."""

import csv
import io
import json
from dataclasses import replace

import pytest
from prompt_toolkit.utils import get_cwidth

from flowtop_client.columns.text_width import text_width
from flowtop_client.formats import Format
from flowtop_client.view_state.state import ALL_PROTOCOLS, ViewState
from flowtop_client.writers import query_of, writer_for
from flowtopd.wire.fields import FLOW_FIELD_NAMES, VIEW_FIELDS
from flowtopd.wire.messages import View
from tests.flowtop_client.conftest import MakeDaemon
from tests.flowtop_client.scripted_daemon import STATUS, Flow, flow, made_up, snapshot_for
from tests.flowtop_client.written import output, streamed


def test_json_is_the_contract_key_for_key_and_in_order(make_daemon: MakeDaemon) -> None:
    daemon = make_daemon([flow(1)])
    line = output(daemon, Format.JSON)
    assert line.endswith("]}\n")
    assert line.count("\n") == 1
    snapshot = json.loads(line)
    assert list(snapshot) == ["time", "seq", "interval", "host", "view", "status", "totals", "flows"]
    assert list(snapshot["status"]) == [
        "flows",
        "matched",
        "max",
        "accounting",
        "timestamps",
        "events_lost",
        "events",
        "resets",
        "tick_seconds",
        "viewers",
    ]
    assert list(snapshot["totals"]) == ["orig_rate", "reply_rate", "orig_bytes", "reply_bytes"]
    assert [list(each) for each in snapshot["flows"]] == [list(FLOW_FIELD_NAMES)]
    assert snapshot["flows"] == [flow(1)]
    assert (snapshot["host"], snapshot["view"], snapshot["seq"]) == ("router", "flows", 1)


def test_json_without_a_flow_is_a_whole_object(make_daemon: MakeDaemon) -> None:
    assert json.loads(output(make_daemon([]), Format.JSON))["flows"] == []


def test_json_is_ascii_whatever_a_name_holds(make_daemon: MakeDaemon) -> None:
    daemon = make_daemon([flow(1, dst_name="\x1b[31m\x9b例\u202e")])
    line = output(daemon, Format.JSON)
    assert line.isascii()
    assert line.strip().isprintable()
    assert json.loads(line)["flows"][0]["dst_name"] == "\x1b[31m\x9b例\u202e"


def test_csv_has_one_header_and_a_row_a_flow(make_daemon: MakeDaemon) -> None:
    daemon = make_daemon([flow(1), flow(2, dst_name='say "hi", \x1b[2J')])
    rows = list(csv.DictReader(io.StringIO(output(daemon, Format.CSV))))
    assert list(rows[0]) == list(FLOW_FIELD_NAMES)
    assert rows[0] | {"id": "1"} == rows[0]
    assert rows[0]["status"] == "seen_reply|assured|confirmed"
    assert (rows[0]["pid"], rows[0]["closed"], rows[0]["orig_rate"]) == ("", "false", "1000000.0")
    assert rows[1]["dst_name"] == 'say "hi", ?[2J'


ENRICHED = flow(
    1,
    src_name="laptop.lan",
    src_country="FR",
    src_city="Lyon",
    src_asn=64496,
    src_org="Example SA",
    dst_name="example.com",
    dst_country="US",
    dst_city="Reno",
    dst_asn=15133,
    dst_org="EDGECAST",
    service="https",
    service_port=443,
    service_by="known",
    process="firefox",
    pid=4711,
    uid=1000,
    user="alice",
    attribution="exact",
    unit="app-firefox.scope",
    container="box",
    direction="outbound",
    device="laptop",
    device_mac="3c:22:fb:12:34:56",
    device_vendor="Apple, Inc.",
)


def test_who_and_where_are_in_json_and_csv(make_daemon: MakeDaemon) -> None:
    daemon = make_daemon([ENRICHED])
    assert json.loads(output(daemon, Format.JSON))["flows"] == [ENRICHED]
    (row,) = csv.DictReader(io.StringIO(output(daemon, Format.CSV)))
    known = {name: str(value) for name, value in ENRICHED.items() if name not in {"status", "closed"} and value}
    assert row | known == row
    assert {"src_org", "service_by", "device_vendor", "direction"} <= known.keys()


def test_json_and_csv_know_no_names_and_no_places_where_none_are_wanted(make_daemon: MakeDaemon) -> None:
    state = ViewState(names=False, geoip=False)
    (found,) = json.loads(output(make_daemon([ENRICHED]), Format.JSON, state=state))["flows"]
    assert list(found) == list(FLOW_FIELD_NAMES)
    assert {name for name, value in found.items() if value != ENRICHED[name]} == {
        *("src_name", "dst_name"),
        *(f"{end}_{what}" for end in ("src", "dst") for what in ("country", "city", "asn", "org")),
    }


@pytest.mark.parametrize("name", ["=cmd|'/c calc'!A1", "+1", "-1+2", "@SUM(A1)", "\x1b=1", "=\t1"])
def test_no_csv_cell_is_a_formula(make_daemon: MakeDaemon, name: str) -> None:
    """Whoever owns an address gives it a name, and a spreadsheet would calculate it; JSON is for who needs it exact."""
    daemon = make_daemon([flow(1, dst_name=name, process=name)])
    (row,) = csv.DictReader(io.StringIO(output(daemon, Format.CSV)))
    assert row["dst_name"] == row["process"]
    assert row["dst_name"].lstrip("'") == "".join(char if char.isprintable() else "?" for char in name)
    assert row["dst_name"][0] not in "=+-@"
    assert json.loads(output(daemon, Format.JSON))["flows"][0]["dst_name"] == name


def test_csv_keeps_its_one_header_over_snapshots(make_daemon: MakeDaemon) -> None:
    daemon = make_daemon([flow(1)])
    text = streamed(daemon, Format.CSV, ticks=3)
    assert text.count("orig_packets") == 1
    assert len(text.splitlines()) == 4


def test_tables_are_apart_by_an_empty_line(make_daemon: MakeDaemon) -> None:
    lines = streamed(make_daemon([flow(1)]), Format.TEXT, ticks=2).splitlines()
    assert [bool(line) for line in lines] == [True, True, False, True, True]


def test_a_table_that_stays_empty_is_written_once() -> None:
    none, some = list[Flow](), [flow(1)]
    out, state = io.StringIO(), ViewState()
    query, writer = query_of(state, Format.TEXT, None), writer_for(Format.TEXT, out, state, host="", width=None)
    for seq, flows in enumerate((none, none, some, some, none, none, none, some)):
        part = snapshot_for(query, flows, seq, STATUS, 1.0)
        writer.begin(part)
        writer.rows(part)
        writer.end()
    assert [len(table.splitlines()) for table in out.getvalue().split("\n\n")] == [1, 2, 2, 1, 2]


def test_the_limit_and_the_needed_fields_go_to_the_daemon() -> None:
    state = ViewState(page=50, window_offset=7)
    query = query_of(state, Format.JSON, 10)
    assert (query.limit, query.offset, query.fields) == (10, 0, FLOW_FIELD_NAMES)
    assert "src" not in query_of(state, Format.TEXT, None).fields
    assert "src" in query_of(replace(state, source=True), Format.TEXT, None).fields


ALL = ViewState(protocols=ALL_PROTOCOLS)

HTTPS = {"service": "https", "service_port": 443, "service_by": "known"}
IN_TOKYO = {"dst_country": "JP", "dst_city": "東京", "dst_asn": 2497}
FORWARDED = {
    "attribution": "forwarded",
    "direction": "forwarded",
    "device_mac": "3c:22:fb:4f:1a:22",
    "device_vendor": "Apple, Inc.",
}

SAMPLE: list[Flow] = [
    flow(1, process="Web Content", pid=4711, direction="outbound", dst_name="例え.example.jp", **IN_TOKYO, **HTTPS),
    flow(2, family="ipv6", dst="2001:db8:1234:5678:9abc:def0:1234:5678", proto="udp", state=None, **FORWARDED),
    flow(3, orig_bytes=None, reply_bytes=None, orig_rate=None, reply_rate=None, duration=None),
]


def test_text_is_the_table_with_every_column_and_no_blank_in_a_value(make_daemon: MakeDaemon) -> None:
    titles, *rows = output(make_daemon(SAMPLE), Format.TEXT, state=ALL).splitlines()
    assert titles == (
        "PROCESS       PID USER  UNIT  CONTAINER  DEVICE         DIR  PROTO  STATE        TIME  EXPIRES ADDRESS"
        "                                  PORT GEO  CITY   NETWORK      ASN NAT   BYTES  →BYTES  ←BYTES  →PKTS  ←PKTS"
        "  RATE  →RATE  ←RATE"
    )
    assert rows[1].index("2001:db8:1234:5678:9abc:def0:1234:5678") == titles.index("ADDRESS")
    assert [" ".join(row.split()) for row in rows] == [
        (
            "Web_Content 4711 - - - - out tcp ESTABLISHED 1m 5d 例え.example.jp https JP 東京 AS2497 2497 none"
            " 3.00k 1.00k 2.00k 1 2 3.00M 1.00M 2.00M"
        ),
        (
            "(fwd) - - - - Apple_4f:1a:22 fwd udp - 2m 5d 2001:db8:1234:5678:9abc:def0:1234:5678 443 - - - - none"
            " 6.00k 2.00k 4.00k 2 4 1.50M 500k 1.00M"
        ),
        "- - - - - - - tcp ESTABLISHED - 5d 192.0.2.4 443 - - - - none - - - 3 6 - - -",
    ]


def test_text_has_no_names_and_no_places_where_none_are_wanted(make_daemon: MakeDaemon) -> None:
    state = replace(ALL, names=False, geoip=False)
    titles, *rows = output(make_daemon(SAMPLE), Format.TEXT, state=state).splitlines()
    assert not {"GEO", "CITY", "NETWORK", "ASN"} & set(titles.split())
    assert "192.0.2.2" in rows[0].split()


def test_text_on_a_terminal_leaves_out_what_has_nothing_to_say(make_daemon: MakeDaemon) -> None:
    daemon = make_daemon([flow(1, attribution="forwarded", device="tv", direction="forwarded")])
    titles = output(daemon, Format.TEXT, width=120).splitlines()[0].split()
    assert titles[:3] == ["DEVICE", "DIR", "PROTO"]
    assert not {"PROCESS", "PID", "USER", "NETWORK"} & set(titles)


def test_text_on_a_terminal_fits_it(make_daemon: MakeDaemon) -> None:
    daemon = make_daemon(SAMPLE)
    for width in (20, 60, 80, 100, 200):
        lines = output(daemon, Format.TEXT, width=width, state=replace(ALL, source=True)).splitlines()
        assert len(lines) == 4
        assert max(map(text_width, lines)) <= width


GROUPED = [view for view in View if view is not View.FLOWS]


@pytest.mark.parametrize("view", GROUPED)
def test_groups_are_json_with_the_fields_of_their_view(make_daemon: MakeDaemon, view: View) -> None:
    daemon = make_daemon(made_up(100))
    snapshot = json.loads(output(daemon, Format.JSON, state=replace(ALL, view=view)))
    assert list(snapshot) == ["time", "seq", "interval", "host", "view", "status", "totals", "groups"]
    assert snapshot["view"] == view
    assert {tuple(group) for group in snapshot["groups"]} == {VIEW_FIELDS[view]}
    assert sum(group["flows"] for group in snapshot["groups"]) == 100
    assert len(snapshot["groups"]) == snapshot["status"]["matched"]


@pytest.mark.parametrize("view", GROUPED)
def test_groups_are_csv_with_the_fields_of_their_view(make_daemon: MakeDaemon, view: View) -> None:
    rows = list(
        csv.DictReader(io.StringIO(output(make_daemon(made_up(100)), Format.CSV, state=replace(ALL, view=view))))
    )
    assert tuple(rows[0]) == VIEW_FIELDS[view]
    assert sum(int(row["flows"]) for row in rows) == 100


def test_groups_are_a_table_with_shares_in_numbers(make_daemon: MakeDaemon) -> None:
    state = replace(ALL, view=View.COUNTRIES)
    daemon = make_daemon(made_up(100))
    titles, *rows = output(daemon, Format.TEXT, state=state).splitlines()
    assert titles.split() == ["COUNTRY", "FLOWS", "%RATE", "BYTES", "→BYTES", "←BYTES", "RATE", "→RATE", "←RATE"]
    assert len({len(row.split()) for row in rows}) == 1
    shares = [int(row.split()[2].rstrip("%")) for row in rows]
    assert abs(sum(shares) - 100) <= len(shares)
    assert "(no_country_known)" in {row.split()[0] for row in rows}
    by_bytes = output(daemon, Format.TEXT, state=replace(state, sort="bytes"))
    assert "%BYTES" in by_bytes.splitlines()[0]


@pytest.mark.parametrize("width", [20, 60, 80, 200])
@pytest.mark.parametrize("view", GROUPED)
def test_a_table_of_groups_on_a_terminal_fits_it(make_daemon: MakeDaemon, view: View, width: int) -> None:
    text = output(make_daemon(made_up(50)), Format.TEXT, state=replace(ALL, view=view), width=width)
    assert max(map(text_width, text.splitlines())) <= width


NASTY = (
    "\x1b[2J\x1b]0;title\x07",
    "\u202egnp.exe",
    "例" * 60,
    "e\u0301" * 60,
    "\u0e01\u0e33\u0e31" * 20,
    "☎\ufe0f" * 30,
)


@pytest.mark.parametrize("text", NASTY, ids=["codes", "right to left", "wide", "combining", "vowels", "variant"])
@pytest.mark.parametrize("width", [80, 200, None])
def test_text_from_outside_breaks_no_line_and_steers_nothing(
    make_daemon: MakeDaemon, text: str, width: int | None
) -> None:
    """Measured as the screen measures, by wcwidth: the two must agree on what terminals do."""
    daemon = make_daemon([flow(1), flow(2, **dict.fromkeys(OUTSIDE, text))])
    lines = output(daemon, Format.TEXT, width=width, state=replace(ALL, source=True)).splitlines()
    assert len(lines) == 3
    assert all(line.isprintable() for line in lines)
    assert width is None or max(map(get_cwidth, lines)) <= width
    assert len({get_cwidth(line[: line.rindex("tcp")]) for line in lines[1:]}) == 1
    assert len({get_cwidth(line) for line in lines}) == 1


OUTSIDE = {
    *("src_name", "dst_name", "src_city", "dst_city", "src_country", "dst_country", "src_org", "dst_org"),
    *("process", "user", "unit", "container", "device"),
}
