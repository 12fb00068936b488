from dataclasses import replace

import pytest

from flowtop_client.tui.tabs.flows import FlowsTab
from flowtop_client.view_state.moves import received
from flowtop_client.view_state.state import ALL_PROTOCOLS, ViewState
from tests.flowtop_client.scripted_daemon import Flow, flow
from tests.flowtop_client.states import FIELDS, answer


def styles(values: Flow) -> dict[str, str]:
    """The style of every text of a flow's row, which is the second one: the first is selected."""
    state = ViewState(fields=FIELDS, page=2, protocols=ALL_PROTOCOLS, sort="mark")
    state = received(state, answer(state, [flow(1), values]))
    tab = FlowsTab()
    tab.fit(state, 200, 2)
    return {text.strip(): style for style, text in tab.body(state, 200)[1]}


@pytest.mark.parametrize(
    ("values", "text", "style"),
    [
        ({"state": "SYN_SENT"}, "SYN_SENT", "class:state.opening"),
        ({"state": "TIME_WAIT"}, "TIME_WAIT", "class:dim"),
        ({"state": "ESTABLISHED"}, "ESTABLISHED", ""),
        ({"orig_rate": 7.0, "reply_rate": 0.0}, "7", "class:rate"),
        ({"orig_rate": 0.0, "reply_rate": 0.0, "orig_bytes": 5}, "0", "class:dim"),
        ({"state": None}, "-", "class:dim"),
        ({"dst_name": "example.com"}, "example.com", "class:name"),
    ],
)
def test_what_matters_stands_out_and_what_is_idle_or_unknown_steps_back(values: Flow, text: str, style: str) -> None:
    assert styles(flow(2, **values))[text] == style


def test_a_closed_flow_steps_back_as_a_whole() -> None:
    assert set(styles(flow(2, closed=True)).values()) == {"class:dim"}


def test_before_the_first_snapshot_the_tab_says_that_it_waits() -> None:
    tab = FlowsTab()
    tab.fit(ViewState(), 80, 10)
    assert "waiting" in "".join(text for line in tab.body(ViewState(), 80) for _, text in line)


@pytest.mark.parametrize("sort", ["pid", "dst_country", "nat", "timeout", "orig_packets"])
def test_the_sorted_column_stays_where_others_like_it_give_way(sort: str) -> None:
    tab = FlowsTab()
    state = ViewState(fields=FIELDS, page=2)
    state = received(state, answer(state, [flow(1, dst="2001:db8:1234:5678:9abc:def0:1234:5678")]))
    assert sort not in tab.fit(state, 80, 2)[0]
    state = replace(state, sort=sort, epoch=2)
    assert sort in tab.fit(state, 80, 2)[0]
