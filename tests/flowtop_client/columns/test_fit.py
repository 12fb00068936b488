import itertools

import pytest

from flowtop_client.columns.column import ESSENTIAL, OPTIONAL, Align, Column, Cut
from flowtop_client.columns.fit import Placed, cut, fit, scroll_limit, speaking
from flowtop_client.columns.flows import flow_columns

WITHOUT_SOURCE = flow_columns()
WITH_SOURCE = flow_columns(source=True)


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
        (" 62% ███▊", 9, Cut.BAR, " 62% ███▊"),
        (" 62% ███▊", 8, Cut.BAR, " 62%"),
        ("  0%       ", 8, Cut.BAR, "  0%"),
        ("100% █", 3, Cut.BAR, "10…"),
        ("%BYTES", 4, Cut.BAR, "%BY…"),
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

ON_A_HOST = {"process": 8, "pid": 5, "geo": 2, "dir": 3}
ON_A_ROUTER = {"device": 14, "geo": 2, "dir": 3}
EVERYTHING = ON_A_HOST | ON_A_ROUTER | {"network": 20, "user": 6, "unit": 12, "container": 8, "city": 9, "asn": 5}


def contents(columns: tuple[Column, ...], **by_name: int) -> list[int]:
    """Widths of a table of plain IPv4 flows of which nothing is known but what the kernel says."""
    usual = {"proto": 4, "state": 11, "time": 5, "address": IPV4, "source": IPV4, "port": 5, "sport": 5}
    usual |= dict.fromkeys(("bytes", "orig_bytes", "reply_bytes", "rate", "orig_rate", "reply_rate"), 5)
    usual |= by_name
    return [usual.get(column.name, 0) for column in columns]


def placed(columns: tuple[Column, ...], width: int, **by_name: int) -> tuple[Placed, ...]:
    """What a screen of this width shows: the columns that are worth a look, as far as they fit."""
    widths = contents(columns, **by_name)
    at = speaking(columns, widths)
    return fit([columns[place] for place in at], [widths[place] for place in at], width)


def shown(columns: tuple[Column, ...], width: int, **by_name: int) -> list[str]:
    return [place.column.name for place in placed(columns, width, **by_name)]


CLASSIC = ["process", "pid", "proto", "state", "time", "address", "port", "geo", "bytes", "rate"]


def test_eighty_columns_show_the_classic_table_with_ipv4() -> None:
    assert shown(WITHOUT_SOURCE, 80) == CLASSIC
    assert shown(WITHOUT_SOURCE, 80, **ON_A_HOST) == CLASSIC


def test_a_name_is_worth_more_than_a_process_id() -> None:
    assert shown(WITHOUT_SOURCE, 80, **ON_A_HOST, address=20) == [name for name in CLASSIC if name != "pid"]


def test_on_a_router_the_device_takes_the_place_of_the_process() -> None:
    expected = ["device", "proto", "state", "time", "address", "port", "geo", "bytes", "rate"]
    assert shown(WITHOUT_SOURCE, 80, **ON_A_ROUTER) == expected
    assert shown(WITHOUT_SOURCE, 80, **ON_A_ROUTER, address=30) == expected
    for width in range(80, 301):
        assert not {"process", "pid"} & set(shown(WITHOUT_SOURCE, width, **ON_A_ROUTER))


def test_a_router_with_programs_of_its_own_shows_both_on_eighty_columns() -> None:
    for length in (IPV4, IPV6):
        both = shown(WITHOUT_SOURCE, 80, **ON_A_HOST | ON_A_ROUTER, address=length)
        assert both == ["process", "device", "proto", "state", "time", "address", "port", "bytes", "rate"]


def test_a_column_that_many_hosts_have_nothing_for_is_there_only_where_it_says_something() -> None:
    shy = {column.name for column in WITH_SOURCE if column.shy}
    assert shy == {
        *("user", "unit", "container", "device", "dir", "city", "network", "asn", "scity", "snetwork", "sasn")
    }
    assert not shy & set(shown(WITH_SOURCE, 1000))
    for name in shy:
        assert shy & set(shown(WITH_SOURCE, 1000, **{name: 5})) == {name}


def test_whatever_becomes_known_no_column_is_lost_where_there_is_room() -> None:
    known: dict[str, int] = {}
    before = set(shown(WITHOUT_SOURCE, 1000)) - {"process", "pid"}
    for name, width in EVERYTHING.items():
        known[name] = width
        now = set(shown(WITHOUT_SOURCE, 1000, **known))
        assert before <= now
        before = now


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
PLAIN = {column.name for column in WITHOUT_SOURCE if not column.shy}


def test_two_hundred_columns_show_everything_that_the_kernel_says() -> None:
    assert set(shown(WITHOUT_SOURCE, 200, address=IPV6)) == PLAIN
    assert set(shown(WITH_SOURCE, 200)) == PLAIN | {"source", "sport", "sgeo"}
    assert set(shown(WITH_SOURCE, 200, address=IPV6, source=IPV6)) == PLAIN - EXTRAS | {"source", "sport", "sgeo"}


def test_two_hundred_columns_show_who_and_where_with_names() -> None:
    on_a_host = shown(WITHOUT_SOURCE, 200, **ON_A_HOST, address=30, network=20, user=6, unit=14)
    assert {*CLASSIC, "dir", "network", "user", "unit", "orig_rate"} <= set(on_a_host)
    on_a_router = shown(WITHOUT_SOURCE, 200, **ON_A_ROUTER, address=30, network=20)
    assert {"device", "dir", "geo", "network", "orig_rate", "orig_bytes"} <= set(on_a_router)


def test_everything_that_is_known_has_its_column_where_the_width_has_no_end() -> None:
    names = [column.name for column in WITHOUT_SOURCE]
    assert shown(WITHOUT_SOURCE, 1000, **EVERYTHING, nat=4, expires=3) == names


def test_nothing_is_cut_for_what_only_a_wide_screen_has_room_for() -> None:
    for width in range(100, 301):
        names = set(shown(WITHOUT_SOURCE, width))
        assert not EXTRAS & names or names - EXTRAS == PLAIN - EXTRAS
        widths = {place.column.name: place.width for place in placed(WITHOUT_SOURCE, width, address=90, process=30)}
        assert not EXTRAS & widths.keys() or (widths["address"], widths["process"]) == (90, 30)


@pytest.mark.parametrize("gap", [1, 2])
@pytest.mark.parametrize("columns", [WITHOUT_SOURCE, WITH_SOURCE], ids=["dst", "both"])
def test_what_is_placed_never_needs_more_than_the_width(columns: tuple[Column, ...], gap: int) -> None:
    wishes: tuple[dict[str, int], ...] = (
        {},
        {"address": 200},
        {"process": 99, "pid": 7, "geo": 2},
        {"port": 10, "time": 5, "bytes": 5},
        EVERYTHING,
    )
    for width, wish in itertools.product(range(1, 301), wishes):
        fitted = fit(columns, contents(columns, **wish), width, gap)
        assert fitted
        assert sum(place.width for place in fitted) + gap * (len(fitted) - 1) <= width
        assert all(place.width >= place.column.least for place in fitted) or len(fitted) == 1


def test_a_number_has_its_whole_width_or_no_column() -> None:
    for width in range(10, 160):
        for place in placed(WITHOUT_SOURCE, width, pid=7, asn=10):
            assert place.column.name not in {"pid", "asn"} or place.width in {7, 10}


def test_room_that_is_left_over_goes_to_who_wants_more() -> None:
    widths = {place.column.name: place.width for place in placed(WITHOUT_SOURCE, 200, address=60)}
    assert widths["address"] == 60


def test_scrolling_ends_when_the_last_column_is_in_view() -> None:
    for width in (60, 80, 120):
        wide_contents = contents(WITH_SOURCE, process=10, pid=5, geo=2, sgeo=2)
        limit = scroll_limit(WITH_SOURCE, wide_contents, width)
        assert fit(WITH_SOURCE[limit:], wide_contents[limit:], width)[-1].column is WITH_SOURCE[-1]
    assert scroll_limit(WITHOUT_SOURCE, contents(WITHOUT_SOURCE), 300) == 0


def test_essential_columns_are_not_optional() -> None:
    assert OPTIONAL < ESSENTIAL
    assert {column.align for column in WITH_SOURCE if column.cut is Cut.NEVER} == {Align.RIGHT}
