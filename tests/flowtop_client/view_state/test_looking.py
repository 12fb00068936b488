from dataclasses import replace

import pytest

from flowtop_client.view_state.looking import detailed, watched
from flowtop_client.view_state.moves import MOVES, Action, fitted, received
from flowtop_client.view_state.state import Mode, ViewState
from flowtopd.wire.messages import Detail, View
from tests.flowtop_client.scripted_daemon import flow
from tests.flowtop_client.states import answer, with_rows


def opened(**values: object) -> ViewState:
    state = MOVES[Action.OPEN](MOVES[Action.DOWN](with_rows(50, **values)))  # type: ignore[arg-type]
    return detailed(state, Detail("2", flow(2), {}, []))


def test_enter_on_a_flow_opens_its_details_and_asks_for_them() -> None:
    state = opened()
    assert state.mode is Mode.DETAILS
    assert watched(state) == "2"
    assert not state.waiting


@pytest.mark.parametrize("key", [Action.OPEN, Action.LEAVE, Action.BACK])
def test_three_keys_lead_back_to_the_very_place(key: Action) -> None:
    before = MOVES[Action.DOWN](with_rows(50, offset=20))
    state = MOVES[key](MOVES[Action.OPEN](before))
    assert state == before
    assert watched(state) == ""


def test_esc_leaves_the_help_before_the_details() -> None:
    state = MOVES[Action.HELP](opened())
    assert state.mode is Mode.HELP
    state = MOVES[Action.LEAVE](state)
    assert state.mode is Mode.DETAILS
    assert MOVES[Action.LEAVE](state).mode is Mode.ROWS


def test_rows_that_answer_another_question_open_nothing() -> None:
    state = MOVES[Action.UDP](with_rows(50))
    assert state.outdated
    assert MOVES[Action.OPEN](state) is state
    empty = with_rows(0)
    assert MOVES[Action.OPEN](empty) is empty


def test_enter_on_a_group_still_opens_its_flows() -> None:
    state = replace(with_rows(0), view=View.SERVICES, tag=2, epoch=2)
    state = received(state, answer(state, [flow(1, service="https", service_port=443)]))
    state = MOVES[Action.OPEN](state)
    assert state.details is None
    assert state.path


def test_keys_that_move_scroll_the_details_and_leave_the_cursor() -> None:
    state = fitted(opened(), page=10, sort_choices=(), scroll_limit=0, details_length=50, details_room=10)
    cursor = state.cursor
    lines = []
    for action in (Action.DOWN, Action.PAGE_DOWN, Action.END, Action.UP, Action.PAGE_UP, Action.HOME):
        state = MOVES[action](state)
        assert state.details is not None
        lines.append(state.details.line)
    assert lines == [1, 11, 40, 39, 29, 0]
    assert state.cursor == cursor


def test_the_details_follow_the_flow_until_it_is_gone_and_stay() -> None:
    state = opened()
    state = received(state, answer(state, [flow(number) for number in range(3, 50)], seq=5))
    state = detailed(state, Detail("2", None))
    assert state.details is not None
    assert state.details.gone
    assert state.details.detail is not None
    assert watched(state) == ""


def test_the_cursor_is_on_the_flow_that_was_looked_at_although_the_order_has_changed() -> None:
    state = opened()
    state = received(state, answer(state, [flow(2, orig_rate=1e9), *(flow(number) for number in range(3, 50))], seq=5))
    assert state.key(MOVES[Action.LEAVE](state).cursor) == "2"


def test_details_that_come_when_nobody_looks_any_more_change_nothing() -> None:
    state = with_rows(5)
    assert detailed(state, Detail("2", flow(2), {}, [])) is state
