from dataclasses import replace

import pytest

from flowtop_client.view_state.choosing import Choose
from flowtop_client.view_state.moves import (
    MOVES,
    Action,
    complained,
    connected,
    fitted,
    joined,
    lost,
    received,
)
from flowtop_client.view_state.state import ProtocolGroup, ViewState, query_for
from flowtop_client.view_state.text_input import Edit
from tests.flowtop_client.scripted_daemon import STATUS, flow, snapshot_for
from tests.flowtop_client.states import answer, with_rows


def after(state: ViewState, *actions: Action) -> ViewState:
    for action in actions:
        state = MOVES[action](state)
    return state


def test_every_action_has_its_move() -> None:
    assert set(MOVES) == {*Action, *Edit, *Choose}


@pytest.mark.parametrize(
    ("actions", "cursor", "offset"),
    [
        ((Action.DOWN,), 1, 0),
        ((Action.UP,), 0, 0),
        ((Action.DOWN,) * 9, 9, 0),
        ((Action.DOWN,) * 10, 10, 1),
        ((*[Action.DOWN] * 12, Action.UP), 11, 3),
        ((Action.PAGE_DOWN,), 10, 10),
        ((Action.PAGE_DOWN, Action.UP), 9, 9),
        ((Action.PAGE_DOWN, Action.PAGE_UP), 0, 0),
        ((Action.PAGE_UP,), 0, 0),
        ((Action.END,), 99, 90),
        ((Action.END, Action.DOWN), 99, 90),
        ((Action.END, Action.PAGE_UP), 89, 80),
        ((Action.END, Action.HOME), 0, 0),
        ((Action.DOWN, Action.DOWN, *[Action.PAGE_DOWN] * 20), 99, 90),
    ],
)
def test_the_cursor_moves_and_the_screen_follows_no_further_than_it_must(
    actions: tuple[Action, ...], cursor: int, offset: int
) -> None:
    state = after(with_rows(100, page=10), *actions)
    assert (state.cursor, state.offset) == (cursor, offset)


@pytest.mark.parametrize("rows", [0, 1, 3])
def test_fewer_rows_than_the_screen_has_room_for_never_scroll(rows: int) -> None:
    for actions in ([Action.DOWN] * 5, [Action.PAGE_DOWN], [Action.END], [Action.END, Action.PAGE_UP]):
        state = after(with_rows(rows, page=10), *actions)
        assert state.offset == 0
        assert 0 <= state.cursor <= max(0, rows - 1)


def test_nothing_to_move_is_the_very_same_state() -> None:
    state = after(with_rows(100, page=10), Action.HOME)
    for action in (Action.HOME, Action.LEFT, Action.RIGHT, Action.LEAVE, Action.BACK, Action.FLOWS):
        assert MOVES[action](state) is state


@pytest.mark.parametrize(
    ("action", "group"),
    [
        (Action.TCP, ProtocolGroup.TCP),
        (Action.UDP, ProtocolGroup.UDP),
        (Action.DCCP, ProtocolGroup.DCCP),
        (Action.ICMP, ProtocolGroup.ICMP),
        (Action.SCTP, ProtocolGroup.SCTP),
        (Action.OTHER, ProtocolGroup.OTHER),
    ],
)
def test_a_protocol_key_switches_its_group_and_back(action: Action, group: ProtocolGroup) -> None:
    state = with_rows(10)
    switched = MOVES[action](state)
    assert switched.protocols ^ state.protocols == {group}
    assert MOVES[action](switched).protocols == state.protocols


def test_without_the_last_protocol_nothing_is_asked_for() -> None:
    assert query_for(after(with_rows(10), Action.TCP)).protocols == ()


@pytest.mark.parametrize(
    "action",
    [Action.TCP, Action.UDP, Action.ACTIVE, Action.REVERSE, Action.SORT_RIGHT],
    ids=lambda action: action.value,
)
def test_other_rows_begin_at_the_top(action: Action) -> None:
    state = replace(after(with_rows(100, page=10), Action.END), sort_choices=("rate", "dst"))
    changed = MOVES[action](state)
    assert (changed.cursor, changed.offset, changed.pinned) == (0, 0, None)


def test_sorting_walks_over_the_columns_that_are_shown_and_around() -> None:
    state = replace(with_rows(10), sort_choices=("proto", "dst", "bytes", "rate"))
    assert after(state, Action.SORT_LEFT).sort == "bytes"
    assert after(state, Action.SORT_RIGHT).sort == "proto"
    assert after(state, Action.SORT_LEFT, Action.SORT_RIGHT).sort == "rate"
    assert after(replace(state, sort="mark"), Action.SORT_RIGHT).sort == "proto"


def test_a_new_sort_column_begins_in_its_natural_order() -> None:
    state = replace(with_rows(10), sort_choices=("dst", "bytes"))
    assert not after(state, Action.SORT_RIGHT).descending
    assert after(state, Action.SORT_RIGHT, Action.SORT_RIGHT).descending
    assert after(state, Action.SORT_RIGHT, Action.REVERSE).descending


def test_columns_scroll_no_further_than_the_last_one() -> None:
    state = replace(with_rows(10), scroll_limit=2)
    assert after(state, *[Action.RIGHT] * 5).skipped == 2
    assert after(state, *[Action.RIGHT] * 5, *[Action.LEFT] * 9).skipped == 0


def test_switches_switch_and_switch_back() -> None:
    state = with_rows(10)
    for action, field in (
        (Action.BITS, "bits"),
        (Action.ACTIVE, "active"),
        (Action.SOURCE, "source"),
        (Action.PAUSE, "paused"),
    ):
        assert getattr(after(state, action), field) is True
        assert getattr(after(state, action, action), field) is False
    for action, field in ((Action.NAMES, "names"), (Action.GEOIP, "geoip")):
        assert getattr(after(state, action), field) is False
        assert getattr(after(state, action, action), field) is True


@pytest.mark.parametrize("action", [Action.NAMES, Action.GEOIP])
def test_names_and_places_are_asked_for_anew_and_no_row_is_waited_for(action: Action) -> None:
    """What is here stays on the screen, in its place: the daemon orders rows by what it knows, shown or not."""
    state = after(with_rows(100, page=10), *[Action.DOWN] * 4)
    off = after(state, action)
    assert (query_for(off).names, query_for(off).geoip) == (action is not Action.NAMES, action is not Action.GEOIP)
    assert off.tag == state.tag + 1
    assert not off.waiting
    assert not off.outdated
    assert (off.cursor, off.pinned) == (state.cursor, state.pinned)
    old = answer(state, FLOWS, seq=2)
    assert received(off, old).snapshot is old


def test_the_same_keys_scroll_the_help_while_it_is_open() -> None:
    state = after(with_rows(100, page=10), Action.HELP)
    state = fitted(
        state, page=10, sort_choices=(), scroll_limit=0, help_texts=tuple("abcdefghijklmnopqrs"), help_page=12
    )

    def line(*actions: Action) -> int | None:
        page = after(state, *actions).help
        return None if page is None else page.line

    assert line() == 0
    assert line(Action.DOWN, Action.DOWN) == 2
    assert after(state, Action.DOWN, Action.DOWN).cursor == 0
    assert line(Action.PAGE_DOWN) == line(Action.END) == 7
    assert line(Action.END, Action.HOME) == line(Action.DOWN, Action.UP, Action.UP) == 0
    assert line(Action.HELP) is None
    assert line(Action.LEAVE) is None


def test_a_pause_asks_for_a_frozen_snapshot_and_still_scrolls() -> None:
    state = after(with_rows(1000, page=20), Action.PAUSE)
    assert query_for(state).paused
    assert query_for(after(state, Action.END)).paused
    assert state.epoch == with_rows(1000, page=20).epoch


FLOWS = [flow(number) for number in range(1, 101)]


def faster(number: int) -> list[dict[str, object]]:
    """The same flows, with this one the fastest."""
    return [each | {"orig_rate": 1e9} if each["id"] == f"{number:x}" else each for each in FLOWS]


def test_until_the_user_chooses_the_cursor_stays_on_the_first_row() -> None:
    state = with_rows(100, page=10)
    state = received(state, answer(state, faster(50), seq=2))
    assert state.cursor == 0
    assert state.key(0) == f"{50:x}"


def test_the_cursor_follows_its_flow_on_the_screen() -> None:
    state = after(with_rows(100, page=10), *[Action.DOWN] * 4)
    assert state.pinned == "5"
    state = received(state, answer(state, faster(50), seq=2))
    assert (state.cursor, state.offset, state.pinned) == (5, 0, "5")


def test_the_screen_never_jumps_after_a_flow_that_leaves_it() -> None:
    state = after(with_rows(100, page=10), *[Action.DOWN] * 9)
    assert state.pinned == "a"
    state = received(state, answer(state, faster(50), seq=2))
    assert (state.cursor, state.offset) == (9, 0)
    assert (state.pinned, state.selected) == ("a", None), "it stays selected, and no other is in its place"
    state = received(state, answer(state, FLOWS, seq=3))
    assert (state.selected, state.key(9)) == (9, "a"), "and is marked again where it comes back"
    assert after(received(state, answer(state, faster(50), seq=4)), Action.UP).selected == 8


def test_a_flow_that_is_gone_for_good_gives_its_place_to_the_one_that_stands_there() -> None:
    state = after(with_rows(5, page=10), Action.DOWN, Action.DOWN)
    gone = state.pinned
    left = [flow(number) for number in range(1, 6) if f"{number:x}" != gone]
    state = received(state, answer(state, left, seq=2))
    assert (state.cursor, state.selected) == (2, 2)
    assert state.pinned == state.key(2) != gone


def test_a_table_that_shrinks_takes_the_screen_with_it() -> None:
    state = after(with_rows(100, page=10), Action.END)
    state = received(state, answer(state, FLOWS[:30], seq=2))
    assert (state.offset, state.cursor) == (20, 29)
    state = received(state, answer(state, [], seq=3))
    assert (state.offset, state.cursor) == (0, 0)


def test_an_answer_to_an_older_question_is_not_shown() -> None:
    state = with_rows(100, page=10)
    old = answer(state, FLOWS, seq=2)
    asked = after(state, Action.ACTIVE)
    assert received(asked, old) is asked
    assert received(asked, answer(asked, FLOWS, seq=3)).snapshot is not state.snapshot


def test_an_older_window_of_the_same_rows_is_shown() -> None:
    state = with_rows(1000, page=20)
    old = answer(state, FLOWS, seq=2)
    moved = after(state, *[Action.PAGE_DOWN] * 4)
    assert moved.tag > state.tag
    assert received(moved, old).snapshot is old


def test_counter_resets_are_remembered_when_they_happen() -> None:
    state = with_rows(10)
    first = received(ViewState(), answer(ViewState(), FLOWS, seq=1, resets=5))
    assert first.reset_time is None  # somebody else's history
    state = received(state, answer(state, FLOWS, seq=9, resets=1))
    assert state.reset_time == 1700000009.0


def test_parts_of_a_window_become_one() -> None:
    whole = answer(with_rows(100, page=10), FLOWS)
    parts = [replace(whole, offset=at, rows=whole.rows[at : at + 40], more=at < 80) for at in (0, 40, 80)]
    part = None
    for each in parts:
        part = joined(part, each)
    assert part is not None
    assert part.rows == whole.rows
    assert part.offset == 0


def test_a_part_that_does_not_follow_begins_anew() -> None:
    whole = answer(with_rows(100, page=10), FLOWS)
    first = replace(whole, rows=whole.rows[:40], more=True)
    for stranger in (replace(whole, seq=2), replace(whole, tag=99), replace(whole, offset=90, rows=whole.rows[90:])):
        assert joined(first, stranger) is stranger


def test_a_smaller_screen_keeps_the_cursor_on_it() -> None:
    state = after(with_rows(100, page=20), *[Action.DOWN] * 15)
    small = fitted(state, page=5, sort_choices=(), scroll_limit=0)
    assert small.offset <= small.cursor < small.offset + 5
    none = fitted(state, page=0, sort_choices=(), scroll_limit=0)
    assert none.page == 1


def test_a_larger_screen_shows_more_rows_at_the_end_too() -> None:
    state = after(with_rows(100, page=2), Action.END)
    large = fitted(state, page=19, sort_choices=(), scroll_limit=0)
    assert (large.offset, large.cursor) == (81, 99)


def test_a_screen_that_still_fits_is_the_very_same_state() -> None:
    state = fitted(with_rows(100, page=20), page=20, sort_choices=("rate",), scroll_limit=1)
    assert fitted(state, page=20, sort_choices=("rate",), scroll_limit=1) is state


def test_what_was_last_seen_stays_while_the_daemon_is_gone() -> None:
    state = with_rows(10)
    gone = lost(state, "it closed the connection")
    assert gone.trouble
    assert gone.snapshot is state.snapshot
    assert connected(gone, "router").trouble == ""


def test_a_complaint_is_shown_until_the_next_answer() -> None:
    state = complained(with_rows(10), "no such field")
    assert state.complaint == "no such field"
    assert received(state, answer(state, FLOWS, seq=2)).complaint == ""


def test_closed_flows_and_means_are_asked_for_by_keys() -> None:
    state = after(with_rows(3), Action.CLOSED)
    assert query_for(state).closed
    assert not query_for(after(state, Action.CLOSED)).closed
    asked = []
    for _press in range(4):
        state = after(state, Action.MEAN)
        asked.append(query_for(state).mean)
    assert asked == [2.0, 10.0, 40.0, 0.0]


def test_how_the_line_has_been_is_put_together_and_begins_anew_with_a_daemon_that_tells_it_again() -> None:
    state = with_rows(3)
    told = replace(answer(state, [flow(1)]), history=[[1.0, None, None], [2.0, 3.0, 4.0]])
    state = received(state, told)
    state = received(state, replace(told, history=[]))
    state = received(state, replace(told, history=[[3.0, 5.0, 5.0]], tag=-1))
    assert state.trend == ((1.0, None), (2.0, 7.0), (3.0, 10.0)), "also where the rows answer an older question"
    state = received(state, replace(told, history=[[2.5, 1.0, 1.0], [3.0, 5.0, 5.0]]))
    assert state.trend == ((1.0, None), (2.0, 7.0), (2.5, 2.0), (3.0, 10.0))


def test_the_history_in_the_first_part_of_a_window_is_not_lost() -> None:
    state = with_rows(3)
    whole = answer(state, [flow(1), flow(2)])
    first = replace(whole, rows=whole.rows[:1], more=True, history=[[1.0, 1.0, 1.0]])
    second = replace(whole, rows=whole.rows[1:], offset=1)
    assert joined(joined(None, first), second).history == [[1.0, 1.0, 1.0]]


def ranked(state: ViewState, first: int, seq: int) -> ViewState:
    """After a tick at which flow number 1 stands at place `first` of 300 by its rate."""
    table = [flow(number) for number in range(2, 301)]
    table.insert(first, flow(1))
    for place, each in enumerate(table):
        each |= {"orig_rate": 1e6 - place, "reply_rate": 0.0}
    return received(state, answer(state, table, seq=seq))


def test_a_screen_that_follows_goes_where_the_selected_row_is_and_no_further_than_needed() -> None:
    state = MOVES[Action.FOLLOW](MOVES[Action.HOME](with_rows(300, page=10)))
    assert state.pinned == "1"
    for seq, (place, offset) in enumerate([(5, 0), (12, 3), (40, 31), (20, 20), (0, 0)], 2):
        state = ranked(state, place, seq)
        assert (state.cursor, state.offset) == (place, offset)
        assert state.selected == place


def test_a_screen_that_does_not_follow_stays() -> None:
    state = MOVES[Action.DOWN](with_rows(300, page=10))
    assert ranked(MOVES[Action.UP](state), 40, 2).offset == 0


def test_the_daemon_is_told_which_flow_is_followed_only_while_it_is() -> None:
    state = MOVES[Action.HOME](with_rows(300, page=10))
    assert query_for(state).follow == ""
    following = MOVES[Action.FOLLOW](state)
    assert query_for(following).follow == "1"
    assert following.epoch == state.epoch
    assert query_for(MOVES[Action.DOWN](following)).follow == "2"
    assert query_for(MOVES[Action.REVERSE](following)).follow == "1"
    assert query_for(MOVES[Action.HOLD](following)).follow == ""
    assert query_for(MOVES[Action.FOLLOW](following)).follow == ""


def test_a_window_that_the_daemon_has_moved_is_taken_as_the_place_to_be() -> None:
    state = MOVES[Action.FOLLOW](MOVES[Action.HOME](with_rows(300, page=10)))
    table = [flow(number, orig_rate=300.0 - place, reply_rate=0.0) for place, number in enumerate(range(2, 301))]
    table.insert(200, flow(1, orig_rate=100.5, reply_rate=0.0))
    whole = snapshot_for(replace(query_for(state), offset=0, limit=None), table, 2, STATUS, 1.0)
    state = received(state, replace(whole, offset=150, rows=whole.rows[150:246]))
    assert (state.cursor, state.selected, state.waiting) == (200, 200, False)
    assert state.offset <= 200 < state.offset + state.page
    assert state.window_offset <= state.offset
    assert query_for(state).offset == state.window_offset
