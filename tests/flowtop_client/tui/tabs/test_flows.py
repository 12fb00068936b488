from dataclasses import replace

import pytest

from flowtop_client.tui.layout import new_tab
from flowtop_client.view_state.moves import MOVES, Action, received
from flowtop_client.view_state.state import ALL_PROTOCOLS, ViewState
from tests.flowtop_client.scripted_daemon import Flow, flow
from tests.flowtop_client.states import FIELDS, answer


def styles(values: Flow) -> dict[str, str]:
    """The style of every text of a flow's row, which is the second one: the first is selected."""
    state = ViewState(fields=FIELDS, page=2, protocols=ALL_PROTOCOLS, sort="mark")
    state = received(state, answer(state, [flow(1), values]))
    tab = new_tab()
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
        ({"process": "firefox"}, "firefox", "class:name"),
        ({"device": "tv"}, "tv", "class:name"),
        ({"attribution": "exited"}, "(exited)", "class:dim"),
        ({"attribution": "no-permission"}, "(denied)", "class:dim"),
    ],
)
def test_what_matters_stands_out_and_what_is_idle_or_unknown_steps_back(values: Flow, text: str, style: str) -> None:
    assert styles(flow(2, **values))[text] == style


def test_a_closed_flow_steps_back_as_a_whole() -> None:
    assert set(styles(flow(2, closed=True)).values()) == {"class:dim"}


def test_before_the_first_snapshot_the_tab_says_that_it_waits() -> None:
    tab = new_tab()
    tab.fit(ViewState(), 80, 10)
    assert "waiting" in "".join(text for line in tab.body(ViewState(), 80) for _, text in line)


@pytest.mark.parametrize(
    "sort", ["pid", "dst_country", "nat", "timeout", "orig_packets", "device", "dst_org", "direction", "unit"]
)
def test_the_sorted_column_stays_where_others_like_it_give_way(sort: str) -> None:
    tab = new_tab()
    state = ViewState(fields=FIELDS, page=2)
    state = received(state, answer(state, [flow(1, dst="2001:db8:1234:5678:9abc:def0:1234:5678")]))
    assert sort not in tab.fit(state, 80, 2)[0]
    state = replace(state, sort=sort, epoch=2)
    assert sort in tab.fit(state, 80, 2)[0]


def titles(state: ViewState, width: int = 200) -> str:
    tab = new_tab()
    tab.fit(state, width, state.page)
    return "".join(text for _, text in tab.titles(state))


def body(state: ViewState, width: int = 200) -> str:
    tab = new_tab()
    tab.fit(state, width, state.page)
    return "\n".join("".join(text for _, text in line) for line in tab.body(state, width))


def test_without_names_and_geoip_the_screen_shows_none_although_they_are_still_here() -> None:
    state = ViewState(fields=FIELDS, page=2, source=True)
    named = flow(1, dst_name="example.com", src_name="laptop.lan", dst_country="US", dst_org="EDGECAST")
    state = received(state, answer(state, [named]))
    assert {"example.com", "laptop.lan", "US", "EDGECAST"} <= set(body(state).split())
    nameless = MOVES[Action.NAMES](state)
    assert nameless.snapshot is state.snapshot
    assert {"192.0.2.2", "10.0.0.1", "US", "EDGECAST"} <= set(body(nameless).split())
    assert not {"example.com", "laptop.lan"} & set(body(nameless).split())
    placeless = MOVES[Action.GEOIP](state)
    assert {"example.com", "laptop.lan"} <= set(body(placeless).split())
    assert not {"US", "EDGECAST"} & set(body(placeless).split())
    assert not {"GEO", "NETWORK"} & set(titles(placeless).split())


@pytest.mark.parametrize("choice", ["user", "device", "direction", "dst_country", "dst_org", "unit", "container"])
def test_the_sort_keys_reach_every_column_that_is_shown(choice: str) -> None:
    values = {"user": "alice", "device": "tv", "direction": "outbound", "dst_country": "US"}
    values |= {"dst_org": "EDGECAST", "unit": "ssh.service", "container": "shop-db"}
    state = ViewState(fields=FIELDS, page=2)
    state = received(state, answer(state, [flow(1, **values)]))
    seen = set()
    state = replace(state, sort_choices=new_tab().fit(state, 300, 2)[0])
    for _ in state.sort_choices:
        state = MOVES[Action.SORT_RIGHT](state)
        seen.add(state.sort)
        assert "\u25b2" in titles(state, 300) or "\u25bc" in titles(state, 300)
    assert choice in seen
