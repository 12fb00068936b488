from dataclasses import replace

import pytest

from flowtop_client.view_state.choosing import CHOICES, Choose
from flowtop_client.view_state.moves import MOVES, Action
from flowtop_client.view_state.state import Mode, ViewState, query_for
from tests.flowtop_client.states import with_rows

OFFERED = (("process", True), ("source", False), ("address", True), ("rate", True))


def after(*steps: Choose) -> ViewState:
    state = replace(with_rows(10), offered=OFFERED, skipped=2)
    for step in (Choose.OPEN, *steps):
        state = MOVES[step](state)
    return state


def test_what_is_kept_is_the_choice_of_this_view_alone() -> None:
    state = after(Choose.TOGGLE, Choose.KEEP)
    assert (state.chosen, state.chooser, state.skipped) == (("address", "rate"), None, 0)
    assert MOVES[Action.HOSTS](state).chosen == ()


def test_until_it_is_kept_nothing_changes_and_esc_leaves_all_as_it_was() -> None:
    state = after(Choose.LAST, Choose.EARLIER, Choose.TOGGLE, Choose.DOWN)
    assert (state.mode, state.chosen) == (Mode.COLUMNS, ())
    assert replace(MOVES[Choose.GIVE_UP](state)) == replace(with_rows(10), offered=OFFERED, skipped=2)


def test_the_automatic_choice_comes_back() -> None:
    state = after(Choose.TOGGLE, Choose.KEEP)
    assert MOVES[Choose.AUTOMATIC](MOVES[Choose.OPEN](state)).chosen == ()


def test_the_name_of_a_source_is_asked_for_where_its_column_is_chosen() -> None:
    assert "src_name" not in query_for(after(Choose.TOGGLE, Choose.KEEP)).fields
    assert "src_name" in query_for(after(Choose.DOWN, Choose.TOGGLE, Choose.KEEP)).fields


@pytest.mark.parametrize("choice", [choice for choice in Choose if choice is not Choose.OPEN])
def test_outside_of_the_chooser_its_keys_mean_nothing(choice: Choose) -> None:
    state = with_rows(10)
    assert CHOICES[choice](state) is state
