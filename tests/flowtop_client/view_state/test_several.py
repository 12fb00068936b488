"""What a viewer of several hosts makes of their rows, rights and troubles."""

from dataclasses import fields, replace

import pytest

from flowtop_client.several import HOST_FIELD, Member, Merged, at_host, split
from flowtop_client.view_state import acting
from flowtop_client.view_state.looking import watched
from flowtop_client.view_state.moves import MOVES, Action, lost, mustered, received
from flowtop_client.view_state.problems import problems
from flowtop_client.view_state.state import ViewState
from flowtopd.wire.messages import Kill, Snapshot
from tests.flowtop_client.scripted_daemon import STATUS, flow
from tests.flowtop_client.states import answer, with_rows

HOSTS = (Member("router"), Member("ap", may=("act",)))


def of_both(state: ViewState) -> Snapshot:
    """One flow at both hosts."""
    one = answer(state, [flow(1)])
    values = {field.name: getattr(one, field.name) for field in fields(one)}
    rows = [["router", *one.rows[0]], ["ap", *one.rows[0]]]
    values |= {"fields": (HOST_FIELD, *one.fields), "rows": rows, "status": replace(STATUS, flows=2, matched=2)}
    return Merged(**values, hosts=(("router", STATUS), ("ap", replace(STATUS, accounting=False))))


@pytest.fixture
def state() -> ViewState:
    state = mustered(with_rows(0), HOSTS)
    return received(state, of_both(state))


def test_a_name_is_split_as_it_was_made() -> None:
    assert split(at_host("9f3c", "alice@router:22")) == ("9f3c", "alice@router:22")
    assert split("9f3c") == ("9f3c", "")


def test_flows_of_one_id_at_two_hosts_are_two(state: ViewState) -> None:
    assert [state.key(index) for index in (0, 1)] == ["1@router", "1@ap"]
    chosen = MOVES[Action.DOWN](state)
    assert chosen.pinned == "1@ap"
    assert watched(MOVES[Action.OPEN](chosen)) == "1@ap"
    kept = MOVES[Action.HOLD](chosen)
    assert received(kept, of_both(kept)).key(1) == "1@ap"


def test_rights_are_those_at_the_host_of_the_flow(state: ViewState) -> None:
    assert state.may == ("act",)
    refused = MOVES[Action.END_FLOW](state)
    assert refused.notice is not None
    assert refused.notice.text == acting.NO_RIGHT
    asked = MOVES[Action.END_FLOW](MOVES[Action.DOWN](state))
    assert asked.act is not None
    assert asked.act.flow.startswith("ap: tcp 10.0.0.1:")
    assert MOVES[Action.CONFIRM](asked).orders == (Kill("1@ap"),)


def test_what_is_wrong_is_said_with_the_host_where_it_is(state: ViewState) -> None:
    (said,) = problems(state, state.heard)
    assert said.startswith("ap: accounting is off")
    state = mustered(state, (replace(HOSTS[0], trouble="gone: it broke\x1b: reconnecting…"), HOSTS[1]))
    assert problems(state, state.heard)[0] == "router gone: it broke?: reconnecting…"


def test_a_daemon_that_nobody_looks_for_any_more_is_said() -> None:
    state = lost(ViewState(), "router: Permission denied", forever=True)
    assert problems(state, 0.0) == ("daemon gone: start flowtop again: router: Permission denied",)
