from flowtop_client.view_state.taping import begun, grown, over
from tests.flowtop_client.states import with_rows


def test_a_recording_is_told_from_its_begin_to_its_end() -> None:
    state = begun(with_rows(1), "x.flowtop")
    assert state.notice is not None
    assert "x.flowtop" in state.notice.text
    state = grown(state, 2000, "")
    assert state.tape is not None
    assert state.tape.size_bytes == 2000
    state = over(state, 3, 2000, "")
    assert state.tape is None
    assert state.notice is not None
    assert (state.notice.text, state.notice.good) == ("recorded 3 snapshots, 2.00 kB: x.flowtop", True)


def test_what_ended_it_is_said() -> None:
    state = over(begun(with_rows(1), "x.flowtop"), 0, 0, "cannot record: disk full")
    assert state.notice is not None
    assert (state.notice.text, state.notice.good) == ("cannot record: disk full", False)


def test_where_none_runs_nothing_is_told() -> None:
    state = with_rows(1)
    assert grown(state, 1, "") is state
    assert over(state, 1, 1, "why") is state
