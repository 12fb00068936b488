from dataclasses import replace

import pytest

from flowtop_client.several import Member
from flowtop_client.view_state.details_page import DetailsPage
from flowtop_client.view_state.looking import detailed
from flowtop_client.view_state.moves import MOVES, Action, connected, lost, mustered, received
from flowtop_client.view_state.pausing import GOING_ON, severed, stands_alone, thawed
from flowtop_client.view_state.problems import problems
from flowtop_client.view_state.state import ViewState, query_for
from flowtopd.wire.messages import Detail
from tests.flowtop_client.scripted_daemon import flow
from tests.flowtop_client.states import answer, with_rows

OTHERS = [flow(number, orig_rate=None, reply_rate=None) for number in range(1, 501)]


def back_again(state: ViewState) -> ViewState:
    return connected(lost(state, "it closed the connection"), "router")


def paused(rows: int = 500) -> ViewState:
    return MOVES[Action.PAUSE](with_rows(rows))


def test_rows_of_another_moment_are_not_shown_as_paused() -> None:
    state = back_again(paused())
    assert stands_alone(state)
    after = received(state, answer(state, OTHERS, seq=2))
    assert after.snapshot is state.snapshot
    assert after.paused
    assert thawed(state) is state


def test_its_own_daemon_may_answer_what_is_paused() -> None:
    state = paused()
    assert received(state, answer(state, OTHERS, seq=2)).snapshot is not state.snapshot


def test_who_has_not_paused_goes_on_with_the_new_daemon() -> None:
    state = back_again(with_rows(500))
    assert received(state, answer(state, OTHERS, seq=2)).snapshot is not state.snapshot
    waiting = MOVES[Action.PAUSE](ViewState())
    assert not stands_alone(back_again(waiting))  # nothing was seen that could stand still


def test_going_on_is_with_the_new_daemon() -> None:
    state = MOVES[Action.PAUSE](back_again(paused()))
    assert not query_for(state).paused
    assert received(state, answer(state, OTHERS, seq=2)).snapshot is not state.snapshot
    assert not stands_alone(MOVES[Action.PAUSE](state))


@pytest.mark.parametrize("action", [Action.UDP, Action.REVERSE, Action.END, Action.PROCESSES, Action.CLOSED])
def test_what_is_not_here_is_asked_of_the_new_daemon_and_that_is_said(action: Action) -> None:
    state = thawed(MOVES[action](back_again(paused())))
    assert not state.paused
    assert not query_for(state).paused
    assert state.notice is not None
    assert state.notice.text == GOING_ON


@pytest.mark.parametrize("action", [Action.DOWN, Action.PAGE_DOWN, Action.BITS, Action.NAMES, Action.HELP, Action.HOLD])
def test_what_needs_nothing_new_stands_still(action: Action) -> None:
    state = MOVES[action](back_again(paused()))
    assert thawed(state) is state
    assert received(state, answer(state, OTHERS, seq=2)).snapshot is state.snapshot


def test_as_long_as_there_is_no_daemon_nothing_goes_on() -> None:
    state = MOVES[Action.REVERSE](lost(back_again(paused()), "gone again"))
    assert thawed(state) is state
    assert not thawed(connected(state, "router")).paused


def test_details_that_are_here_stand_still_and_others_are_asked_for() -> None:
    known = Detail("1", flow(1))
    state = replace(paused(), details=DetailsPage("1", detail=known))
    state = back_again(state)
    assert thawed(state) is state
    assert detailed(state, Detail("1", None)) is state
    assert not thawed(replace(state, details=DetailsPage("2"))).paused


def test_a_host_among_several_that_goes_leaves_what_is_paused() -> None:
    hosts = (Member("router", ""), Member("ap", ""))
    state = mustered(paused(), hosts)
    state = replace(state, severed=False)
    gone = mustered(state, (hosts[0], Member("ap", "gone: reconnecting…")))
    assert stands_alone(gone)
    assert problems(gone, 0.0) == ("ap gone: reconnecting…", "this is from before a host went or came, Space goes on")
    assert not stands_alone(mustered(state, hosts))


def test_it_is_said_that_the_daemon_is_another_one() -> None:
    assert problems(back_again(paused()), 0.0) == (
        "the daemon was gone and is back: this is from before, Space goes on",
    )
    assert "daemon gone" in problems(lost(back_again(paused()), "why"), 0.0)[0]
    assert severed(with_rows(1)) == with_rows(1)
