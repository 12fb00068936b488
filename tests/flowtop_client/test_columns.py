import itertools

import pytest

from flowtop_client.columns import (
    ESSENTIAL,
    OPTIONAL,
    Align,
    Column,
    Cut,
    Units,
    cells,
    cut,
    fit,
    flow_columns,
    needed_fields,
    scroll_limit,
)
from flowtopd.wire.fields import FLOW_FIELD_NAMES, SORT_FIELDS
from tests.flowtop_client.scripted_daemon import NO_FLOW, Flow, flow

WITHOUT_SOURCE = flow_columns(source=False)
WITH_SOURCE = flow_columns(source=True)


def texts(values: Flow, *, bits: bool = False, source: bool = True) -> dict[str, str]:
    columns = flow_columns(source=source)
    row = [values[name] for name in FLOW_FIELD_NAMES]
    return dict(zip((c.name for c in columns), cells(columns, FLOW_FIELD_NAMES, Units(bits))(row), strict=True))


def test_the_classic_columns_come_in_their_classic_order() -> None:
    classic = ["PROCESS", "PID", "PROTO", "STATE", "TIME", "ADDRESS", "PORT", "GEO", "BYTES", "RATE"]
    titles = [column.title for column in WITHOUT_SOURCE]
    assert [title for title in titles if title in classic] == classic
    assert [column.name for column in WITH_SOURCE if column not in WITHOUT_SOURCE] == ["source", "sport", "sgeo"]


@pytest.mark.parametrize("column", WITH_SOURCE, ids=lambda column: column.name)
def test_a_column_reads_and_sorts_by_fields_that_the_wire_has(column: Column) -> None:
    assert set(column.fields) <= set(FLOW_FIELD_NAMES)
    assert column.sort in SORT_FIELDS
    assert len(column.title) <= column.least <= column.most


def test_no_two_columns_share_a_name_or_a_sort_field() -> None:
    assert len({column.name for column in WITH_SOURCE}) == len(WITH_SOURCE)
    assert len({column.sort for column in WITH_SOURCE}) == len(WITH_SOURCE)


def test_every_needed_field_is_asked_for_once() -> None:
    needed = needed_fields(WITH_SOURCE)
    assert needed[:2] == ("id", "closed")
    assert len(set(needed)) == len(needed)
    assert {"dst", "dst_name", "dport", "service", "duration"} <= set(needed)


def test_unknown_is_a_dash_in_every_column() -> None:
    assert set(texts(NO_FLOW).values()) == {"-"}


def test_zero_is_not_unknown() -> None:
    shown = texts(NO_FLOW | {"orig_bytes": 0, "reply_bytes": 0, "orig_rate": 0.0, "dport": 0})
    assert (shown["bytes"], shown["rate"], shown["orig_rate"], shown["reply_rate"], shown["port"]) == (
        "0",
        "0",
        "0",
        "-",
        "0",
    )


def test_both_directions_add_up_and_are_shown_apart() -> None:
    shown = texts(flow(1, orig_bytes=1000, reply_bytes=2000, orig_rate=10.0, reply_rate=20.0))
    assert (shown["bytes"], shown["orig_bytes"], shown["reply_bytes"]) == ("3.00k", "1.00k", "2.00k")
    assert (shown["rate"], shown["orig_rate"], shown["reply_rate"]) == ("30", "10", "20")


def test_bits_change_rates_alone() -> None:
    assert texts(flow(1), bits=True)["bytes"] == texts(flow(1))["bytes"]
    assert texts(flow(1), bits=True)["rate"] == "24.0M"


def test_a_name_and_a_service_stand_in_for_address_and_port() -> None:
    shown = texts(flow(1, dst_name="example.com", service="https", src_name=""))
    assert (shown["address"], shown["port"], shown["source"]) == ("example.com", "https", "10.0.0.1")


def test_text_from_the_network_is_cleaned() -> None:
    assert texts(flow(1, dst_name="\x1b]0;evil\x07.com", process="a\nb"))["address"] == "?]0;evil?.com"
    assert texts(flow(1, process="a\nb"))["process"] == "a?b"


def test_fields_may_come_in_any_order_and_a_missing_one_is_unknown() -> None:
    shown = cells(WITHOUT_SOURCE, ("dport", "dst"), Units())([53, "9.9.9.9"])
    by_name = dict(zip((column.name for column in WITHOUT_SOURCE), shown, strict=True))
    assert (by_name["address"], by_name["port"], by_name["state"]) == ("9.9.9.9", "53", "-")


def wide(char: str) -> int:
    return sum(2 if letter == "例" else 1 for letter in char)


@pytest.mark.parametrize(
    ("text", "width", "how", "shown"),
    [
        ("abcdef", 6, Cut.END, "abcdef"),
        ("abcdef", 5, Cut.END, "abcd…"),
        ("abcdef", 5, Cut.MIDDLE, "ab…ef"),
        ("abcdef", 4, Cut.MIDDLE, "ab…f"),
        ("abcdef", 1, Cut.END, "…"),
        ("abcdef", 0, Cut.END, ""),
        ("例例例", 5, Cut.END, "例例…"),
        ("例例例", 4, Cut.END, "例…"),
        ("例例例", 4, Cut.MIDDLE, "例…"),
        ("2001:db8:1:2:3:4:5:6", 15, Cut.MIDDLE, "2001:db…3:4:5:6"),
    ],
)
def test_a_cut_text_fits_and_says_that_it_is_cut(text: str, width: int, how: Cut, shown: str) -> None:
    assert cut(text, width, how, wide) == shown


IPV4 = 15
IPV6 = 39


def contents(columns: tuple[Column, ...], **by_name: int) -> list[int]:
    """Widths of a table of plain IPv4 flows without processes and countries."""
    usual = {"proto": 4, "state": 11, "time": 5, "address": IPV4, "source": IPV4, "port": 5, "sport": 5}
    usual |= dict.fromkeys(("bytes", "orig_bytes", "reply_bytes", "rate", "orig_rate", "reply_rate"), 5)
    usual |= by_name
    return [usual.get(column.name, 0) for column in columns]


def shown(columns: tuple[Column, ...], width: int, **by_name: int) -> list[str]:
    return [place.column.name for place in fit(columns, contents(columns, **by_name), width)]


CLASSIC = ["process", "pid", "proto", "state", "time", "address", "port", "geo", "bytes", "rate"]


def test_eighty_columns_show_the_classic_table_with_ipv4() -> None:
    assert shown(WITHOUT_SOURCE, 80) == CLASSIC


def test_empty_columns_give_way_to_long_addresses() -> None:
    assert shown(WITHOUT_SOURCE, 80, address=IPV6) == ["proto", "state", "time", "address", "port", "bytes", "rate"]


def test_a_column_with_content_is_worth_more_than_a_whole_address() -> None:
    assert "process" in shown(WITHOUT_SOURCE, 80, address=IPV6, process=8)


def test_bytes_and_rate_stay_while_they_are_unknown() -> None:
    assert shown(WITHOUT_SOURCE, 62, bytes=0, rate=0)[-2:] == ["bytes", "rate"]


def test_both_directions_come_and_go_together() -> None:
    for width in range(60, 301):
        names = shown(WITH_SOURCE, width)
        assert ("orig_rate" in names) == ("reply_rate" in names)
        assert ("orig_bytes" in names) == ("reply_bytes" in names)


EXTRAS = {"expires", "nat", "orig_packets", "reply_packets"}


def test_two_hundred_columns_show_everything() -> None:
    assert shown(WITHOUT_SOURCE, 200, address=IPV6) == [column.name for column in WITHOUT_SOURCE]
    assert shown(WITH_SOURCE, 200) == [column.name for column in WITH_SOURCE]
    with_long_addresses = set(shown(WITH_SOURCE, 200, address=IPV6, source=IPV6))
    assert with_long_addresses == {column.name for column in WITH_SOURCE} - EXTRAS


def test_nothing_is_cut_for_what_only_a_wide_screen_has_room_for() -> None:
    for width in range(100, 301):
        placed = {place.column.name: place.width for place in fit(WITHOUT_SOURCE, contents(WITHOUT_SOURCE), width)}
        assert not EXTRAS & placed.keys() or len(placed.keys() - EXTRAS) == len(WITHOUT_SOURCE) - len(EXTRAS)
        placed = {
            place.column.name: place.width
            for place in fit(WITHOUT_SOURCE, contents(WITHOUT_SOURCE, address=90, process=30), width)
        }
        assert not EXTRAS & placed.keys() or (placed["address"], placed["process"]) == (90, 30)


def test_a_flow_shows_packets_translation_and_what_is_left_of_it() -> None:
    shown = texts(flow(1, nat="snat", orig_packets=12345, reply_packets=None, timeout=120))
    assert (shown["nat"], shown["orig_packets"], shown["reply_packets"], shown["expires"]) == (
        "snat",
        "12.3k",
        "-",
        "2m",
    )


@pytest.mark.parametrize("gap", [1, 2])
@pytest.mark.parametrize("columns", [WITHOUT_SOURCE, WITH_SOURCE], ids=["dst", "both"])
def test_what_is_placed_never_needs_more_than_the_width(columns: tuple[Column, ...], gap: int) -> None:
    wishes: tuple[dict[str, int], ...] = (
        {},
        {"address": 200},
        {"process": 99, "pid": 7, "geo": 2},
        {"port": 10, "time": 5, "bytes": 5},
    )
    for width, wish in itertools.product(range(1, 301), wishes):
        placed = fit(columns, contents(columns, **wish), width, gap)
        assert placed
        assert sum(place.width for place in placed) + gap * (len(placed) - 1) <= width
        assert all(place.width >= place.column.least for place in placed) or len(placed) == 1


def test_a_number_has_its_whole_width_or_no_column() -> None:
    for width in range(10, 120):
        for place in fit(WITHOUT_SOURCE, contents(WITHOUT_SOURCE, pid=7), width):
            assert place.column.name != "pid" or place.width == 7


def test_room_that_is_left_over_goes_to_who_wants_more() -> None:
    widths = {
        place.column.name: place.width for place in fit(WITHOUT_SOURCE, contents(WITHOUT_SOURCE, address=60), 200)
    }
    assert widths["address"] == 60


def test_scrolling_ends_when_the_last_column_is_in_view() -> None:
    for width in (60, 80, 120):
        wide_contents = contents(WITH_SOURCE, process=10, pid=5, geo=2, sgeo=2)
        limit = scroll_limit(WITH_SOURCE, wide_contents, width)
        assert fit(WITH_SOURCE[limit:], wide_contents[limit:], width)[-1].column is WITH_SOURCE[-1]
    assert scroll_limit(WITHOUT_SOURCE, contents(WITHOUT_SOURCE), 200) == 0


def test_essential_columns_are_not_optional() -> None:
    assert OPTIONAL < ESSENTIAL
    assert {column.align for column in WITH_SOURCE if column.cut is Cut.NEVER} == {Align.RIGHT}
