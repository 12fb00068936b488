"""What is configured and chosen, on a real terminal against a scripted daemon. Screens are stored as in `test_app`."""

import os
import re
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from flowtop_client.tui.key_bindings import SECTIONS, Command, Key
from flowtop_client.view_state.state import Mode
from tests.flowtop_client.conftest import MakeDaemon
from tests.flowtop_client.scripted_daemon import flow, made_up
from tests.flowtop_client.stored_screens import assert_screen
from tests.flowtop_client.terminal import Terminal
from tests.flowtop_client.tui.test_app import View

HUNDRED = [flow(number) for number in range(1, 101)]

NEW = [flow(1), flow(2, duration=0.5), flow(3, duration=2.0, process="new"), flow(4)]


@pytest.fixture
def view() -> Iterator[View]:
    with ExitStack() as stack:

        def open_viewer(daemon: object, *arguments: str, **options: int | str) -> Terminal:
            path = daemon.path  # type: ignore[attr-defined]
            return stack.enter_context(Terminal(["--socket", path, *arguments], **options))  # type: ignore[arg-type]

        yield open_viewer


@pytest.fixture
def config() -> Path:
    path = Path(os.environ["XDG_CONFIG_HOME"]) / "flowtop" / "config.toml"
    path.parent.mkdir(parents=True)
    return path


def click(x: int, y: int) -> str:
    """The left button at a cell, as terminals report it."""
    return f"\x1b[<0;{x + 1};{y + 1}M\x1b[<0;{x + 1};{y + 1}m"


WHEEL_DOWN, WHEEL_UP = "\x1b[<65;10;10M", "\x1b[<64;10;10M"


def test_the_file_says_how_the_viewer_begins_and_options_win(make_daemon: MakeDaemon, view: View, config: Path) -> None:
    config.write_text(
        'view = "processes"\nbits = true\nprotocols = "all"\n[sort]\nprocesses = "flows:desc"\nflows = "bytes"\n'
    )
    daemon = make_daemon(made_up(100))
    terminal = view(daemon)
    terminal.wait_for("sort flows ▼  all protocols, bits/s")
    terminal.send("1")
    terminal.wait_for("sort bytes ▼")
    other = view(daemon, "-T", "--view", "hosts", "--sort", "name")
    other.wait_for("sort name ▲  TCP, bits/s")


def test_output_for_scripts_is_the_same_for_everybody(make_daemon: MakeDaemon, config: Path) -> None:
    import subprocess
    import sys

    def said() -> str:
        command = [sys.executable, "-m", "flowtop_client", "--socket", daemon.path, "--once", "--csv"]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=20).stdout

    daemon = make_daemon(HUNDRED)
    plain = said()
    config.write_text('view = "processes"\nfilter = "udp"\n[sort]\nflows = "dst"\n')
    assert said() == plain


@pytest.mark.parametrize("width", [60, 80, 120])
def test_what_is_wrong_with_the_file_is_on_the_screen(
    make_daemon: MakeDaemon, view: View, config: Path, width: int
) -> None:
    config.write_text(
        'thmee = "dark"\ninterval = 99999\n[keys]\npasue = ["p"]\n[columns]\nflows = ["adress", "rate"]\n'
    )
    terminal = view(make_daemon(HUNDRED), width=width)
    terminal.wait_for("1-19 of 100")
    assert_screen(terminal, f"warnings-{width}x24")


def test_a_broken_file_is_one_warning_and_is_never_overwritten(
    make_daemon: MakeDaemon, view: View, config: Path
) -> None:
    config.write_text("theme = dark\n")
    terminal = view(make_daemon(HUNDRED), width=120)
    terminal.wait_for("config: not valid TOML: Invalid value (at line 1, column 9)")
    terminal.send("W")
    terminal.wait_for("not written: not valid TOML")
    assert config.read_text() == "theme = dark\n"
    terminal.send("q")
    assert terminal.wait_for_end() == (0, "")


@pytest.mark.parametrize(("width", "height"), [(60, 10), (80, 24), (120, 24), (200, 50)])
def test_the_chooser_looks_as_stored(make_daemon: MakeDaemon, view: View, width: int, height: int) -> None:
    terminal = view(make_daemon(made_up(200), host="home"), "--all", width=width, height=height)
    terminal.wait_for("1-")
    terminal.send("C")
    terminal.wait_for("columns of flows")
    terminal.send("Space", "Down", ">")
    terminal.wait(lambda: "PID" in terminal.lines()[3], "the column further down")
    assert_screen(terminal, f"columns-{width}x{height}")


def test_columns_are_chosen_kept_scrolled_and_written(make_daemon: MakeDaemon, view: View, config: Path) -> None:
    config.write_text("# mine\n")
    daemon = make_daemon(HUNDRED)
    terminal = view(daemon, width=60)
    terminal.wait_for("ADDRESS")
    terminal.send("F2")
    terminal.wait_for("[x] PROTO")
    terminal.send("End", *["K"] * 40, "Space")
    terminal.wait_for("[x] ←RATE")
    terminal.send("Esc")
    terminal.wait_without("←RATE")
    terminal.send("F2", "End", *["<"] * 40, "Space", "Down", "Space", "Enter")
    terminal.wait(lambda: terminal.lines()[3].lstrip().startswith("←RATE"), "the chosen columns")
    terminal.send("C", "w")
    terminal.wait_for("written to ")
    assert config.read_text().startswith('# mine\n\n[columns]\nflows = ["reply_rate", ')
    again = view(daemon, width=60)
    again.wait(lambda: again.lines()[3].lstrip().startswith("←RATE"), "the written columns")
    again.send("C", "a")
    again.wait(lambda: again.lines()[3].startswith("PROTO"), "as many columns as there is room for")


def test_themes_follow_one_another_and_no_color_has_none(make_daemon: MakeDaemon, view: View) -> None:
    daemon = make_daemon(HUNDRED)
    terminal = view(daemon, "--theme", "dark")
    terminal.wait_for("1-19 of 100")
    assert terminal.attributes(0)[0].fg == "cyan"
    terminal.send("Ctrl-T")
    terminal.wait(lambda: terminal.attributes(0)[0].fg == "blue", "the light theme")
    terminal.send("Ctrl-T")
    terminal.wait(lambda: terminal.attributes(0)[0].fg == "default", "the theme without colours")
    plain = view(daemon, "--theme", "light", NO_COLOR="1")
    plain.wait_for("1-19 of 100")
    assert {(cell.fg, cell.bg) for row in range(24) for cell in plain.attributes(row)} == {("default", "default")}
    assert not re.search(rb"\x1b\[[0-9;]*\b[34]8;", plain.raw)
    assert re.search(rb"\x1b\[(\d+;)*2m", plain.raw)  # faint: the theme without colours is on, not another one's bold


@pytest.mark.parametrize("theme", ["dark", "mono"])
def test_new_flows_are_marked_in_every_theme(make_daemon: MakeDaemon, view: View, theme: str) -> None:
    terminal = view(make_daemon(NEW), "--theme", theme)
    terminal.wait_for("1-4 of 4")
    rows = terminal.lines()[4:8]
    assert ["+" in row for row in rows] == [False, True, True, False]
    bold = [terminal.attributes(row)[9].bold for row in range(4, 8)]
    assert bold[1:3] == [True, True]
    assert not bold[3]


KEPT = ["3.00k", "6.00k", "9.00k", "12.0k", "15.0k", "27.0k"]


def test_the_order_is_kept_and_let_go_again(make_daemon: MakeDaemon, view: View) -> None:
    daemon = make_daemon([flow(number) for number in range(1, 6)])
    terminal = view(daemon)
    terminal.wait_for("1-5 of 5")
    terminal.send("z")
    terminal.wait_for("order kept")
    daemon.push([flow(9, orig_rate=1e9), *(flow(number) for number in range(2, 6))])
    terminal.wait_for("1-6 of 6")
    assert [line.split()[-2] for line in terminal.lines()[4:10]] == [
        "3.00k",
        "6.00k",
        "9.00k",
        "12.0k",
        "15.0k",
        "27.0k",
    ]
    terminal.send("z")
    terminal.wait_for("1-5 of 5")
    assert terminal.lines()[4].split()[-2] == "27.0k"


def test_the_mouse_selects_opens_sorts_scrolls_and_switches(make_daemon: MakeDaemon, view: View) -> None:
    terminal = view(make_daemon(made_up(200)), "--all", width=120)
    terminal.wait_for("1-19 of 200")
    assert b"\x1b[?1000h" in terminal.raw
    terminal.send(click(5, 8))
    terminal.wait(lambda: terminal.selected() == 8, "the selected row")
    terminal.send(WHEEL_DOWN)
    terminal.wait_for("4-22 of 200")
    terminal.send(WHEEL_UP)
    terminal.wait_for("1-19 of 200")
    terminal.send(click(terminal.lines()[3].index("BYTES"), 3))
    terminal.wait_for("sort bytes ▼")
    terminal.send(click(terminal.lines()[3].index("BYTES"), 3))
    terminal.wait_for("sort bytes ▲")
    terminal.send(click(terminal.lines()[2].index("Processes"), 2))
    terminal.wait_for("1-10 of 10")
    terminal.send(click(5, 7), click(5, 7))
    terminal.wait_for("Processes \u203a ")
    terminal.send("Esc")
    terminal.wait_without("Processes \u203a ")
    terminal.wait(lambda: terminal.selected() == 7, "the row that was opened")
    terminal.send(click(6, 7), click(6, 7))  # selected already: the second half of the double click means nothing
    terminal.wait_for("Processes \u203a ")
    terminal.send("?")
    terminal.wait_for("closes the help")
    terminal.send("Esc")
    terminal.wait(lambda: terminal.selected() == 4, "the first row of what was opened")
    terminal.send("q")
    assert terminal.wait_for_end() == (0, "")
    assert terminal.raw.rindex(b"\x1b[?1000l") > terminal.raw.rindex(b"\x1b[?1000h")


@pytest.mark.parametrize("how", ["option", "file"])
def test_the_mouse_is_left_to_the_terminal_where_that_is_wanted(
    make_daemon: MakeDaemon, view: View, config: Path, how: str
) -> None:
    config.write_text("mouse = false\n" if how == "file" else "")
    terminal = view(make_daemon(HUNDRED), *(["--no-mouse"] if how == "option" else []))
    terminal.wait_for("1-19 of 100")
    assert b"\x1b[?1000h" not in terminal.raw


def test_keys_are_those_of_the_file_in_the_help_too(make_daemon: MakeDaemon, view: View, config: Path) -> None:
    config.write_text('[keys]\npause = ["p"]\nquit = ["Q"]\n')
    terminal = view(make_daemon(HUNDRED), height=60)
    terminal.wait_for("1-55 of 100")
    terminal.send("q", "p")
    terminal.wait_for("PAUSED")
    terminal.send("?")
    terminal.wait_for(" p           Pause, and go on")
    terminal.send("Q")
    terminal.wait_without("Pause, and go on")
    terminal.send("Q")
    assert terminal.wait_for_end() == (0, "")


def test_filters_are_remembered_from_one_viewer_to_the_next(make_daemon: MakeDaemon, view: View) -> None:
    daemon = make_daemon(HUNDRED)
    first = view(daemon)
    first.wait_for("1-19 of 100")
    first.send("/", "dst port 443", "Enter")
    first.wait_for("/dst port 443")
    first.send("q")
    first.wait_for_end()
    second = view(daemon)
    second.wait_for("1-19 of 100")
    second.send("/", "Up")
    second.wait_for("/dst port 443")


OUT = ("Esc", "Esc", "Esc", "Esc", "1")
"""Out of whatever is open."""

OPENERS = {Mode.ROWS: "", Mode.FILTER: "/", Mode.HELP: "?", Mode.SEARCH: "?/", Mode.COLUMNS: "C"}

SEQUENCES = {
    "up": "\x1b[A",
    "down": "\x1b[B",
    "right": "\x1b[C",
    "left": "\x1b[D",
    "pageup": "\x1b[5~",
    "pagedown": "\x1b[6~",
    "home": "\x1b[H",
    "end": "\x1b[F",
    "escape": "\x1b",
    "tab": "\t",
    "s-tab": "\x1b[Z",
    "enter": "\r",
    "backspace": "\x7f",
    "delete": "\x1b[3~",
    "f2": "\x1bOQ",
    "f4": "\x1bOS",
    "space": " ",
}


def sequence(name: str) -> str:
    if name.startswith("c-"):
        return chr(ord(name[2]) - ord("a") + 1)
    return SEQUENCES.get(name, name)


def test_every_key_of_the_table_is_pressed_in_every_mode_that_it_has(make_daemon: MakeDaemon, view: View) -> None:
    """After each of them the viewer still answers. Keys that end or suspend it have tests of their own."""
    terminal = view(make_daemon(made_up(50)), "--all", width=120)
    terminal.wait_for("1-19 of 50")
    keys: list[Key] = [
        key for _, section in SECTIONS for key in section if key.action not in set(Command) - {Command.WRITE}
    ]
    for mode, opener in OPENERS.items():
        for key in keys:
            for name in key.keys if mode in key.modes else ():
                terminal.send(*opener, sequence(name))
                terminal.send("\x15" if mode in {Mode.FILTER, Mode.SEARCH} else "")
                terminal.send(*OUT)
        terminal.send("?")
        terminal.wait_for("closes the help")
        terminal.send("Esc")
        terminal.wait_for("ADDRESS")
    assert terminal.process.poll() is None
