from typing import Any

import pytest

from flowtop_client.view_state.moves import MOVES, Action, received
from flowtop_client.view_state.state import ViewState, query_for
from tests.flowtop_client.scripted_daemon import Flow, flow
from tests.flowtop_client.states import answer, with_rows

FLOWS = [flow(number) for number in range(1, 21)]


def ids(state: ViewState) -> list[str | None]:
    return [state.key(index) for index in range(state.total)]


def tick(state: ViewState, table: list[Flow], seq: int = 2) -> ViewState:
    return received(state, answer(state, table, seq=seq))


def fastest(number: int, **values: Any) -> list[Flow]:
    return [each | {"orig_rate": 1e9} | values if each["id"] == f"{number:x}" else each for each in FLOWS]


def test_rows_stay_while_their_values_change_until_the_order_is_let_go() -> None:
    state = MOVES[Action.HOLD](with_rows(20))
    before = ids(state)
    state = tick(state, fastest(15))
    assert ids(state) == before
    assert state.value(14, "orig_rate") == 1e9
    free = MOVES[Action.HOLD](state)
    assert ids(free)[0] == "f"  # at once: the order of the newest snapshot
    assert free.held is None


def test_a_new_flow_comes_at_the_end_and_one_that_is_gone_stays() -> None:
    state = MOVES[Action.HOLD](with_rows(20))
    state = tick(state, [*FLOWS[1:], flow(0x99, orig_rate=1e9)])
    assert (ids(state)[0], ids(state)[-1], state.total) == ("1", "99", 21)
    assert state.held is not None
    assert state.held.gone == {"1"}
    assert MOVES[Action.HOLD](state).total == 20


def test_the_whole_of_a_small_table_is_asked_for() -> None:
    assert query_for(MOVES[Action.HOLD](with_rows(20))).limit == 1000
    assert query_for(MOVES[Action.HOLD](with_rows(500))).limit == query_for(with_rows(500)).limit


def test_the_selected_row_is_the_same_one_all_along() -> None:
    state = MOVES[Action.HOLD](MOVES[Action.DOWN](with_rows(20)))
    state = tick(state, fastest(9))
    assert (state.cursor, state.pinned) == (1, "2")
    assert state.key(MOVES[Action.END](state).cursor) == "14"


@pytest.mark.parametrize(
    "action", [Action.REVERSE, Action.TCP, Action.ACTIVE, Action.HOSTS], ids=lambda action: action.value
)
def test_other_rows_or_another_order_let_it_go(action: Action) -> None:
    state = MOVES[action](MOVES[Action.HOLD](with_rows(20)))
    assert state.held is None
    state = tick(state, FLOWS)
    assert state.held is None


def test_what_is_asked_for_meanwhile_may_have_other_fields() -> None:
    state = MOVES[Action.SOURCE](MOVES[Action.HOLD](with_rows(20)))
    state = tick(state, fastest(15)[1:])
    assert ids(state)[0] == "1"
    assert state.value(0, "dst") == FLOWS[0]["dst"]


def test_an_end_of_a_long_table_can_still_be_reached() -> None:
    table = [flow(number) for number in range(1, 501)]
    state = MOVES[Action.END](MOVES[Action.HOLD](with_rows(500)))
    state = tick(state, table)
    assert (state.cursor, state.total) == (499, 500)
    assert all(state.key(index) for index in range(state.offset, state.offset + state.page))


def test_nothing_is_kept_while_nothing_is_here() -> None:
    state = ViewState()
    assert MOVES[Action.HOLD](state) is state
