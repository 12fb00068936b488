from dataclasses import replace
from typing import Any

import pytest

from flowtop_client.view_state.filtering import line_opened, typed
from flowtop_client.view_state.moves import complained, connected, heard, lost, received
from flowtop_client.view_state.place import Crumb
from flowtop_client.view_state.problems import RESET_SHOWN_S, empty_reason, how_to_update, notes, problems
from flowtop_client.view_state.state import ALL_PROTOCOLS, ProtocolGroup, ViewState
from flowtopd.wire.messages import Events, Family, Replay, View, Whose
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
        ({"flows": 0, "matched": 0, "tracking": False}, "no rule asks the kernel to track"),
        ({"pace": 4.2, "tick_seconds": 2.1}, "a tick takes 2.1 s: updates every 4.2 s instead of 1 s"),
        ({"flows": 951, "max": 1000}, "table 95 % full (951 of 1 000): raise net.netfilter.nf_conntrack_max"),
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
    order = ["daemon gone: it closed the connection", "no such field", "full", "accounting", "a tick", "resets"]
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
        (ViewState(heard=NOW), {"flows": 12}, "None of the 12 flows in the table is TCP and goes beyond this host."),
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


def test_while_a_filter_is_typed_no_key_is_named_that_would_be_typed_and_no_word_that_is_not_done() -> None:
    typing = replace(seen(state=typed(line_opened(ViewState(heard=NOW)), "nam")), total=0)
    what, odd = empty_reason(typing)
    assert (what, odd) == (
        "None of the TCP flows matches the filter.",
        "'nam' is searched for as a text: did you mean 'name'?",
    )
    assert empty_reason(typed(typing, "e ~ (")) == (what,)


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


def test_who_sees_only_what_is_their_own_is_told_so_when_there_is_nothing() -> None:
    state = seen(0, state=replace(ViewState(heard=NOW), whose=Whose.OWN), flows=0, matched=0, max=None)
    assert empty_reason(state)[0] == "None of the connections is yours, and others you may not see."
    assert "usermod -aG flowtop" in empty_reason(state)[1]


YOUNG = "counters only for new flows: 2 here began before accounting was on"


def with_uncounted(*numbers: int, state: ViewState | None = None, **status: Any) -> ViewState:
    """Ten flows, the fastest first, of which these have no counters."""
    state = state or ViewState(heard=NOW, page=10)
    nothing = dict.fromkeys(("orig_bytes", "reply_bytes", "orig_rate", "reply_rate"))
    flows = [flow(number, **(nothing if number in numbers else {})) for number in range(1, 11)]
    return received(state, answer(state, flows, uncounted=len(numbers), **status))


def test_flows_older_than_accounting_are_explained_while_one_of_them_is_on_the_screen() -> None:
    assert problems(with_uncounted(3, 4), NOW) == (YOUNG,)
    off_the_screen = with_uncounted(3, 4, state=ViewState(heard=NOW, page=8))
    assert problems(off_the_screen, NOW) == ()
    assert problems(with_uncounted(), NOW) == ()


def test_while_accounting_is_off_nobody_is_told_of_new_flows() -> None:
    (said,) = problems(with_uncounted(3, 4, accounting=False), NOW)
    assert said.startswith("accounting is off")


def test_flows_offloaded_past_their_counters_are_explained() -> None:
    meaning = "offloaded: no bytes or rates without `counter` in the flowtable"
    assert problems(seen(frozen=1), NOW) == (f"1 flow is {meaning}",)
    assert problems(seen(frozen=1200), NOW) == (f"1 200 flows are {meaning}",)


CITIES = "no database tells cities: `flowtop -u` gets one"


def test_missing_databases_are_mentioned_only_where_somebody_looks_for_what_they_tell() -> None:
    country: dict[str, Any] = {"places": ("country",)}
    state = ViewState(heard=NOW, may=("update",))
    city = replace(state, choices=(("address", "city"), *state.choices[1:]))
    networks = replace(state, view=View.NETWORKS)
    assert problems(seen(state=state, **country), NOW) == ()
    assert problems(seen(state=city, **country), NOW) == (CITIES,)
    assert problems(seen(state=networks, **country), NOW) == ("no database tells networks: `flowtop -u` gets one",)
    assert problems(seen(state=replace(city, geoip=False), **country), NOW) == ()
    for told in (("country", "city"), None):
        assert problems(seen(state=city, places=told), NOW) == ()


def test_who_may_not_update_through_the_daemon_is_told_the_other_way() -> None:
    assert how_to_update(ViewState(may=("update",))) == "`flowtop -u`"
    assert how_to_update(ViewState()) == "`sudo flowtopd --update`"
    assert how_to_update(ViewState(may=("update",), private=True)) == "`sudo flowtopd --update`"


def test_a_daemon_of_another_version_is_mentioned_last() -> None:
    state = connected(seen(accounting=False), "host", (), "flowtopd 0.0.9")
    assert problems(state, NOW)[-1].startswith("flowtopd 0.0.9 is older than this flowtop")
    assert problems(connected(seen(), "host", (), "flowtopd 999.0"), NOW)[-1].endswith("update it")


def test_a_daemon_that_is_gone_is_followed_by_what_brings_it_back() -> None:
    state = lost(seen(), "no daemon listens on /s", "`sudo flowtopd` starts one")
    assert problems(state, NOW)[1] == "`sudo flowtopd` starts one"
    assert problems(connected(state, "host"), NOW) == ()


@pytest.mark.parametrize(
    ("status", "people", "said"),
    [
        ({}, True, []),
        ({"flows": 0, "matched": 0, "tracking": False}, False, ["no firewall rule", "activate = true"]),
        ({"accounting": False}, False, ["accounting is off"]),
        ({"flows": 951, "max": 1000}, False, ["table 95 % full"]),
        ({"uncounted": 2, "frozen": 2}, False, []),
        ({"uncounted": 2, "frozen": 2}, True, ["2 flows are offloaded", "counters only for new flows: 2"]),
        ({"matched": 0}, False, []),
        ({"matched": 0}, True, ["none of the 10 flows in the table is TCP and goes beyond this host: `--all`"]),
    ],
)
def test_output_for_scripts_says_what_makes_it_wrong_and_a_table_for_people_more(
    status: dict[str, Any], people: bool, said: list[str]
) -> None:
    state = seen(**status)
    assert state.snapshot is not None
    told = notes(ViewState(), state.snapshot, people=people)
    assert len(told) == len(said)
    for words, line in zip(said, told, strict=True):
        assert words in line


def test_under_a_private_daemon_tracking_is_an_option_of_flowtop() -> None:
    state = seen(0, replace(ViewState(), private=True), flows=0, matched=0, tracking=False)
    assert "`sudo flowtop --activate`" in empty_reason(state)[1]
