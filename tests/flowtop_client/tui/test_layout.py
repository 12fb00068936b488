from dataclasses import replace

import pytest
from prompt_toolkit.utils import get_cwidth

from flowtop_client.tui.key_bindings import HELP
from flowtop_client.tui.layout import details_room, help_lines, help_page, new_tab, regions, screen
from flowtop_client.tui.tabs.details import detail_lines
from flowtop_client.view_state.acting import noticed
from flowtop_client.view_state.filtering import typed
from flowtop_client.view_state.looking import detailed
from flowtop_client.view_state.moves import MOVES, Action, fitted, lost, received
from flowtop_client.view_state.state import ALL_PROTOCOLS, ProtocolGroup, ViewState
from flowtop_client.view_state.taping import begun, grown
from flowtopd.wire.messages import Detail, Family, Replay, View, Whose
from tests.flowtop_client.scripted_daemon import flow, made_up
from tests.flowtop_client.scripted_details import NATTED, detail_of
from tests.flowtop_client.states import answer, with_rows


def drawn(state: ViewState, width: int, height: int, now: float = 0.0) -> list[str]:
    """The text of a screen of this size."""
    tab = new_tab()
    page = regions(height, state).page
    sort_choices, limit = tab.fit(state, width, page)
    texts = help_lines(HELP, width)[1]
    state = fitted(
        state,
        page=page,
        sort_choices=sort_choices,
        scroll_limit=limit,
        help_texts=texts,
        help_page=help_page(height),
        details_length=len(detail_lines(state, state.details, width)) if state.details else 0,
        details_room=details_room(height, state),
    )
    tab.fit(state, width, page)
    return ["".join(text for _, text in line) for line in screen(state, tab, HELP, width, height, now=now)]


def busy(**values: object) -> ViewState:
    state = replace(with_rows(100, page=50, protocols=ALL_PROTOCOLS), **values)  # type: ignore[arg-type]
    odd = [flow(1000 + number, dst_name="例" * number, process="p" * number) for number in range(1, 40)]
    return received(state, answer(state, made_up(200) + odd, seq=2))


def grouped(view: View, *actions: Action, **values: object) -> ViewState:
    """A grouped view of many flows, and what follows after these keys."""
    state = replace(busy(), view=view, tag=2, epoch=2, filter="", **values)  # type: ignore[arg-type]
    flows = made_up(200)
    state = received(state, answer(state, flows, seq=3))
    for action in actions:
        state = MOVES[action](state)
        state = received(state, answer(state, flows, seq=state.tag + 3))
    return state


def looking(**values: object) -> ViewState:
    """The details of the selected flow."""
    state = MOVES[Action.OPEN](busy(**values))
    assert state.details is not None
    detail = detail_of(NATTED | {"id": state.details.id})
    return detailed(state, detail)


LONG = 'tcp and port 443 and not country DE or process "例え" ' * 8

STATES = {
    **{view.value: grouped(view) for view in View if view is not View.FLOWS},
    "a group": grouped(View.NETWORKS, Action.OPEN, Action.HOSTS, Action.OPEN),
    "a group on its way": MOVES[Action.OPEN](grouped(View.NETWORKS)),
    "a view on its way": MOVES[Action.HOSTS](grouped(View.NETWORKS)),
    "no places": grouped(View.COUNTRIES, geoip=False),
    "filtered": busy(filter=LONG.rstrip()),
    "typing": typed(MOVES[Action.FILTER](busy()), LONG),
    "a mistake": typed(MOVES[Action.FILTER](busy()), LONG + "("),
    "completing": MOVES[Action.COMPLETE](MOVES[Action.FILTER](busy())),
    "searching": typed(MOVES[Action.SEARCH](MOVES[Action.HELP](busy())), "filter"),
    "not found": typed(MOVES[Action.SEARCH](MOVES[Action.HELP](busy())), "例" * 50),
    "new": ViewState(),
    "busy": busy(),
    "source and bits": busy(source=True, bits=True),
    "scrolled": busy(skipped=5, offset=30, cursor=40),
    "help": MOVES[Action.HELP](busy()),
    "details": looking(),
    "details, asked": MOVES[Action.DELETE](looking(may=("act",))),
    "details, scrolled": MOVES[Action.END](looking(offset=3, may=("act",))),
    "asked": MOVES[Action.END_FLOW](busy(may=("act",))),
    "noticed": noticed(busy(), "例" * 200, good=False),
    "recording": grown(begun(busy(), "flowtop-20260101-120000.flowtop"), 10**6, "例" * 200),
    "gone": lost(busy(host="h" * 70), "例" * 200),
    "empty": with_rows(0),
    "no names, no places": busy(names=False, geoip=False, source=True),
    "one family, paused, active": busy(families=(Family.IPV6,), paused=True, active=True, loopback=True),
}


@pytest.mark.parametrize("state", STATES.values(), ids=STATES.keys())
def test_no_screen_of_any_size_has_a_line_too_many_or_too_wide(state: ViewState) -> None:
    for width in (*range(1, 140, 3), 60, 79, 80, 81, 200, 300):
        for height in (1, 2, 3, 4, 5, 6, 7, 8, 9, 24, 60):
            lines = drawn(state, width, height)
            assert len(lines) <= height
            assert max(map(get_cwidth, lines), default=0) <= width, (width, height)


def test_every_line_of_the_screen_is_used() -> None:
    for height in range(1, 60):
        assert len(drawn(busy(), 80, height)) == height


@pytest.mark.parametrize(("height", "page"), [(0, 1), (1, 1), (2, 2), (3, 2), (4, 2), (5, 2), (7, 3), (8, 3), (24, 19)])
def test_rows_stay_to_the_last_on_a_low_screen(height: int, page: int) -> None:
    assert regions(height, ViewState()).page == page


@pytest.mark.parametrize(("height", "page"), [(1, 1), (2, 1), (3, 1), (4, 1), (5, 1), (6, 2), (8, 2), (24, 18)])
def test_the_line_that_is_typed_is_there_on_any_screen(height: int, page: int) -> None:
    state = typed(MOVES[Action.FILTER](busy()), "tcp (")
    assert regions(height, state).page == page
    lines = drawn(state, 80, height)
    assert len(lines) <= height
    assert any(line.startswith("/tcp (") for line in lines)
    assert ("^ " in lines[-1]) == (height >= 3)


def test_a_total_takes_a_line_in_the_grouped_views_alone() -> None:
    assert regions(24, grouped(View.HOSTS)).page == regions(24, busy()).page - 1
    assert drawn(grouped(View.HOSTS), 80, 24)[4].startswith("total ")


def test_the_way_to_a_group_is_on_the_second_line_before_what_is_wrong() -> None:
    state = grouped(View.PROCESSES, Action.OPEN, Action.COUNTRIES, Action.OPEN)
    first, second = (crumb.name for crumb in state.path)
    way = f"Processes \u203a {first} \u203a Countries \u203a {second}   "
    assert drawn(state, 120, 24)[1].startswith(f"{way}every 1 s")
    assert drawn(lost(state, "gone"), 120, 24)[1].startswith(f"{way}daemon gone")


def test_the_header_counts_what_the_rows_are() -> None:
    state = grouped(View.COUNTRIES)
    assert "countries 5 " in drawn(state, 80, 24)[0]
    assert "countries 5 " in drawn(MOVES[Action.HOSTS](state), 80, 24)[0]  # the number is still that of countries


def test_the_header_says_when_the_flows_are_those_of_the_own_user_and_not_how_long_all_took() -> None:
    lines = drawn(busy(whose=Whose.OWN), 120, 30)
    assert "your flows 239" in lines[0]
    assert "tick" not in lines[1]
    assert "tick" in drawn(busy(), 120, 30)[1]


def test_the_footer_shows_the_filter_that_is_on_and_says_what_there_is_room_for() -> None:
    assert "  /tcp and port 443  " in drawn(busy(filter="tcp and port 443"), 80, 24)[-1]
    assert drawn(busy(filter=LONG.rstrip()), 80, 24)[-1].count("…") == 1
    assert drawn(busy(), 80, 24)[-1].endswith("/ filter  ? help  q quit")
    assert drawn(busy(filter="tcp and port 443"), 80, 24)[-1].endswith("  ? help  q quit")
    assert drawn(busy(filter="tcp and port 443 and udp"), 72, 24)[-1].endswith("  ? help")


def test_the_help_has_the_keys_and_then_the_manual_of_the_filter() -> None:
    _, texts = help_lines(HELP, 120)
    said = " ".join(" ".join(texts).split())
    assert said.index("Navigation") < said.index("The filter language") < said.index("SIDES")
    assert help_lines(HELP, 120)[1] is texts  # made once for a width


def test_the_header_gives_up_the_least_important_part_first() -> None:
    state = busy(host="router")
    for width, words in (
        (80, ["flowtop router", "flows 239", "of 262 144", "shown 239", "→"]),
        (72, ["flowtop router", "flows 239", "of 262 144", "→"]),
        (60, ["flowtop router", "flows 239", "→", "←"]),
        (48, ["flowtop router", "→", "←"]),
        (20, ["flowtop router"]),
    ):
        header = drawn(state, width, 24)[0]
        assert [word for word in words if word not in header] == []


def test_a_gap_in_the_window_is_shown_as_a_row_on_its_way() -> None:
    state = MOVES[Action.END](with_rows(5000, page=19))
    assert drawn(state, 80, 24)[4:23] == ["…"] * 19


def test_the_mark_of_the_sorted_column_shows_the_direction() -> None:
    assert "RATE▼" in drawn(busy(), 80, 24)[3]
    assert "BYTES▲" in drawn(busy(sort="bytes", descending=False), 80, 24)[3]
    for choice in new_tab().fit(busy(), 200, 10)[0]:
        titles = drawn(busy(sort=choice), 200, 24)[3]
        assert titles.count("▼") == 1
        assert set(titles.replace("▼", "").split()) <= {
            *("PROCESS", "PID", "PROTO", "STATE", "TIME", "ADDRESS", "PORT", "GEO", "BYTES", "RATE"),
            *("USER", "UNIT", "CONTAINER", "DEVICE", "DIR", "CITY", "NETWORK", "ASN"),
            *("→BYTES", "←BYTES", "→PKTS", "←PKTS", "→RATE", "←RATE", "NAT", "EXPIRES"),
        }


def test_several_problems_share_the_second_line_the_worst_first() -> None:
    state = busy()
    assert state.snapshot is not None
    status = replace(state.snapshot.status, accounting=False, pace=9.0)
    state = lost(replace(state, snapshot=replace(state.snapshot, status=status)), "it closed the connection")
    second = drawn(state, 300, 24)[1]
    assert second.index("daemon gone") < second.index("accounting is off") < second.index("updates every 9 s")


def test_lost_events_are_counted_where_all_else_is_well() -> None:
    state = busy()
    assert state.snapshot is not None
    status = replace(state.snapshot.status, events_lost=1234, viewers=2)
    state = replace(state, snapshot=replace(state.snapshot, status=status))
    assert drawn(state, 80, 24)[1] == "every 1 s, tick 12 ms, 2 viewers, 1 234 events lost"


def test_the_place_is_not_said_while_the_rows_are_those_of_an_older_question() -> None:
    state = with_rows(100, page=19)
    assert "1-19 of 100" in drawn(state, 80, 24)[-1]
    state = MOVES[Action.UDP](state)
    footer = drawn(state, 80, 24)[-1]
    assert footer.startswith("…  sort rate")
    assert "TCP UDP" in footer


def test_a_pause_is_seen_however_much_else_is_on() -> None:
    state = busy(
        paused=True, active=True, loopback=True, source=True, bits=True, protocols=ALL_PROTOCOLS - {ProtocolGroup.TCP}
    )
    assert "PAUSED" in drawn(state, 60, 24)[-1]
    assert drawn(noticed(state, "recorded"), 60, 24)[-1] == "PAUSED  recorded"


def test_the_footer_tells_what_is_switched_on_from_each_other() -> None:
    state = busy(follow=True, source=True, bits=True, protocols=ALL_PROTOCOLS)
    assert "all protocols, following, source, bits/s" in drawn(state, 120, 24)[-1]
    state = busy(active=True, families=(Family.IPV6,), protocols=frozenset({ProtocolGroup.TCP, ProtocolGroup.UDP}))
    assert "  TCP UDP, IPv6, active only " in drawn(state, 120, 24)[-1]


def test_an_empty_table_is_explained_in_whole_words_on_any_screen() -> None:
    state = replace(with_rows(0), protocols=ALL_PROTOCOLS - {ProtocolGroup.TCP}, active=True)
    state = received(state, answer(state, [flow(number) for number in range(1, 100)]))
    for width in (40, 60, 80):
        lines = drawn(state, width, 24)
        said = " ".join(" ".join(lines[4:10]).split())
        assert said.endswith(
            "None of the 99 flows in the table is active UDP, DCCP, ICMP, SCTP or other and goes beyond this host."
            " a shows idle flows too, `--loopback` shows flows within this host."
        )
        assert lines[-1].startswith("no flow ")


def test_what_is_switched_off_for_this_viewer_is_said() -> None:
    assert "no names" not in drawn(busy(), 100, 24)[-1]
    assert drawn(busy(names=False), 100, 24)[-1].startswith("…") is False
    assert "no names" in drawn(busy(names=False), 100, 24)[-1]
    assert "no names, no GeoIP" in drawn(busy(names=False, geoip=False), 100, 24)[-1]


FROM_OUTSIDE = (
    *("src_name", "dst_name", "src_city", "dst_city", "src_country", "dst_country", "src_org", "dst_org", "service"),
    *("process", "user", "unit", "container", "device", "device_vendor"),
)
NASTY = (
    "\x1b[2J\x1b]0;title\x07",
    "\u202egnp.exe",
    "例" * 60,
    "e\u0301" * 60,
    "\u0e01\u0e33" * 20,
    "\U0001f1e9\u200d" * 9,
)


@pytest.mark.parametrize("width", [80, 200])
@pytest.mark.parametrize("text", NASTY, ids=["escape codes", "right to left", "wide", "combining", "vowels", "joined"])
def test_no_text_from_outside_makes_a_line_too_wide_or_reaches_the_terminal(text: str, width: int) -> None:
    known = {"service_port": 443, "device_mac": "3c:22:fb:4f:1a:22", "service_by": "lower"}
    flows = [flow(number, **known, **{field: text}) for number, field in enumerate(FROM_OUTSIDE, 1)]
    for source in (False, True):
        state = replace(with_rows(0, page=40), source=source)
        lines = drawn(
            received(state, answer(state, [*flows, flow(99, **known | dict.fromkeys(FROM_OUTSIDE, text))])), width, 45
        )
        assert max(map(get_cwidth, lines)) <= width
        assert all(line.isprintable() for line in lines)
        rows = [line for line in lines[4:-1] if line]
        assert len(rows) == len(FROM_OUTSIDE) + 1
        begins = {get_cwidth(line[: line.rindex("tcp")]) for line in rows if "tcp" in line}
        assert len(begins) == 1  # the columns still stand below one another


@pytest.mark.parametrize("view", [view for view in View if view is not View.FLOWS])
@pytest.mark.parametrize("text", NASTY, ids=["escape codes", "right to left", "wide", "combining", "vowels", "joined"])
def test_no_name_of_a_group_makes_a_line_too_wide_or_reaches_the_terminal(text: str, view: View) -> None:
    names = ("process", "unit", "container", "device", "device_mac", "service", "attribution")
    places = ("dst_name", "dst_country", "dst_city", "dst_org")
    outside = dict.fromkeys((*names, *places), text)
    state = replace(with_rows(0, page=40), view=view, tag=2, epoch=2)
    flows = [flow(1, **outside, service_port=443), flow(2)]
    state = received(state, answer(state, flows))
    for shown in (state, MOVES[Action.OPEN](state), MOVES[Action.FILTER](state)):
        for width in (60, 80, 200):
            lines = drawn(shown, width, 24)
            assert max(map(get_cwidth, lines)) <= width
            assert all(line.isprintable() for line in lines)


def test_the_details_have_a_header_a_place_and_what_can_be_done() -> None:
    state = looking(may=("act",))
    lines = drawn(state, 80, 24)
    assert lines[0].startswith("flowtop router")
    assert lines[1] == "Path"
    assert lines[-1].startswith("1-22 of ")
    assert lines[-1].endswith("x end  X delete  c copy  Esc back  ? help")
    assert "x end" not in drawn(replace(state, may=()), 80, 24)[-1]
    assert "daemon gone" in drawn(lost(state, "gone"), 80, 24)[0]


def test_the_rows_say_what_can_be_done_only_where_it_may_be() -> None:
    assert "x end  X delete  / filter" in drawn(busy(may=("act",)), 120, 24)[-1]
    assert "x end" not in drawn(busy(), 120, 24)[-1]


SWITCHES = (Action.ACTIVE, Action.CLOSED, Action.BITS, Action.SOURCE, Action.HOLD, Action.NAMES, Action.GEOIP)


def test_whatever_is_on_the_footer_says_how_to_the_help() -> None:
    state = replace(busy(), protocols=frozenset({ProtocolGroup.TCP, ProtocolGroup.UDP}), paused=True)
    for action in SWITCHES:
        state = MOVES[action](state)
        for width in (60, 80, 120, 200):
            line = drawn(state, width, 24)[-1]
            assert " ? help" in line
            assert len(line) == width
    short = drawn(replace(state, names=True, geoip=True, held=None, loopback=True), 80, 24)[-1]
    assert "  PAUSED  rate ▼  TCP UDP, active, lo, src, bits, closed  " in short
    every = replace(state, filter="tcp and port 443 and not net 10.0.0.0/8", loopback=True, mean=10.0, follow=True)
    assert drawn(every, 60, 24)[-1].endswith("… ? help")
    assert drawn(every, 80, 24)[-1].endswith("… ? help")
    assert "  sort rate ▼  TCP UDP, active only, source, " in drawn(state, 200, 24)[-1]


@pytest.mark.parametrize(("height", "lines"), [(1, 1), (3, 1), (5, 1), (6, 3), (24, 3)])
def test_a_question_is_there_on_any_screen(height: int, lines: int) -> None:
    for state in (busy(may=("act",)), looking(may=("act",))):
        asked = MOVES[Action.DELETE](state)
        told = drawn(asked, 80, height)[-lines:]
        assert len(drawn(asked, 80, height)) == height
        assert asked.act is not None
        assert asked.act.flow in " ".join(told)
        assert ("y/n" in told[0]) == (lines == 1)


def test_a_flow_that_is_gone_says_so_and_keeps_what_was_known() -> None:
    state = looking(may=("act",))
    assert state.details is not None
    lines = drawn(detailed(state, Detail(state.details.id, None)), 80, 24)
    assert lines[1].startswith("This flow is gone")
    assert "x end" not in lines[-1]
    assert "Path" in lines


def test_recordings_are_told_on_the_second_line_before_what_is_wrong() -> None:
    state = grown(begun(busy(), "x.flowtop"), 12_300, "")
    assert state.snapshot is not None
    replay = Replay(7.0, 58.0, 2.0, paused=False, ended=False)
    state = replace(state, snapshot=replace(state.snapshot, replay=replay))
    told = "replay 0:07 of 0:58 2 x   REC x.flowtop 12.3 kB   "
    assert drawn(state, 120, 24)[1].startswith(f"{told}every 1 s")
    assert drawn(lost(state, "gone"), 120, 24)[1].startswith(f"{told}daemon gone")


def test_the_header_shows_how_the_whole_line_has_been_where_there_is_room() -> None:
    trend = tuple((float(at), at * 1000.0) for at in range(120))
    wide = drawn(busy(trend=trend), 140, 20)[0]
    assert wide.endswith("119 kB/s peak")
    assert "▁" in wide
    assert "█" in wide
    assert "peak" not in drawn(busy(trend=trend), 70, 20)[0]
    assert "peak" not in drawn(busy(trend=trend[:1]), 140, 20)[0]
    plain = drawn(busy(trend=trend, plain=True), 140, 20)[0]
    assert plain.isascii() or "→" in plain
    assert "#" in plain
