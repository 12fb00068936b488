"""The viewer on a real terminal against a scripted daemon: keys in, screens out.

The screens are stored as text in `screens/`; after a change that is meant, FLOWTOP_WRITE_SCREENS=1 writes them anew.
"""

import asyncio
import io
import os
import signal
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path

import pytest
from prompt_toolkit.application import create_app_session
from prompt_toolkit.data_structures import Size
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output.vt100 import Vt100_Output

from flowtop_client.connection.link import Connection, Event
from flowtop_client.tui.app import Viewer
from flowtop_client.tui.layout import TABS
from flowtop_client.view_state.acting import NO_RIGHT
from flowtop_client.view_state.state import ViewState, query_for
from flowtopd.wire.errors import ErrorCode
from flowtopd.wire.messages import Error, Query, ViewerMessage
from flowtopd.wire.messages import View as MessageView
from testbed.daemon import Daemon
from testbed.netns import Namespace
from testbed.terminal import Terminal as Shell
from tests.flowtop_client.conftest import MakeDaemon
from tests.flowtop_client.scripted_daemon import (
    STATUS,
    Flow,
    Peer,
    ScriptedDaemon,
    flow,
    made_up,
    plain_answer,
    snapshot_for,
)
from tests.flowtop_client.states import FIELDS
from tests.flowtop_client.stored_screens import assert_screen
from tests.flowtop_client.terminal import KEYS, Terminal

View = Callable[..., Terminal]


@pytest.fixture
def view() -> Iterator[View]:
    """Opens viewers on a scripted daemon and ends them after the test."""
    with ExitStack() as stack:

        def open_viewer(daemon: ScriptedDaemon, *arguments: str, **options: int | str) -> Terminal:
            return stack.enter_context(Terminal(["--socket", daemon.path, *arguments], **options))  # type: ignore[arg-type]

        yield open_viewer


HUNDRED = [flow(number) for number in range(1, 101)]

HTTPS = {"service": "https", "service_port": 443}

ALL_KINDS: list[Flow] = [
    flow(1, process="firefox", pid=4711, dst_name="example.com", dst_country="US", **HTTPS, service_by="known"),
    flow(2, proto="udp", state=None, dst="2001:db8:1234:5678:9abc:def0:1234:5678", family="ipv6", dport=53),
    flow(3, proto="icmpv6", state=None, dst="2001:db8::1", family="ipv6", dport=None, sport=None, attribution="kernel"),
    flow(4, state="SYN_SENT", orig_bytes=60, reply_bytes=0, orig_rate=0.0, reply_rate=0.0, duration=0.4, **HTTPS),
    flow(5, orig_bytes=None, reply_bytes=None, orig_rate=None, reply_rate=None, duration=None),
    flow(6, state="TIME_WAIT", closed=True, orig_rate=0.0, reply_rate=0.0, duration=100_000.0, attribution="exited"),
    flow(7, proto="gre", state=None, sport=None, dport=None, dst_name="例え.example.jp", dst_country="JP"),
    flow(8, process="evil\x1b[2Jname\u202e", dst_name="\x1b]0;title\x07.example", duration=4000.0),
    flow(9, dst_name="a-very-long-name-of-a-host-in-a-content-delivery-network.cdn.example.net", pid=4194304),
]


@pytest.mark.parametrize(("width", "height"), [(60, 10), (80, 24), (120, 30), (200, 50)])
def test_every_kind_of_flow_looks_as_stored(make_daemon: MakeDaemon, view: View, width: int, height: int) -> None:
    terminal = view(make_daemon(ALL_KINDS), "--all", width=width, height=height)
    terminal.wait_for("1-")
    assert_screen(terminal, f"all-{width}x{height}")


@pytest.mark.parametrize(("width", "height"), [(80, 24), (120, 24), (200, 24)])
@pytest.mark.parametrize("host", ["host", "router"])
def test_who_and_where_look_as_stored(make_daemon: MakeDaemon, view: View, host: str, width: int, height: int) -> None:
    flows = made_up(200, router=host == "router")
    terminal = view(make_daemon(flows, host=host), "--all", width=width, height=height)
    terminal.wait_for("1-19 of 200")
    assert_screen(terminal, f"{host}-{width}x{height}")


GROUPED = tuple(view.value for view in MessageView if view is not MessageView.FLOWS)


@pytest.mark.parametrize(("width", "height"), [(60, 10), (80, 24), (120, 24), (200, 24)])
@pytest.mark.parametrize("name", GROUPED)
def test_every_view_looks_as_stored(make_daemon: MakeDaemon, view: View, name: str, width: int, height: int) -> None:
    flows = made_up(150) + made_up(60, router=True) if name == "devices" else made_up(200)
    terminal = view(make_daemon(flows, host="home"), "--all", "--view", name, width=width, height=height)
    terminal.wait_for("1-")
    assert_screen(terminal, f"{name}-{width}x{height}")


@pytest.mark.parametrize("width", [60, 80, 120, 200])
def test_the_way_into_a_group_and_a_filter_look_as_stored(make_daemon: MakeDaemon, view: View, width: int) -> None:
    terminal = view(make_daemon(made_up(200), host="home"), "--all", width=width)
    terminal.wait_for("1-19 of 200")
    terminal.send("2")
    terminal.wait_for("1-10 of 10")
    terminal.send("Down", "Enter")
    terminal.wait_for("Processes \u203a ")
    terminal.wait_for("1-19 of 20")
    terminal.send("/", "rate > 1M and country J")
    terminal.wait_for("/rate > 1M and country J")
    terminal.send("Tab")
    terminal.wait_for("country JP")
    terminal.wait_for("gre ")
    terminal.wait_for("Enter keeps")
    assert_screen(terminal, f"typing-{width}x24")
    terminal.send("Enter")
    terminal.wait_for("? help")
    assert_screen(terminal, f"filtered-{width}x24")


@pytest.mark.parametrize("width", [60, 80])
def test_a_mistake_looks_as_stored(make_daemon: MakeDaemon, view: View, width: int) -> None:
    terminal = view(make_daemon(HUNDRED), width=width)
    terminal.wait_for("1-19 of 100")
    terminal.send("/", "tcp and dst port 443- and not country DE")
    terminal.wait_for("^")
    terminal.wait_for("country DE")
    assert_screen(terminal, f"mistake-{width}x24")


@pytest.mark.parametrize(("width", "height"), [(80, 24), (200, 50)])
def test_the_source_side_looks_as_stored(make_daemon: MakeDaemon, view: View, width: int, height: int) -> None:
    terminal = view(make_daemon(ALL_KINDS), "--all", "-sb", width=width, height=height)
    terminal.wait_for("1-")
    assert_screen(terminal, f"source-{width}x{height}")


@pytest.mark.parametrize(("width", "height"), [(60, 10), (80, 24)])
def test_the_help_looks_as_stored_and_closes(make_daemon: MakeDaemon, view: View, width: int, height: int) -> None:
    terminal = view(make_daemon(HUNDRED), width=width, height=height)
    terminal.wait_for("1-")
    terminal.send("?")
    terminal.wait_for("closes the help")
    assert_screen(terminal, f"help-{width}x{height}")
    terminal.send("Esc")
    terminal.wait_for("ADDRESS")


@pytest.mark.parametrize("key", ["q", "\x1b[21~"])
def test_q_closes_what_is_open_and_ends_the_viewer_from_the_rows(make_daemon: MakeDaemon, view: View, key: str) -> None:
    terminal = view(make_daemon(HUNDRED))
    terminal.wait_for("1-19 of 100")
    rows = terminal.text()
    for opener, opened in (("?", "closes the help"), ("Enter", "Esc back"), ("C", "Enter keeps")):
        terminal.send(opener)
        terminal.wait_for(opened)
        terminal.send(key)
        terminal.wait_without(opened)
        assert terminal.text() == rows
    terminal.send(key)
    assert terminal.wait_for_end() == (0, "")


@pytest.mark.parametrize("opener", ["?", "Enter", "C"])
def test_ctrl_c_ends_the_viewer_whatever_is_open(make_daemon: MakeDaemon, view: View, opener: str) -> None:
    terminal = view(make_daemon(HUNDRED))
    terminal.wait_for("1-19 of 100")
    terminal.send(opener)
    terminal.wait_without("1-19 of 100")
    terminal.send("Ctrl-C")
    assert terminal.wait_for_end() == (0, "")


def test_help_on_a_low_screen_scrolls(make_daemon: MakeDaemon, view: View) -> None:
    terminal = view(make_daemon(HUNDRED), width=60, height=10)
    terminal.wait_for("1-")
    terminal.send("?")
    terminal.wait_for("Navigation")
    terminal.send("PgDn", "Down")
    terminal.wait_for("10-17 of")
    terminal.send("End")
    terminal.wait_for("`not country DE` has them.")
    terminal.send("Home", "PgDn", "PgUp", "u")
    terminal.wait_for("Navigation")


def test_the_help_is_searched(make_daemon: MakeDaemon, view: View) -> None:
    terminal = view(make_daemon(HUNDRED))
    terminal.wait_for("1-")
    terminal.send("?", "/")
    terminal.send("regular")
    terminal.wait_for("for regular")
    assert terminal.lines()[-1] == "/regular"
    terminal.send("Enter")
    terminal.wait_for("n N next match")
    terminal.send("n")
    terminal.wait_for("Regular expressions match anywhere")
    terminal.send("Home", "N")
    terminal.wait_for("for regular")
    terminal.send("/", "xyz")
    terminal.wait_for("not found")
    terminal.send("Esc", "Esc")
    terminal.wait_for("1-19 of 100")
    terminal.send("q")  # none of it was taken for a key of the table
    assert terminal.wait_for_end() == (0, "")


def test_arrows_move_within_what_is_here_and_the_place_is_said(make_daemon: MakeDaemon, view: View) -> None:
    daemon = make_daemon(HUNDRED)
    terminal = view(daemon)
    terminal.wait_for("1-19 of 100")
    asked = len(daemon.queries())
    terminal.send("Down", "j", "d", "k")
    terminal.wait(lambda: terminal.selected() == 6)
    terminal.send(*["Down"] * 20)
    terminal.wait_for("5-23 of 100")
    assert len(daemon.queries()) == asked
    terminal.send("End")
    terminal.wait_for("82-100 of 100")
    terminal.wait_for(" 192.0.2.101 ")
    terminal.send("Home")
    terminal.wait_for("1-19 of 100")
    terminal.send("PgDn")
    terminal.wait_for("20-38 of 100")
    terminal.send("PgUp", "u")
    terminal.wait_for("1-19 of 100")


def test_the_window_follows_a_long_way_down(make_daemon: MakeDaemon, view: View) -> None:
    daemon = make_daemon([flow(number) for number in range(1, 5001)])
    terminal = view(daemon)
    terminal.wait_for("1-19 of 5 000")
    terminal.send(*["PgDn"] * 50)
    terminal.wait_for("951-969 of 5 000")
    terminal.wait_without("…")
    assert all((query.limit or 0) <= 96 for query in daemon.queries())
    terminal.send("End")
    terminal.wait_for("4 982-5 000 of 5 000")
    terminal.wait_without("…")


def test_a_tick_changes_the_numbers_and_nothing_else(make_daemon: MakeDaemon, view: View) -> None:
    daemon = make_daemon(HUNDRED)
    terminal = view(daemon)
    terminal.wait_for("3.00M")
    daemon.push([each | {"orig_rate": 0.0, "reply_rate": 7e6 / (n + 1)} for n, each in enumerate(HUNDRED)])
    terminal.wait_for("7.00M")
    assert "1-19 of 100" in terminal.text()


@pytest.mark.parametrize(
    ("key", "said", "asked"),
    [
        ("U", "TCP UDP", lambda query: query.protocols == (6, 17, 136)),
        ("D", "TCP DCCP", lambda query: query.protocols == (6, 33)),
        ("I", "TCP ICMP", lambda query: query.protocols == (1, 6, 58)),
        ("S", "TCP SCTP", lambda query: query.protocols == (6, 132)),
        ("O", "TCP other", lambda query: 47 in query.protocols),
        ("T", "no protocol", lambda query: query.protocols == ()),
        ("a", "active only", lambda query: query.active),
        ("r", "sort rate ▲", lambda query: not query.descending),
        ("<", "sort bytes ▼", lambda query: query.sort == "bytes" and query.descending),
        (">", "sort proto ▲", lambda query: query.sort == "proto" and not query.descending),
        ("Space", "PAUSED", lambda query: query.paused),
        ("n", "no names", lambda query: not query.names),
        ("G", "no GeoIP", lambda query: not query.geoip),
        ("g", "no GeoIP", lambda query: not query.geoip),
        ("s", "SOURCE", lambda query: "src_name" in query.fields),
    ],
)
def test_a_key_that_asks_for_other_rows_says_so_and_asks(
    make_daemon: MakeDaemon, view: View, key: str, said: str, asked: Callable[[Query], bool]
) -> None:
    daemon = make_daemon([each | {"dst": "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff"} for each in HUNDRED])
    terminal = view(daemon)
    terminal.wait_for("1-19 of 100")
    terminal.send(key)
    terminal.wait_for(said)
    daemon.wait_for(lambda: asked(daemon.queries()[-1]))


def test_a_key_that_concerns_the_screen_asks_nothing(make_daemon: MakeDaemon, view: View) -> None:
    daemon = make_daemon(HUNDRED)
    terminal = view(daemon)
    terminal.wait_for("1-19 of 100")
    asked = len(daemon.queries())
    terminal.send("b")
    terminal.wait_for("bits/s")
    terminal.send("b")
    terminal.wait_without("bits/s")
    assert len(daemon.queries()) == asked


def test_names_and_places_go_at_once_and_come_back_with_the_daemon(make_daemon: MakeDaemon, view: View) -> None:
    daemon = make_daemon([each | {"dst_name": "example.com", "dst_country": "US"} for each in HUNDRED])
    terminal = view(daemon)
    terminal.wait_for(" example.com ")
    daemon.answers = False
    terminal.send("n")
    terminal.wait_for(" 192.0.2.2 ")
    terminal.wait_without(" example.com ")
    terminal.send("G")
    terminal.wait_without(" US ")
    terminal.wait_without("GEO ")
    assert "1-19 of 100" in terminal.text()
    daemon.wait_for(lambda: not daemon.queries()[-1].names and not daemon.queries()[-1].geoip)
    daemon.answers = True
    terminal.send("n", "g")
    terminal.wait_for(" example.com ")
    terminal.wait_for(" US ")


def test_columns_scroll_right_with_h_and_left_with_l_as_in_the_classic_tool(
    make_daemon: MakeDaemon, view: View
) -> None:
    terminal = view(make_daemon([each | {"process": "firefox", "pid": 1} for each in HUNDRED]), width=60)
    terminal.wait_for("PROTO")
    terminal.send("h", "h", "Right")
    terminal.wait_without("PROTO")
    terminal.send("l", "Left", "l")
    terminal.wait_for("PROTO")


def test_a_daemon_that_goes_is_missed_and_one_that_comes_back_is_used(make_daemon: MakeDaemon, view: View) -> None:
    daemon = make_daemon(HUNDRED)
    terminal = view(daemon)
    terminal.wait_for("1-19 of 100")
    terminal.send("PgDn", "U")
    terminal.wait_for("TCP UDP")
    daemon.close()
    terminal.wait_for("daemon gone: ")
    assert "192.0.2." in terminal.text()  # what was last seen
    terminal.send("PgDn")
    terminal.wait_for("20-38 of 100")  # keys go on working
    daemon.listen()
    terminal.wait_without("daemon gone")
    assert daemon.queries()[-1].protocols == (6, 17, 136)


def test_what_is_paused_stays_when_another_daemon_comes_and_says_so(make_daemon: MakeDaemon, view: View) -> None:
    daemon = make_daemon(HUNDRED)
    terminal = view(daemon)
    terminal.wait_for("1-19 of 100")
    terminal.send("Space")
    terminal.wait_for("PAUSED")
    frozen = terminal.lines()[2:]
    for _ in range(2):
        daemon.close()
        terminal.wait_for("daemon gone: ")
        assert terminal.lines()[2:] == frozen
        daemon.flows = [each | {"orig_rate": None, "reply_rate": None} for each in HUNDRED]
        asked = len(daemon.queries())
        daemon.listen()
        terminal.wait_for("is back: this is from before, Space goes on")
        daemon.wait_for(lambda asked=asked: len(daemon.queries()) > asked)  # type: ignore[misc]
        terminal.send("Down", "Up")
        assert terminal.lines()[2:] == frozen
    terminal.send("PgDn")
    terminal.wait_for("20-38 of 100")
    assert "PAUSED" in terminal.text()
    terminal.send("PgUp", "Space")
    terminal.wait_without("PAUSED")
    terminal.wait_without("3.00M")
    assert "from before" not in terminal.text()


@pytest.mark.parametrize("key", ["r", "End", "2"])
def test_what_a_new_daemon_alone_can_answer_goes_on_and_says_so(make_daemon: MakeDaemon, view: View, key: str) -> None:
    daemon = make_daemon([flow(number) for number in range(1, 1001)])
    terminal = view(daemon)
    terminal.wait_for("1-19 of 1 000")
    terminal.send("Space")
    terminal.wait_for("PAUSED")
    daemon.close()
    terminal.wait_for("daemon gone: ")
    daemon.listen()
    terminal.wait_for("is back: this is from before")
    terminal.send(key)
    terminal.wait_for("what was paused went with its daemon: going on")
    assert "PAUSED" not in terminal.text()
    daemon.wait_for(lambda: not daemon.queries()[-1].paused)


def test_what_is_wrong_is_on_the_second_line(make_daemon: MakeDaemon, view: View) -> None:
    daemon = make_daemon(HUNDRED)
    terminal = view(daemon)
    terminal.wait_for("every 1 s, tick 12 ms, 1 viewer")
    daemon.push(accounting=False)
    terminal.wait(lambda: "accounting is off" in terminal.lines()[1])
    daemon.push(accounting=True, resets=1)
    terminal.wait(lambda: "another program resets the counters" in terminal.lines()[1])


def test_an_empty_table_explains_itself(make_daemon: MakeDaemon, view: View) -> None:
    daemon = make_daemon([])
    terminal = view(daemon)
    terminal.wait_for("The kernel's table holds no connection yet.")
    daemon.push(tracking=False)
    terminal.wait_for("no firewall rule asks it to")
    assert_screen(terminal, "empty-80x24")


@pytest.mark.parametrize(
    ("key", "name"),
    [(str(number), name.value) for number, name in enumerate(MessageView, 1)] + [("Tab", "processes")],
)
def test_a_tab_is_asked_for_and_shown(make_daemon: MakeDaemon, view: View, key: str, name: str) -> None:
    daemon = make_daemon(made_up(50))
    terminal = view(daemon, "--all", "--view", "containers" if key != "Tab" else "flows", width=200)
    terminal.wait_for("1-")
    terminal.send(key)
    title = name.capitalize()
    terminal.wait(lambda: tab(terminal) == title, f"the tab {title}")
    daemon.wait_for(lambda: daemon.queries()[-1].view == name)
    if key == "Tab":
        terminal.send("Shift-Tab", "Shift-Tab")
        terminal.wait(lambda: tab(terminal) == "Containers", "the tab before the first")


def tab(terminal: Terminal) -> str:
    """The title in the line of tabs that is drawn in reverse."""
    return "".join(cell.data for cell in terminal.attributes(2) if cell.reverse)


def test_the_way_into_a_group_and_back_leads_to_the_same_place(make_daemon: MakeDaemon, view: View) -> None:
    daemon = make_daemon(made_up(200))
    terminal = view(daemon, "--all")
    terminal.wait_for("1-19 of 200")
    terminal.send("4")
    terminal.wait_for("1-18 of 200")
    terminal.send(*["PgDn"] * 3, "Down")
    terminal.wait_for("55-72 of 200")
    row = terminal.selected()
    assert row is not None
    name = terminal.lines()[row].split()[0]
    for back in ("Esc", "Backspace"):
        terminal.send("Enter")
        terminal.wait_for("Hosts \u203a ")
        terminal.wait_for("1-1 of 1")
        assert daemon.queries()[-1].filter.startswith("dst host ")
        terminal.send(back)
        terminal.wait_for("55-72 of 200")
        terminal.wait(lambda: terminal.selected() == row)
        assert name in terminal.lines()[row]
        assert "Hosts \u203a" not in terminal.text()
        assert daemon.queries()[-1].filter == ""


def test_a_filter_is_typed_kept_cleared_and_recalled(make_daemon: MakeDaemon, view: View) -> None:
    daemon = make_daemon(made_up(200))
    terminal = view(daemon, "--all")
    terminal.wait_for("1-19 of 200")
    terminal.send("/", "udp or gre")
    daemon.wait_for(lambda: daemon.queries()[-1].filter == "udp or gre")
    terminal.send("Enter")
    terminal.wait(lambda: "  /udp or gre  " in terminal.lines()[-1])
    terminal.send("\\")
    terminal.wait_for("1-19 of 200")
    terminal.send("F4", "tcx", "Up")
    terminal.wait_for("/udp or gre")
    terminal.send("Down")
    terminal.wait_for("/tcx")
    terminal.send("Esc")
    terminal.wait_for("1-19 of 200")
    assert "tcx" not in terminal.text()


@pytest.mark.parametrize(
    ("keys", "text"),
    [
        (["Left", "Left", "x"], "tcp and uxdp"),
        (["Home", "x", "Right", "y"], "xtycp and udp"),
        (["Ctrl-A", "x", "Ctrl-E", "y"], "xtcp and udpy"),
        (["Home", "End", "x"], "tcp and udpx"),
        (["Backspace", "Backspace"], "tcp and u"),
        (["Home", "Delete"], "cp and udp"),
        (["Ctrl-W", "x"], "tcp and x"),
        (["Ctrl-U", "x"], "x"),
        (["\x1b[200~ and\nq1\x1b[201~"], "tcp and udp and q1"),
        ([" and sta", "Tab"], "tcp and udp and stat"),
        ([" and sta", "Tab", "Tab"], "tcp and udp and state"),
        ([" and sta", "Tab", "Tab", "Tab"], "tcp and udp and status"),
        ([" and sta", "Tab", "Tab", "Tab", "Shift-Tab"], "tcp and udp and state"),
        (["q?/1\\"], "tcp and udpq?/1\\"),
    ],
    ids=str,
)
def test_the_line_is_edited_as_in_a_shell(make_daemon: MakeDaemon, view: View, keys: list[str], text: str) -> None:
    terminal = view(make_daemon(HUNDRED))
    terminal.wait_for("1-19 of 100")
    terminal.send("/", "tcp and udp", *keys)
    terminal.wait(lambda: terminal.lines()[-2] == f"/{text}", f"/{text}")


def test_ctrl_c_ends_the_viewer_while_a_filter_is_typed(make_daemon: MakeDaemon, view: View) -> None:
    terminal = view(make_daemon(HUNDRED))
    terminal.wait_for("1-19 of 100")
    terminal.send("/", "tcp", "Ctrl-C")
    assert terminal.wait_for_end() == (0, "")


def test_a_filter_that_only_the_daemon_refuses_is_marked_and_the_one_before_stays(
    make_daemon: MakeDaemon, view: View
) -> None:
    def picky(daemon: ScriptedDaemon, peer: Peer, message: ViewerMessage) -> None:
        if isinstance(message, Query) and message.filter:
            peer.send(Error(ErrorCode.FILTER, "no such word here", 4))
        else:
            plain_answer(daemon, peer, message)

    daemon = make_daemon(HUNDRED, answer=picky)
    terminal = view(daemon, "-f", "tcp udp")
    terminal.wait_for("    ^ no such word here")
    assert terminal.lines()[-2] == "/tcp udp"
    terminal.wait_for("192.0.2.")
    terminal.send("Esc")
    terminal.wait_for("1-19 of 100")
    assert daemon.queries()[-1].filter == ""


def test_a_view_of_places_without_places_says_what_helps(make_daemon: MakeDaemon, view: View) -> None:
    terminal = view(make_daemon(made_up(20)), "-G", "--all")
    terminal.wait_for("1-")
    terminal.send("5")
    terminal.wait_for("G switches them on.")
    terminal.send("Enter", "G")
    terminal.wait_for("COUNTRY")
    assert "\u203a" not in terminal.text()


@pytest.mark.parametrize("size", [(1, 1), (2, 1), (5, 2), (10, 3), (20, 4), (30, 5), (59, 7), (300, 3)])
def test_no_size_is_too_small(make_daemon: MakeDaemon, view: View, size: tuple[int, int]) -> None:
    daemon = make_daemon(HUNDRED)
    terminal = view(daemon)
    terminal.wait_for("1-19 of 100")
    terminal.resize(*size)
    for key in ("Down", "?", "/", "Esc", "Down", "?", "2", "/", "x", "Esc", "1", "End", "h", "s"):
        terminal.send(key)
    daemon.push()
    terminal.resize(80, 24)
    terminal.wait_for("82-100 of 100")
    terminal.send("q")
    assert terminal.wait_for_end() == (0, "")


def test_a_resize_uses_the_room(make_daemon: MakeDaemon, view: View) -> None:
    terminal = view(make_daemon(HUNDRED))
    terminal.wait_for("1-19 of 100")
    terminal.resize(160, 60)
    terminal.wait_for("1-55 of 100")
    terminal.wait_for("→BYTES")


@pytest.mark.parametrize("key", ["q", "Ctrl-C"])
def test_quitting_puts_the_terminal_back(make_daemon: MakeDaemon, view: View, key: str) -> None:
    terminal = view(make_daemon(HUNDRED))
    terminal.wait_for("1-19 of 100")
    terminal.send(key)
    assert terminal.wait_for_end() == (0, "")
    assert b"\x1b[?1049h" in terminal.raw
    assert terminal.raw.rstrip().endswith((b"\x1b[?25h", b"\x1b[?12l\x1b[?25h"))
    assert b"\x1b[?1049l" in terminal.raw


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_puts_the_terminal_back_too(make_daemon: MakeDaemon, view: View, number: signal.Signals) -> None:
    terminal = view(make_daemon(HUNDRED))
    terminal.wait_for("1-19 of 100")
    terminal.process.send_signal(number)
    assert terminal.wait_for_end() == (0, "")
    assert b"\x1b[?1049l" in terminal.raw


def test_a_terminal_that_is_closed_ends_the_viewer_quietly(make_daemon: MakeDaemon, view: View) -> None:
    terminal = view(make_daemon(HUNDRED))
    terminal.wait_for("1-19 of 100")
    terminal.hang_up()
    assert terminal.process.wait(20) == 0
    assert terminal.process.stderr is not None
    assert terminal.process.stderr.read() == b""


def colours(terminal: Terminal) -> set[str]:
    return {cell.fg for row in range(24) for cell in terminal.attributes(row)} | {
        cell.bg for row in range(24) for cell in terminal.attributes(row)
    }


def test_no_color_leaves_bold_and_reverse(make_daemon: MakeDaemon, view: View) -> None:
    daemon = make_daemon(HUNDRED)
    coloured = view(daemon)
    coloured.wait_for("1-19 of 100")
    assert len(colours(coloured)) > 3
    plain = view(daemon, NO_COLOR="1")
    plain.wait_for("1-19 of 100")
    assert colours(plain) == {"default"}
    assert plain.attributes(3)[0].reverse  # the titles
    assert plain.selected() == 4


def test_the_selected_row_is_drawn_to_the_edge(make_daemon: MakeDaemon, view: View) -> None:
    terminal = view(make_daemon(ALL_KINDS), "--all")
    terminal.wait_for("1-")
    terminal.send("Down")
    terminal.wait(lambda: terminal.selected() == 5)
    assert all(cell.reverse for cell in terminal.attributes(5))


def test_no_text_from_the_network_reaches_the_terminal_raw(make_daemon: MakeDaemon, view: View) -> None:
    terminal = view(make_daemon(ALL_KINDS, host="rou\x1b[2Jter"), "--all", width=200, height=50)
    terminal.wait_for("rou?[2Jter")
    terminal.wait_for("?]0;title?.example")
    terminal.wait_for("evil?[2Jname?")
    assert b"\x1b]0;title" not in terminal.raw
    assert "\u202e".encode() not in terminal.raw


def test_a_hundred_thousand_flows_are_as_quick_as_a_hundred(make_daemon: MakeDaemon, view: View) -> None:
    """A viewer holds a few screens, so its query is the same; the daemon's part is measured by the benchmark."""
    daemon = make_daemon(made_up(2000))
    terminal = view(daemon, "--all", width=200, height=50)
    terminal.wait_for("1-45 of 2 000")
    assert daemon.queries()[-1].limit == 192


@pytest.mark.parametrize("stop", ["C-z", "TSTP"])
def test_ctrl_z_and_its_signal_give_the_terminal_to_the_shell_and_fg_takes_it_back(
    make_daemon: MakeDaemon, stop: str
) -> None:
    """In tmux, for a shell: without one that could say `fg`, the kernel stops nobody."""
    daemon = make_daemon(HUNDRED)
    with Shell(["bash", "--norc", "-i"], env={"PS1": "shell> "}) as shell:
        shell.wait_for("shell>")
        shell.type(f"{sys.executable} -m flowtop_client --socket {daemon.path}\n")
        shell.wait_for("1-19 of 100")
        if stop == "TSTP":
            os.kill(child_of(shell.pid), signal.SIGTSTP)
        else:
            shell.send_keys(stop)
        shell.wait_for("Stopped")
        shell.type("stty -a | grep -o ' icanon'\n")
        assert "ADDRESS" not in shell.wait_for("\n icanon")
        shell.type("fg\n")
        shell.wait_for("1-19 of 100")
        shell.send_keys("NPage")
        shell.wait_for("20-38 of 100")
        shell.send_keys("q")
        shell.wait_for("Stopped")
        shell.type("exit $?\n")
        assert shell.exit_status() == 0


def child_of(shell: int) -> int:
    """The process that a shell has started."""
    return int(Path(f"/proc/{shell}/task/{shell}/children").read_text().split()[0])


def test_after_a_stop_that_cannot_be_caught_the_screen_is_whole_again(make_daemon: MakeDaemon) -> None:
    daemon = make_daemon(HUNDRED)
    with Shell(["bash", "--norc", "-i"], env={"PS1": "shell> "}) as shell:
        shell.wait_for("shell>")
        shell.type(f"{sys.executable} -m flowtop_client --socket {daemon.path}\n")
        before = shell.wait_for("1-19 of 100")
        os.kill(child_of(shell.pid), signal.SIGSTOP)
        shell.wait_for("Stopped")
        shell.type("fg\n")
        shell.wait_for(lambda screen: screen == before)
        shell.send_keys("NPage")  # read without Enter, and not written by the terminal itself
        shell.wait_for("20-38 of 100")
        assert "^[" not in shell.screen()
        shell.send_keys("q")
        shell.type("stty -a | grep -o ' icanon'\n")
        shell.wait_for("\n icanon")


@pytest.mark.kernel
def test_a_group_of_a_real_daemon_opens_and_is_left(namespace: Namespace, daemon: Daemon) -> None:
    with namespace.socket() as server, namespace.socket() as client:
        server.bind(("127.0.0.1", 0))
        server.listen()
        client.connect(server.getsockname())
        options = ["--socket", str(daemon.socket), "--all", "--loopback", "-t", "0.2"]
        with Terminal([*options, "-f", f"port {server.getsockname()[1]}"], width=120) as terminal:
            terminal.wait_for("1-1 of 1")
            for key in "2345678":
                terminal.send(key)
                terminal.wait(lambda: tab(terminal) == TABS[int(key) - 1], f"tab {key}")  # noqa: B023  # waited for here
                terminal.wait_for("1-1 of 1")
                terminal.send("Enter")
                terminal.wait_for(f"{TABS[int(key) - 1]} \u203a ")
                terminal.wait_for("ESTABLISHED")
                terminal.send("Esc")
                terminal.wait_without("ESTABLISHED")
            terminal.send("/", " and udp")
            terminal.wait_for("matches the filter")
            terminal.send("Esc", "1")
            terminal.wait_for("ESTABLISHED")


class Talk(Connection):
    """A connection without a socket: what was asked, and answers when the test gives them."""

    def __init__(self, query: Query) -> None:
        super().__init__("nowhere", query)
        self.asked = [query]
        self.changed = asyncio.Event()
        self._events: asyncio.Queue[Event] = asyncio.Queue()

    def ask(self, query: Query) -> None:
        self.asked.append(query)
        self.changed.set()

    async def asks(self) -> None:
        """Wait for the next query."""
        await asyncio.wait_for(self.changed.wait(), 20)
        self.changed.clear()

    def answer(self, query: Query, rows: int, seq: int = 1) -> None:
        flows = [flow(number) for number in range(1, rows + 1)]
        self._events.put_nowait(snapshot_for(query, flows, seq, STATUS, 1.0))

    async def events(self) -> AsyncGenerator[Event, None]:
        while True:
            yield await self._events.get()


class Watched:
    """A viewer in this process: its keys, how often it drew, and what."""

    def __init__(self, viewer: Viewer, talk: Talk, keys: Callable[[str], None], out: io.StringIO) -> None:
        self.talk = talk
        self.press = keys
        self._viewer = viewer
        self._out = out
        self._rendered = asyncio.Event()
        viewer._app.after_render += lambda _app: self._rendered.set()

    @property
    def draws(self) -> int:
        return self._viewer._app.render_counter

    @property
    def state(self) -> ViewState:
        return self._viewer._state

    def drawn(self) -> str:
        """What was written to the terminal since the last time."""
        text = self._out.getvalue()
        self._out.seek(0)
        self._out.truncate()
        return text

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait for what only a redraw can bring about."""
        async with asyncio.timeout(20):
            while not condition():
                await self._rendered.wait()
                self._rendered.clear()

    async def rest(self) -> None:
        """Let everything happen that can happen now."""
        for _ in range(20):
            await asyncio.sleep(0)


@asynccontextmanager
async def watched(rows: int, *, patience_s: float) -> AsyncIterator[Watched]:
    """A viewer on 80 by 24 cells that has drawn the first of `rows` flows."""
    out = io.StringIO()
    output = Vt100_Output(out, lambda: Size(24, 80), term="xterm-256color", enable_cpr=False)
    with create_pipe_input() as keys, create_app_session(input=keys, output=output):
        state = ViewState(fields=FIELDS, page=24)
        talk = Talk(query_for(state))
        viewer = Viewer(talk, state, patience_s=patience_s)
        watch = Watched(viewer, talk, keys.send_text, out)
        async with asyncio.TaskGroup() as tasks:
            listening = tasks.create_task(viewer.listen())
            showing = tasks.create_task(viewer.show())
            await watch.until(lambda: watch.draws > 0)
            talk.answer(talk.asked[-1], rows)
            await watch.until(lambda: f"of {rows}" in out.getvalue())
            await watch.rest()
            watch.drawn()
            yield watch
            viewer.leave()
            await showing
            listening.cancel()


class Clock(asyncio.SelectorEventLoop):
    """A loop whose time a test can put forward."""

    ahead_s = 0.0

    def time(self) -> float:
        return super().time() + self.ahead_s


async def _fall_silent(clock: Clock) -> None:
    async with watched(900, patience_s=3600) as watch:
        draws = watch.draws
        clock.ahead_s += 3
        await watch.rest()
        assert watch.draws == draws
        clock.ahead_s += 3
        await watch.until(lambda: watch.draws == draws + 1)
        assert "no news for " in watch.drawn()
        clock.ahead_s += 1
        await watch.until(lambda: watch.draws == draws + 2)
        assert "no news for " in watch.drawn()
        watch.talk.answer(watch.talk.asked[-1], 900, seq=2)
        await watch.until(lambda: "every 1 s" in watch.drawn())
        watch.press(" ")
        await watch.until(lambda: "PAUSED" in watch.drawn())
        draws = watch.draws
        clock.ahead_s += 1000
        await watch.rest()
        assert watch.draws == draws
        watch.press(" ")
        await watch.until(lambda: watch.draws == draws + 1)
        assert "no news" not in watch.drawn()
        clock.ahead_s += 6
        await watch.until(lambda: "no news for " in watch.drawn())


def test_a_silent_daemon_is_noticed_and_the_silence_counted() -> None:
    with asyncio.Runner(loop_factory=Clock) as runner:
        clock = runner.get_loop()
        assert isinstance(clock, Clock)
        runner.run(_fall_silent(clock))


async def _notice(clock: Clock) -> None:
    async with watched(5, patience_s=3600) as watch:
        watch.press(" ")  # or the daemon's silence is noticed too
        await watch.until(lambda: "PAUSED" in watch.drawn())
        watch.press("[")
        await watch.until(lambda: "move in a recording" in watch.drawn())
        clock.ahead_s += 4
        draws = watch.draws
        watch.press("]")  # the newest notice has all its time
        await watch.until(lambda: watch.draws > draws)
        clock.ahead_s += 4
        draws = watch.draws
        await watch.rest()
        assert watch.draws == draws
        clock.ahead_s += 3
        await watch.until(lambda: "sort " in watch.drawn())


def test_a_notice_goes_after_some_seconds() -> None:
    with asyncio.Runner(loop_factory=Clock) as runner:
        clock = runner.get_loop()
        assert isinstance(clock, Clock)
        runner.run(_notice(clock))


ALT = ("\x1bx", "\x1bq", "\x1bO", "\x1b[", "\x1b\x18", "\x1b\r", "\x1b[1;3A")
"""Alt with letters, with what may be the beginning of a key, with Ctrl-X, Enter and Up."""


async def _press_with_alt(clock: Clock, opener: str, key: str) -> None:
    async with watched(100, patience_s=3600) as watch:
        watch.press(KEYS["Down"] + KEYS.get(opener, opener))
        await watch.rest()
        before = watch.state
        watch.press(key)
        await watch.rest()
        clock.ahead_s += 1
        await watch.rest()
        assert watch.state == before
        watch.press("\x1b" + key)
        await watch.rest()
        clock.ahead_s += 1
        await watch.rest()
        assert watch.state.act is None
        assert watch.state.notice is None


@pytest.mark.parametrize("key", ALT, ids=repr)
@pytest.mark.parametrize("opener", ["Down", "?", "Enter", "C", "/", "2"])
def test_a_key_with_alt_does_nothing_wherever_one_is(opener: str, key: str) -> None:
    with asyncio.Runner(loop_factory=Clock) as runner:
        clock = runner.get_loop()
        assert isinstance(clock, Clock)
        runner.run(_press_with_alt(clock, opener, key))


async def _press_escape(clock: Clock) -> None:
    async with watched(100, patience_s=3600) as watch:
        watch.press("?")
        await watch.rest()
        watch.press("\x1b")
        await watch.rest()
        assert watch.state.help is not None  # it may be the beginning of something
        clock.ahead_s += 0.06
        await watch.rest()
        assert watch.state.help is None
        watch.press("x")
        await watch.rest()
        assert watch.state.notice is not None
        assert watch.state.notice.text == NO_RIGHT


def test_escape_and_a_letter_later_are_two_keys() -> None:
    with asyncio.Runner(loop_factory=Clock) as runner:
        clock = runner.get_loop()
        assert isinstance(clock, Clock)
        runner.run(_press_escape(clock))


async def _leave_the_window(key: str, shown: str) -> None:
    async with watched(900, patience_s=3600) as watch:
        draws, older = watch.draws, watch.talk.asked[-1]
        watch.press(KEYS.get(key, key))
        await watch.talk.asks()
        await watch.rest()
        watch.talk.answer(older, 900, seq=2)  # a tick that was on its way
        await watch.rest()
        assert watch.draws == draws
        watch.talk.answer(watch.talk.asked[-1], 900, seq=3)
        await watch.until(lambda: watch.draws > draws)
        assert watch.draws == draws + 1
        text = watch.drawn()
        assert shown in text
        assert "…" not in text
        watch.press(KEYS["Up"])
        await watch.until(lambda: watch.draws == draws + 2)  # what is here is drawn at once


@pytest.mark.parametrize(("key", "shown"), [("End", "882-900 of 900"), ("r", "rate ▲"), ("U", "TCP UDP")])
def test_a_key_that_needs_other_rows_draws_once_when_they_are_here(key: str, shown: str) -> None:
    asyncio.run(_leave_the_window(key, shown))


async def _wait_in_vain() -> None:
    async with watched(900, patience_s=0.01) as watch:
        watch.press(KEYS["End"])
        draws = watch.draws
        await watch.until(lambda: watch.draws > draws)
        text = watch.drawn()
        assert "882-900 of 900" in text
        assert text.count("…") >= 18
        watch.press(KEYS["Home"])  # the rows of the first page are here
        await watch.until(lambda: "192.0.2.2 " in watch.drawn())


def test_rows_that_take_long_leave_their_places_to_be_seen() -> None:
    asyncio.run(_wait_in_vain())


def test_a_terminal_without_a_cursor_gets_the_plain_table(make_daemon: MakeDaemon, view: View) -> None:
    terminal = view(make_daemon(), TERM="dumb")
    terminal.wait_for("192.0.2.2")
    assert b"\x1b" not in terminal.raw


def test_a_locale_without_unicode_gets_ascii_and_straight_columns(make_daemon: MakeDaemon, view: View) -> None:
    flows = [flow(1, dst_name="例え.example.jp"), flow(2), flow(3, dst_name="a" * 50)]
    terminal = view(make_daemon(flows), LC_ALL="C", PYTHONCOERCECLOCALE="0", PYTHONUTF8="0")
    terminal.wait_for("1-3 of 3")
    assert terminal.text().isascii()
    assert "????.example.jp" in terminal.text()
    assert "> 1.83 MB/s  < 3.67 MB/s" in terminal.text()
    lines = terminal.lines()
    at = lines[3].index("RATEv") + len("RATEv")
    assert [len(line) for line in lines[4:7]] == [at] * 3


@pytest.mark.parametrize("key", ["\x1b[21~", "q"])
def test_f10_quits_as_q_does(make_daemon: MakeDaemon, view: View, key: str) -> None:
    terminal = view(make_daemon())
    terminal.wait_for("1-3 of 3")
    terminal.send(key)
    assert terminal.wait_for_end() == (0, "")


def test_f1_is_the_help(make_daemon: MakeDaemon, view: View) -> None:
    terminal = view(make_daemon())
    terminal.wait_for("1-3 of 3")
    terminal.send("\x1bOP")
    terminal.wait_for("Navigation")
