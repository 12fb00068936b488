from dataclasses import replace

import pytest

from flowtop_client.view_state.help_page import HelpPage
from flowtop_client.view_state.moves import MOVES, Action, lost, received
from flowtop_client.view_state.state import (
    ALL_PROTOCOLS,
    WINDOW_STEP,
    ProtocolGroup,
    ViewState,
    protocol_numbers,
    query_for,
    settled,
    starts_descending,
    window_height,
)
from flowtopd.wire.codec import decode_viewer, encode_viewer
from flowtopd.wire.messages import Family, Query
from tests.flowtop_client.scripted_daemon import flow
from tests.flowtop_client.states import answer, with_rows


@pytest.mark.parametrize(
    ("groups", "numbers"),
    [
        ({ProtocolGroup.TCP}, (6,)),
        ({ProtocolGroup.UDP}, (17, 136)),
        ({ProtocolGroup.ICMP}, (1, 58)),
        ({ProtocolGroup.DCCP, ProtocolGroup.SCTP}, (33, 132)),
        (set(), ()),
        (ALL_PROTOCOLS, None),
    ],
)
def test_groups_are_the_protocols_that_the_classic_tool_means(
    groups: set[ProtocolGroup], numbers: tuple[int, ...] | None
) -> None:
    assert protocol_numbers(frozenset(groups)) == numbers


def test_others_are_all_that_have_no_key_of_their_own() -> None:
    others = protocol_numbers(frozenset({ProtocolGroup.OTHER}))
    assert others is not None
    assert 47 in others  # GRE
    assert not {6, 17, 136, 33, 1, 58, 132} & set(others)
    everything_but_tcp = protocol_numbers(ALL_PROTOCOLS - {ProtocolGroup.TCP})
    assert everything_but_tcp == tuple(sorted(set(range(256)) - {6}))


def test_the_query_says_all_that_the_state_says() -> None:
    state = ViewState(
        protocols=frozenset({ProtocolGroup.UDP}),
        families=(Family.IPV6,),
        active=True,
        loopback=True,
        names=False,
        geoip=False,
        interval=0.5,
        closed=True,
        mean=10.0,
        sort="dst",
        descending=False,
        paused=True,
        page=20,
        window_offset=64,
        fields=("id", "dst"),
        tag=7,
    )
    query = query_for(state)
    assert query == Query(
        tag=7,
        protocols=(17, 136),
        families=(Family.IPV6,),
        active=True,
        loopback=True,
        names=False,
        geoip=False,
        sort="dst",
        descending=False,
        offset=64,
        limit=96,
        interval=0.5,
        closed=True,
        mean=10.0,
        history=True,
        paused=True,
        fields=("id", "dst"),
    )
    assert decode_viewer(encode_viewer(query)[4:]) == query


@pytest.mark.parametrize(
    ("sort", "descending"),
    [("rate", True), ("bytes", True), ("orig_rate", True), ("duration", True), ("dst", False), ("proto", False)],
)
def test_amounts_begin_with_the_largest_and_text_with_a(sort: str, descending: bool) -> None:
    assert starts_descending(sort) is descending


@pytest.mark.parametrize(("page", "height"), [(1, 96), (32, 96), (33, 192), (45, 192), (64, 192), (65, 288)])
def test_the_window_is_three_pages_in_steps(page: int, height: int) -> None:
    assert window_height(page) == height
    assert height >= 3 * page or page <= WINDOW_STEP


def test_a_step_within_the_margin_asks_nothing_new() -> None:
    state = with_rows(1000, page=20)
    moved = settled(state, replace(state, offset=30))
    assert (moved.window_offset, moved.tag) == (state.window_offset, state.tag)


def test_a_screen_near_the_end_of_the_window_asks_for_the_next_one() -> None:
    state = with_rows(1000, page=20)
    moved = settled(state, replace(state, offset=67))
    assert moved.tag == state.tag + 1
    assert moved.epoch == state.epoch  # the rows that are here are still right
    assert moved.window_offset <= 67 - 20
    assert moved.window_offset + window_height(20) >= 67 + 2 * 20


@pytest.mark.parametrize("offset", range(0, 981, 7))
def test_wherever_the_screen_goes_the_window_covers_it_with_a_margin(offset: int) -> None:
    state = with_rows(1000, page=20)
    moved = settled(state, replace(state, offset=offset))
    end = moved.window_offset + window_height(20)
    assert moved.window_offset == 0 or offset - moved.window_offset >= 10
    assert end >= 1000 or end - (offset + 20) >= 10


@pytest.mark.parametrize(
    "change",
    [
        {"sort": "dst"},
        {"descending": False},
        {"active": True},
        {"protocols": ALL_PROTOCOLS},
        {"families": (Family.IPV4,)},
    ],
    ids=str,
)
def test_other_rows_or_another_order_begin_a_new_epoch(change: dict[str, object]) -> None:
    state = with_rows(10)
    new = settled(state, replace(state, **change))  # type: ignore[arg-type]
    assert new.tag == new.epoch == state.tag + 1


def test_the_name_of_a_source_is_asked_for_only_while_it_is_shown() -> None:
    """A question to the resolver is seen by others; it is asked for what somebody looks at."""
    state = with_rows(10)
    assert {"src_name", "dst_name", "src"} <= set(state.fields)
    assert set(state.fields) - set(query_for(state).fields) == {"src_name"}
    shown = MOVES[Action.SOURCE](state)
    assert query_for(shown).fields == state.fields
    assert not shown.waiting
    assert query_for(MOVES[Action.SOURCE](shown)).fields == query_for(state).fields


@pytest.mark.parametrize("change", [{"bits": True}, {"help": HelpPage()}, {"cursor": 3}], ids=str)
def test_what_concerns_the_screen_alone_asks_nothing(change: dict[str, object]) -> None:
    state = with_rows(10)
    new = settled(state, replace(state, **change))  # type: ignore[arg-type]
    assert query_for(new) == query_for(state)


def test_a_row_is_found_by_its_place_among_all_rows() -> None:
    state = with_rows(1000, page=20, offset=200)
    assert state.key(state.snapshot.offset if state.snapshot else -1) is not None
    assert state.row(0) is None
    assert state.key(999) is None
    assert ViewState().row(0) is None


def test_a_screen_waits_for_rows_outside_the_window_until_they_come() -> None:
    rows = [flow(number) for number in range(1, 1001)]
    state = with_rows(1000)
    assert not state.waiting
    assert not MOVES[Action.PAGE_DOWN](state).waiting
    state = MOVES[Action.END](state)
    assert state.waiting
    assert not state.outdated
    assert not received(state, answer(state, rows)).waiting


@pytest.mark.parametrize("action", [Action.UDP, Action.REVERSE, Action.ACTIVE])
def test_a_screen_waits_for_other_rows_and_for_another_order(action: Action) -> None:
    state = MOVES[action](with_rows(5))
    assert state.waiting
    assert state.outdated
    state = received(state, answer(state, [flow(1)]))
    assert not state.waiting
    assert not state.outdated


def test_a_screen_waits_for_nothing_before_the_first_snapshot_without_a_daemon_and_under_the_help() -> None:
    assert not ViewState().waiting
    assert not lost(MOVES[Action.END](with_rows(1000)), "gone").waiting
    assert not MOVES[Action.HELP](MOVES[Action.END](with_rows(1000))).waiting
    assert not MOVES[Action.PAUSE](with_rows(1000)).waiting
