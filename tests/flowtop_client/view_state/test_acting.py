from dataclasses import replace
from typing import Any

import pytest

from flowtop_client.view_state import acting
from flowtop_client.view_state.acting import acted, called, noticed, unnoticed
from flowtop_client.view_state.looking import detailed
from flowtop_client.view_state.moves import MOVES, Action, lost, received
from flowtop_client.view_state.state import Mode, ProtocolGroup, ViewState
from flowtopd.wire.messages import Delete, Detail, Kill, Replay, View
from tests.flowtop_client.scripted_daemon import Flow, flow
from tests.flowtop_client.states import answer, with_rows

DEEDS = [(Action.DELETE, Delete("1")), (Action.END_FLOW, Kill("1"))]


def state_of(*flows: Flow, may: tuple[str, ...] = ("act",), **values: Any) -> ViewState:
    state = replace(with_rows(0), may=may, **values)
    return received(state, answer(state, list(flows)))


def told(state: ViewState) -> str:
    assert state.notice is not None
    assert not state.notice.good
    assert state.act is None
    assert not state.orders
    return state.notice.text


@pytest.mark.parametrize(("key", "message"), DEEDS)
def test_a_deed_is_asked_for_and_done_only_after_a_yes(key: Action, message: Delete | Kill) -> None:
    asked = MOVES[key](state_of(flow(1)))
    assert asked.mode is Mode.CONFIRM
    assert not asked.orders
    refused = MOVES[Action.REFRAIN](asked)
    assert (refused.mode, refused.act, refused.orders) == (Mode.ROWS, None, ())
    done = MOVES[Action.CONFIRM](asked)
    assert (done.mode, done.orders) == (Mode.ROWS, (message,))
    assert MOVES[Action.CONFIRM](done) is done
    assert MOVES[Action.REFRAIN](done) is done


def test_the_question_stands_wherever_the_cursor_goes() -> None:
    asked = MOVES[Action.DELETE](state_of(flow(1), flow(2)))
    asked = received(asked, answer(asked, [flow(2), flow(1, orig_rate=0.0)], seq=7))
    assert MOVES[Action.CONFIRM](asked).orders == (Delete("1"),)


@pytest.mark.parametrize(("key", "message"), DEEDS)
def test_in_the_details_it_is_their_flow_that_is_meant(key: Action, message: Delete | Kill) -> None:
    state = MOVES[Action.OPEN](state_of(flow(1), flow(2)))
    assert MOVES[key](state).act is None  # nothing is known of it yet
    state = detailed(state, Detail("1", flow(1), {}, []))
    state = received(state, answer(state, [flow(2)], seq=7))
    assert MOVES[Action.CONFIRM](MOVES[key](state)).orders == (message,)


def test_the_answer_is_told_for_a_while_and_then_another_deed_may_be_asked_for() -> None:
    state = MOVES[Action.CONFIRM](MOVES[Action.DELETE](state_of(flow(1))))
    assert MOVES[Action.DELETE](state).notice is not None
    state = acted(replace(state, orders=()), "tcp: its entry\x1b is deleted", good=True)
    assert state.notice is not None
    assert state.notice.text == "tcp: its entry? is deleted"
    state = unnoticed(state)
    assert state.notice is None
    assert MOVES[Action.DELETE](state).mode is Mode.CONFIRM


@pytest.mark.parametrize("key", [Action.DELETE, Action.END_FLOW])
def test_who_may_not_is_told_why(key: Action) -> None:
    assert told(MOVES[key](state_of(flow(1), may=("update",)))) == acting.NO_RIGHT
    recording = state_of(flow(1))
    assert recording.snapshot is not None
    replay = Replay(1.0, 2.0, 1.0, paused=False, ended=False)
    recording = replace(recording, snapshot=replace(recording.snapshot, replay=replay))
    assert told(MOVES[key](recording)) == acting.NO_KERNEL


@pytest.mark.parametrize("values", [{"proto": "udp"}, {"direction": "forwarded"}])
def test_what_is_no_tcp_connection_of_this_machine_ends_with_its_entry(values: Flow) -> None:
    state = state_of(flow(1, **values), protocols=frozenset({ProtocolGroup.TCP, ProtocolGroup.UDP}))
    assert MOVES[Action.CONFIRM](MOVES[Action.END_FLOW](state)).orders == (Delete("1"),)


def test_what_cannot_be_done_to_this_flow_is_not_asked_for() -> None:
    assert told(MOVES[Action.DELETE](state_of(flow(1, closed=True)))) == acting.GONE
    assert told(MOVES[Action.DELETE](replace(state_of(flow(1)), view=View.HOSTS))) == acting.NO_FLOW
    gone = MOVES[Action.OPEN](state_of(flow(1)))
    gone = detailed(detailed(gone, Detail("1", flow(1), {}, [])), Detail("1", None))
    assert told(MOVES[Action.DELETE](gone)) == acting.GONE


def test_rows_that_are_not_here_are_nobody() -> None:
    for state in (state_of(), MOVES[Action.UDP](state_of(flow(1)))):
        assert MOVES[Action.DELETE](state) is state


def test_a_daemon_that_goes_leaves_nothing_under_way() -> None:
    asked = MOVES[Action.DELETE](state_of(flow(1)))
    assert lost(MOVES[Action.CONFIRM](asked), "gone").act is None
    assert MOVES[Action.CONFIRM](replace(asked, trouble="gone")).orders == ()


def test_leaving_the_details_takes_the_question_along_but_not_the_deed() -> None:
    state = detailed(MOVES[Action.OPEN](state_of(flow(1))), Detail("1", flow(1), {}, []))
    asked = MOVES[Action.DELETE](state)
    assert MOVES[Action.LEAVE](asked).act is None
    assert MOVES[Action.LEAVE](MOVES[Action.CONFIRM](asked)).act is not None


def test_a_flow_is_called_by_its_ends_and_its_process() -> None:
    assert called(flow(1, process="evil\x1b", pid=11)) == "tcp 10.0.0.1:40001 > 192.0.2.2:443, evil?[11]"
    assert called(flow(1, src="::1", dst="::2", sport=None)) == "tcp ::1 > [::2]:443"
    assert called({}) == "- - > -"


def test_a_notice_is_told_and_goes() -> None:
    state = noticed(state_of(flow(1)), "said")
    assert state.notice is not None
    assert unnoticed(state).notice is None
