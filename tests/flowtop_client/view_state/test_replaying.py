from dataclasses import replace

import pytest

from flowtop_client.view_state.looking import detailed, watched
from flowtop_client.view_state.moves import MOVES, Action
from flowtop_client.view_state.replaying import NO_RECORDING
from flowtop_client.view_state.state import ViewState
from flowtopd.wire.messages import Detail, Replay, Seek
from tests.flowtop_client.states import with_rows


def replaying(*, paused: bool = False) -> ViewState:
    state = with_rows(5)
    assert state.snapshot is not None
    replay = Replay(20.0, 60.0, 1.0, paused=paused, ended=False)
    return replace(state, snapshot=replace(state.snapshot, replay=replay))


@pytest.mark.parametrize(
    ("key", "paused", "said"),
    [
        (Action.BACKWARD, False, Seek(seconds=-10.0)),
        (Action.FORWARD, False, Seek(seconds=10.0)),
        (Action.PAUSE, False, Seek(paused=True)),
        (Action.PAUSE, True, Seek(paused=False)),
    ],
)
def test_a_key_moves_the_recording_itself(key: Action, paused: bool, said: Seek) -> None:
    state = MOVES[key](replaying(paused=paused))
    assert state.orders == (said,)
    assert not state.paused


def test_keys_that_come_faster_than_they_are_told_are_all_told() -> None:
    assert len(MOVES[Action.FORWARD](MOVES[Action.FORWARD](replaying())).orders) == 2


def test_a_kernel_has_no_other_place_and_pauses_for_this_viewer_alone() -> None:
    for key in (Action.BACKWARD, Action.FORWARD):
        state = MOVES[key](with_rows(5))
        assert state.notice is not None
        assert state.notice.text == NO_RECORDING
        assert not state.orders
    paused = MOVES[Action.PAUSE](with_rows(5))
    assert paused.paused
    assert not paused.orders


def test_a_flow_that_is_gone_is_asked_for_again_at_another_place() -> None:
    state = detailed(MOVES[Action.OPEN](replaying()), Detail("1", None))
    assert watched(state) == ""
    assert watched(MOVES[Action.BACKWARD](state)) == "1"
