from flowtop_client.view_state.moves import MOVES, Action
from flowtop_client.view_state.state import ViewState
from flowtop_client.view_state.theme import Theme


def test_one_theme_follows_the_other_until_the_first_is_on_again() -> None:
    state, seen = ViewState(), []
    for _ in Theme:
        state = MOVES[Action.THEME](state)
        seen.append(state.theme)
    assert sorted(seen) == sorted(Theme)
    assert state == ViewState()
