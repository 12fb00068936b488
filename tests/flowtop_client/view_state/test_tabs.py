from dataclasses import replace

import pytest

from flowtop_client.view_state.moves import MOVES, Action, fitted, received
from flowtop_client.view_state.place import MANY, VIEWS
from flowtop_client.view_state.state import ALL_PROTOCOLS, ViewState, conjunction, query_for, whole_filter
from flowtopd.wire.filter_parser import LONGEST
from flowtopd.wire.messages import View
from tests.flowtop_client.scripted_daemon import flow, made_up
from tests.flowtop_client.states import FIELDS, answer

FLOWS = made_up(200)


def answered(state: ViewState) -> ViewState:
    return received(state, answer(state, FLOWS, seq=state.tag))


def start(**values: object) -> ViewState:
    state = ViewState(fields=FIELDS, page=10, protocols=ALL_PROTOCOLS)
    return answered(replace(state, **values))  # type: ignore[arg-type]


def after(state: ViewState, *actions: Action) -> ViewState:
    """The state after these keys, each answered."""
    for action in actions:
        state = answered(MOVES[action](state))
    return state


def test_every_view_has_its_key_and_tab_goes_through_them_and_around() -> None:
    state = start()
    seen = []
    for _ in VIEWS:
        seen.append(state.view)
        state = after(state, Action.NEXT_TAB)
    assert seen == list(View)
    assert state.view is View.FLOWS
    assert after(state, Action.PREVIOUS_TAB).view is View.CONTAINERS
    for view in VIEWS:
        there = after(state, Action(view))
        assert there.view is view
        assert query_for(there).view is view
        assert there.total > 0


def test_the_tab_where_one_is_is_the_very_same_state() -> None:
    state = after(start(), Action.HOSTS)
    assert MOVES[Action.HOSTS](state) is state


def test_each_tab_keeps_its_order_its_cursor_and_its_offset() -> None:
    flows = after(start(), *[Action.DOWN] * 15)
    hosts = after(replace(flows, sort_choices=("flows", "rate")), Action.HOSTS, Action.END)
    hosts = after(replace(hosts, sort_choices=("bytes", "rate")), Action.SORT_LEFT, *[Action.DOWN] * 3)
    assert (hosts.sort, flows.sort) == ("bytes", "rate")
    back = after(hosts, Action.FLOWS)
    assert (back.sort, back.cursor, back.offset, back.pinned) == ("rate", 15, flows.offset, flows.pinned)
    again = after(back, Action.HOSTS)
    assert (again.sort, again.cursor, again.offset, again.pinned) == ("bytes", 3, hosts.offset, hosts.pinned)


def test_a_tab_that_is_still_on_its_way_keeps_its_place_on_a_screen_that_is_drawn() -> None:
    hosts = replace(after(start(), Action.HOSTS, *[Action.PAGE_DOWN] * 5), skipped=2)
    away = MOVES[Action.PROCESSES](hosts)
    back = MOVES[Action.HOSTS](away)
    drawn = fitted(back, page=10, sort_choices=(), scroll_limit=0)
    assert (drawn.cursor, drawn.offset, drawn.skipped) == (hosts.cursor, hosts.offset, 2)
    assert answered(drawn).key(answered(drawn).cursor) == hosts.pinned


def test_rows_of_one_view_are_never_taken_for_another_s() -> None:
    state = MOVES[Action.PROCESSES](start())
    assert state.outdated
    assert state.waiting
    assert state.row(0) is None
    assert state.total == MANY
    old = answer(start(), FLOWS, seq=2)
    assert received(state, old) is state


def test_keys_that_are_pressed_before_the_rows_come_find_theirs() -> None:
    state = MOVES[Action.DOWN](MOVES[Action.DOWN](MOVES[Action.PROCESSES](start())))
    assert answered(state).cursor == 2
    state = MOVES[Action.END](MOVES[Action.PROCESSES](start()))
    state = answered(answered(state))
    assert state.cursor == state.total - 1 < 20


def test_the_cursor_follows_its_group() -> None:
    state = after(start(), Action.PROCESSES, *[Action.DOWN] * 2)
    pinned = state.key(2)
    assert state.pinned == pinned
    faster = [each | {"orig_rate": 1e9} if each["process"] == "postgres" else each for each in FLOWS]
    state = received(state, answer(state, faster, seq=99))
    assert state.key(state.cursor) == pinned


def test_opening_a_group_shows_its_flows_and_the_way_back_leads_to_the_very_place() -> None:
    groups = after(start(), Action.PROCESSES, *[Action.DOWN] * 2)
    flows = after(groups, Action.OPEN)
    assert flows.view is View.FLOWS
    assert flows.path[0].name == groups.key(2)
    assert query_for(flows).filter == groups.value(2, "filter")
    assert flows.total == groups.value(2, "flows")
    assert (flows.cursor, flows.offset) == (0, 0)
    for key in (Action.LEAVE, Action.BACK):
        again = after(after(flows, Action.DOWN), key)
        assert (again.view, again.cursor, again.offset, again.pinned) == (View.PROCESSES, 2, 0, groups.pinned)
        assert (again.path, query_for(again).filter) == ((), "")


def test_groups_open_within_groups() -> None:
    state = after(start(), Action.PROCESSES, Action.DOWN, Action.OPEN, Action.COUNTRIES)
    assert state.total > 1
    inner = after(state, Action.OPEN)
    assert [crumb.view for crumb in inner.path] == [View.PROCESSES, View.COUNTRIES]
    assert inner.total == state.value(0, "flows")
    outer = after(inner, Action.LEAVE)
    assert (outer.view, len(outer.path)) == (View.COUNTRIES, 1)
    assert after(outer, Action.LEAVE).view is View.PROCESSES


def test_the_way_back_out_of_a_group_restores_the_tabs_that_were_used_in_it() -> None:
    hosts = after(start(), Action.HOSTS, Action.PAGE_DOWN, Action.PROCESSES, Action.OPEN)
    within = after(hosts, Action.HOSTS, Action.END)
    assert within.total < 200
    assert after(within, Action.LEAVE, Action.HOSTS).offset == 10


def test_the_users_filter_and_the_groups_are_both_on() -> None:
    state = after(start(filter="tcp or udp"), Action.COUNTRIES, Action.OPEN)
    assert query_for(state).filter == f"(tcp or udp) and {state.path[0].filter}"
    state = replace(state, filter="udp")
    assert after(state, Action.LEAVE).filter == "tcp or udp"
    assert after(state, Action.LEAVE).history == ("udp",)


def test_esc_goes_back_first_and_then_takes_the_filter_away() -> None:
    state = after(start(filter="tcp"), Action.COUNTRIES, Action.OPEN, Action.LEAVE)
    assert (state.view, state.filter) == (View.COUNTRIES, "tcp")
    assert after(state, Action.BACK).filter == "tcp"
    state = after(state, Action.LEAVE)
    assert (state.filter, state.history) == ("", ("tcp",))
    assert MOVES[Action.LEAVE](state) is state


@pytest.mark.parametrize("action", [Action.OPEN])
def test_a_flow_is_no_group_and_what_is_not_here_cannot_be_opened(action: Action) -> None:
    state = start()
    assert not MOVES[action](state).path
    waiting = MOVES[Action.PROCESSES](state)
    assert MOVES[action](waiting) is waiting
    old = MOVES[Action.REVERSE](answered(waiting))
    assert MOVES[action](old) is old
    empty = received(waiting, answer(waiting, [], seq=9))
    assert MOVES[action](empty) is empty


def test_without_geoip_there_are_no_countries_to_open() -> None:
    state = after(start(geoip=False), Action.COUNTRIES)
    assert state.placeless
    assert MOVES[Action.OPEN](state) is state
    assert not after(state, Action.GEOIP).placeless
    assert not after(state, Action.HOSTS).placeless


def test_no_filter_becomes_longer_than_the_daemon_takes() -> None:
    long = start(filter=f'process "{"x" * (LONGEST - 40)}" or tcp', protocols=ALL_PROTOCOLS)
    state = after(long, Action.COUNTRIES)
    refused = MOVES[Action.OPEN](state)
    assert refused.view is View.COUNTRIES
    assert refused.complaint


@pytest.mark.parametrize(
    ("filters", "whole"),
    [
        ([], ""),
        (["", " "], ""),
        (["tcp or udp"], "tcp or udp"),
        (["tcp or udp", "port 1"], "(tcp or udp) and port 1"),
        (["tcp", "port 1 port 2", "a or b"], "tcp and port 1 port 2 and (a or b)"),
        (["", "port 1"], "port 1"),
        (["(tcp or udp)", "x ("], "((tcp or udp)) and (x ()"),
    ],
)
def test_filters_are_joined_so_that_each_keeps_its_meaning(filters: list[str], whole: str) -> None:
    assert conjunction(filters) == whole


def test_the_filter_of_a_state_begins_with_the_users() -> None:
    state = after(start(filter="tcp"), Action.COUNTRIES, Action.OPEN)
    assert whole_filter(state).startswith("tcp and ")
    assert flow(1)["id"]
