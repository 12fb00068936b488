from typing import Any

import pytest

from flowtop_client.view_state.moves import MOVES, Action, received
from flowtop_client.view_state.newness import is_new
from flowtopd.wire.messages import View
from tests.flowtop_client.scripted_daemon import flow
from tests.flowtop_client.states import answer, with_rows


@pytest.mark.parametrize(
    ("values", "pace", "new"),
    [
        ({"duration": 0.0}, 1.0, True),
        ({"duration": 2.9}, 1.0, True),
        ({"duration": 3.0}, 1.0, False),
        ({"duration": 9.0}, 10.0, True),  # else it would never have been marked
        ({"duration": None}, 1.0, False),
        ({"duration": 0.5, "closed": True}, 1.0, False),
    ],
)
def test_a_flow_is_new_for_three_seconds_or_a_snapshot(values: dict[str, Any], pace: float, new: bool) -> None:
    state = with_rows(1)
    state = received(state, answer(state, [flow(1, **values)], seq=2, pace=pace))
    assert is_new(state, 0) is new


def test_groups_and_rows_that_are_not_here_are_never_new() -> None:
    state = with_rows(3)
    state = received(state, answer(state, [flow(1, duration=0.0)], seq=2))
    assert not is_new(state, 7)
    state = MOVES[Action.HOSTS](state)
    state = received(state, answer(state, [flow(1, duration=0.0)], seq=3))
    assert state.view is View.HOSTS
    assert not is_new(state, 0)
