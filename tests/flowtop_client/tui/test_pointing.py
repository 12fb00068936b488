from dataclasses import replace

import pytest

from flowtop_client.tui.key_bindings import HELP
from flowtop_client.tui.layout import new_tab, regions, screen
from flowtop_client.tui.pointing import clicked, wheeled
from flowtop_client.tui.tabs.tab import Tab
from flowtop_client.view_state.choosing import Choose
from flowtop_client.view_state.moves import MOVES, Action, fitted, received
from flowtop_client.view_state.state import ViewState
from flowtopd.wire.messages import View
from tests.flowtop_client.scripted_daemon import made_up
from tests.flowtop_client.states import answer, with_rows

SIZES = [(60, 10), (80, 24), (120, 24), (200, 50), (80, 6), (80, 4)]


def on_screen(state: ViewState, size: tuple[int, int]) -> tuple[ViewState, Tab, list[str]]:
    tab, (width, height) = new_tab(), size
    page = regions(height, state).page
    choices, limit = tab.fit(state, width, page)
    state = fitted(state, page=page, sort_choices=choices, scroll_limit=limit, offered=tab.offered)
    tab.fit(state, width, page)
    lines = ["".join(text for _, text in line) for line in screen(state, tab, HELP, width, height, now=0.0)]
    return state, tab, lines


def grouped() -> ViewState:
    state = MOVES[Action.PROCESSES](with_rows(50))
    return received(state, answer(state, made_up(200), seq=9))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("view", [View.FLOWS, View.PROCESSES])
def test_a_click_on_a_row_selects_what_is_drawn_there(view: View, size: tuple[int, int]) -> None:
    state, tab, lines = on_screen(with_rows(50, offset=7) if view is View.FLOWS else grouped(), size)
    for y, line in enumerate(lines):
        after = clicked(state, tab, size, (3, y))
        if after.cursor != state.cursor and after.sort == state.sort and not after.outdated:
            new, _, redrawn = on_screen(after, size)
            assert new.pinned == new.key(after.cursor)
            assert redrawn[y].split()[:1] == line.split()[:1]
            assert clicked(after, tab, size, (3, y)).path != () or view is View.FLOWS
    rows = range(state.offset, state.offset + min(state.page, state.total))
    reached = {clicked(state, tab, size, (0, y)).cursor for y in range(size[1])}
    assert reached >= set(rows) - {state.cursor}


@pytest.mark.parametrize("size", SIZES)
def test_a_click_on_a_title_sorts_by_it_and_again_the_other_way_round(size: tuple[int, int]) -> None:
    state, tab, lines = on_screen(with_rows(50), size)
    y = next(y for y, line in enumerate(lines) if "PROTO " in line)
    x = lines[y].index("ADDRESS")
    after = clicked(state, tab, size, (x, y))
    assert (after.sort, after.descending) == ("dst", False)
    assert clicked(after, tab, size, (x, y)).descending
    assert not clicked(state, tab, size, (lines[y].index("RATE▼"), y)).descending
    assert clicked(state, tab, size, (size[0] + 5, y)) is state


@pytest.mark.parametrize("width", [20, 60, 80, 120, 200])
def test_a_click_on_a_tab_goes_to_it(width: int) -> None:
    size = (width, 24)
    state, tab, lines = on_screen(with_rows(50), size)
    for number, view in enumerate(View):
        x = lines[2].find(str(number + 1))
        if x >= 0:
            assert clicked(state, tab, size, (x, 2)).view is view
    assert clicked(state, tab, size, (width - 1, 2)).view in {View.FLOWS, View.CONTAINERS, View.PROCESSES}


def test_the_wheel_scrolls_and_the_selected_row_stays_as_long_as_it_is_seen() -> None:
    state, _, _ = on_screen(with_rows(100, offset=20), (80, 24))
    state = replace(state, cursor=25)
    down = wheeled(state, 1)
    assert (down.offset, down.cursor) == (23, 25)
    assert wheeled(down, 1).cursor == 26
    assert wheeled(down, -1).offset == 20
    for _ in range(200):
        down = wheeled(down, 1)
    assert down.offset + down.page == 100
    assert wheeled(down, 1) is down


def test_the_wheel_scrolls_the_help_and_the_columns_and_a_click_there_means_nothing() -> None:
    state, tab, _ = on_screen(with_rows(50), (80, 24))
    choosing = MOVES[Choose.OPEN](state)
    down = wheeled(choosing, 1)
    assert down.chooser is not None
    assert down.chooser.at == 1
    assert wheeled(down, -1) == choosing
    helped = MOVES[Action.HELP](state)
    helped = fitted(helped, page=19, sort_choices=(), scroll_limit=0, help_texts=tuple("abcdefgh"), help_page=2)
    rolled = wheeled(helped, 1)
    assert rolled.help is not None
    assert rolled.help.line == 3
    assert rolled.cursor == helped.cursor
    for other in (choosing, helped):
        assert clicked(other, tab, (80, 24), (3, 8)) is other


def test_while_a_filter_is_typed_a_click_selects_and_opens_nothing() -> None:
    size = (80, 24)
    state, tab, lines = on_screen(MOVES[Action.FILTER](grouped()), size)
    y = 6
    after = clicked(state, tab, size, (3, y))
    assert after.cursor == 1
    assert clicked(after, tab, size, (3, y)) is after
    assert clicked(state, tab, size, (lines[2].index("4"), 2)) is state
