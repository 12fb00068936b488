from dataclasses import replace
from typing import Any

import pytest

from flowtop_client.view_state.moves import complained, heard, lost, received
from flowtop_client.view_state.place import Crumb
from flowtop_client.view_state.problems import RESET_SHOWN_S, empty_reason, problems
from flowtop_client.view_state.state import ALL_PROTOCOLS, ProtocolGroup, ViewState
from flowtopd.wire.messages import Events, Family, Replay, View
from tests.flowtop_client.scripted_daemon import flow
from tests.flowtop_client.states import answer, with_rows

NOW = 1000.0
"""The time on the viewer's clock at which every state here was heard of."""


def seen(rows: int = 10, state: ViewState | None = None, **status: Any) -> ViewState:
    state = state or ViewState(heard=NOW)
    return received(state, answer(state, [flow(number) for number in range(1, rows + 1)], **status))


def test_nothing_is_said_when_all_is_well() -> None:
    assert problems(ViewState(heard=NOW), NOW) == ()
    assert problems(seen(), NOW) == ()
    assert problems(seen(flows=200_000, max=None), NOW) == ()


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ({"accounting": False}, "accounting is off"),
        ({"flows": 0, "matched": 0, "tracking": False}, "flowtopd --activate"),
        ({"pace": 4.2, "tick_seconds": 2.1}, "a tick takes 2.1 s: updates every 4.2 s instead of 1 s"),
        ({"flows": 951, "max": 1000}, "the table is 95 % full"),
        ({"events": Events.OVERLOADED}, "too fast to be followed one by one"),
    ],
)
def test_a_state_of_the_kernel_that_needs_attention_is_said(status: dict[str, Any], words: str) -> None:
    (said,) = problems(seen(**status), NOW)
    assert words in said


@pytest.mark.parametrize(
    "status",
    [
        {"pace": 1.04},
        {"pace": 0.1},
        {"flows": 900, "max": 1000},
        {"tracking": None},
        {"flows": 0, "matched": 0, "tracking": None},
    ],
)
def test_what_is_nearly_wrong_is_not_said(status: dict[str, Any]) -> None:
    assert problems(seen(**status), NOW) == ()


def test_the_most_important_comes_first() -> None:
    state = seen(accounting=False, pace=9.0, flows=1000, max=1000)
    state = lost(complained(replace(state, reset_time=1700000001.0), "no such field"), "it closed the connection")
    order = ["daemon gone: it closed the connection", "no such field", "accounting", "a tick", "resets", "full"]
    for words, said in zip(order, problems(state, NOW), strict=True):
        assert words in said


def test_a_reset_is_mentioned_for_a_while() -> None:
    now = 1700000001.0
    assert "resets the counters" in problems(replace(seen(), reset_time=now - RESET_SHOWN_S), NOW)[0]
    assert problems(replace(seen(), reset_time=now - RESET_SHOWN_S - 1), NOW) == ()


def test_text_from_the_other_side_is_cleaned() -> None:
    assert "\x1b" not in problems(lost(ViewState(heard=NOW), "\x1b[2J"), NOW)[0]


@pytest.mark.parametrize(
    ("state", "status", "words"),
    [
        (ViewState(heard=NOW), {"flows": 0, "tracking": False}, "no firewall rule"),
        (ViewState(heard=NOW), {"flows": 0, "tracking": True}, "holds no connection yet"),
        (ViewState(heard=NOW), {"flows": 12}, "None of the 12 flows in the table is TCP."),
        (ViewState(active=True), {"flows": 12}, "a shows idle flows too"),
        (ViewState(families=(Family.IPV6,)), {"flows": 12}, "TCP over IPv6"),
        (ViewState(protocols=frozenset()), {"flows": 12}, "No protocol is chosen."),
        (ViewState(protocols=ALL_PROTOCOLS), {"flows": 12}, "--loopback"),
        (ViewState(protocols=frozenset({ProtocolGroup.UDP, ProtocolGroup.TCP})), {"flows": 12}, "TCP or UDP"),
    ],
)
def test_an_empty_table_says_why_and_what_helps(state: ViewState, status: dict[str, Any], words: str) -> None:
    assert words in "\n".join(empty_reason(seen(0, state, matched=0, **status)))


def test_before_the_first_answer_there_is_nothing_to_explain() -> None:
    assert "waiting" in empty_reason(ViewState(heard=NOW))[0]


def test_a_full_table_has_no_reason_to_be_empty() -> None:
    assert with_rows(3).total == 3


def silent(now: float, *, interval: float = 1.0, pace: float = 1.0, **values: Any) -> list[str]:
    """What is said at `now` about the silence of a daemon that was heard at 100."""
    state = replace(seen(pace=pace, tick_seconds=0.1), interval=interval, heard=100.0, **values)
    return [said for said in problems(state, now) if "no news" in said]


@pytest.mark.parametrize(
    ("interval", "pace", "patience"), [(1.0, 1.0, 5.0), (0.1, 0.1, 5.0), (10.0, 1.0, 30.0), (1.0, 4.0, 12.0)]
)
def test_a_daemon_that_is_silent_for_three_paces_and_five_seconds_is_said(
    interval: float, pace: float, patience: float
) -> None:
    assert silent(100 + patience - 0.1, interval=interval, pace=pace) == []
    assert silent(100 + patience, interval=interval, pace=pace) == [f"no news for {patience:.0f} s"]
    assert silent(172.4, interval=interval, pace=pace) == ["no news for 72 s"]


def test_silence_is_none_while_paused_or_without_a_daemon() -> None:
    assert silent(1000.0, paused=True) == []
    assert silent(1000.0, trouble="it closed the connection") == []


def test_a_daemon_that_never_sent_a_snapshot_is_silent_too() -> None:
    assert problems(heard(ViewState(), 100.0), 106.0) == ("no news for 6 s",)


def test_a_filter_that_matches_nothing_says_what_it_chose_from_and_how_to_get_rid_of_it() -> None:
    state = seen(state=replace(ViewState(), filter="udp", active=True))
    assert empty_reason(state) == (
        "None of the active TCP flows matches the filter.",
        "\\ takes it away, / changes it.",
    )
    everything = replace(state, protocols=ALL_PROTOCOLS, active=False)
    assert empty_reason(everything)[0] == "None of the flows matches the filter."


def test_a_group_that_is_gone_says_the_way_back() -> None:
    crumb = Crumb(View.PROCESSES, "evil\x1b[11]", "pid 11", "", ())
    state = seen(state=replace(ViewState(), path=(crumb,)))
    assert empty_reason(state) == ("There is nothing of evil?[11] any more.", "Esc goes back.")
    assert empty_reason(replace(state, filter="udp"))[0] == "None of the TCP flows of evil?[11] matches the filter."


def test_a_view_of_places_without_geoip_says_how_to_switch_it_on() -> None:
    assert empty_reason(ViewState(view=View.COUNTRIES, geoip=False))[1] == "G switches them on."


def test_a_recording_that_ends_before_it_should_says_why_at_its_end() -> None:
    state = seen()
    assert state.snapshot is not None
    replay = Replay(position=3.0, duration=3.0, speed=1.0, paused=False, ended=True, trouble="broken at byte 7")
    for shown, said in ((replay, ("broken at byte 7",)), (replace(replay, ended=False), ())):
        assert problems(replace(state, snapshot=replace(state.snapshot, replay=shown)), NOW) == said
