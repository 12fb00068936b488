from dataclasses import replace

import pytest

from flowtop_client.tui.layout import new_tab
from flowtop_client.view_state.moves import MOVES, Action, received
from flowtop_client.view_state.state import ALL_PROTOCOLS, ViewState
from flowtopd.wire.messages import View
from tests.flowtop_client.scripted_daemon import Flow, flow, made_up
from tests.flowtop_client.states import FIELDS, answer


def start(flows: list[Flow], view: View = View.PROCESSES, **values: object) -> ViewState:
    state = ViewState(fields=FIELDS, page=20, protocols=ALL_PROTOCOLS, view=view)
    state = replace(state, **values)  # type: ignore[arg-type]
    return received(state, answer(state, flows))


def lines(state: ViewState, width: int = 120) -> list[str]:
    tab = new_tab()
    tab.fit(state, width, state.page)
    drawn = [tab.titles(state), tab.total(state), *tab.body(state, width)]
    return ["".join(text for _, text in line) for line in drawn]


def test_an_unknown_group_steps_back_and_a_share_stands_out() -> None:
    state = start([flow(1, process="sshd", pid=1), flow(2, attribution="forwarded")])
    tab = new_tab()
    tab.fit(state, 200, 20)
    styles = {text.strip(): style for style, text in tab.body(state, 200)[1]}
    assert styles["(forwarded for others)"] == "class:dim"
    assert styles["33% ██"] == "class:share"
    assert styles["1.50M"] == "class:rate"


def test_the_total_is_the_sum_and_says_nothing_where_there_is_none() -> None:
    _, total, *_ = lines(start(made_up(50)))
    assert total.split()[:3] == ["total", "50", "100%"]
    assert "-" not in total


def test_the_total_of_other_rows_is_not_shown() -> None:
    state = MOVES[Action.ACTIVE](start(made_up(50)))
    assert lines(state)[1] == "…"


def test_rows_that_are_on_their_way_are_not_those_of_another_view() -> None:
    state = MOVES[Action.HOSTS](start(made_up(50)))
    titles, total, *body = lines(state)
    assert titles.startswith("HOST")
    assert total == "…"
    assert set(body) == {"…"}


@pytest.mark.parametrize("view", [view for view in View if view is not View.FLOWS])
def test_the_sort_keys_reach_every_column_that_can_be_sorted(view: View) -> None:
    state = start(made_up(50), view)
    choices, _ = new_tab().fit(state, 300, 20)
    assert "" not in choices
    assert {"flows", "rate", "bytes"} <= set(choices)
    for choice in choices:
        titles = lines(replace(state, sort=choice), 300)[0]
        assert titles.count("▼") == 1


def test_the_columns_stand_still_while_a_filter_is_typed() -> None:
    tab = new_tab()
    state = start(made_up(50))
    tab.fit(state, 120, 20)
    before = tab.titles(state)
    state = replace(state, filter="xyz", epoch=5, tag=5)
    state = received(state, answer(state, [flow(1, process="xyz")]))
    tab.fit(state, 120, 20)
    assert tab.titles(state) == before
