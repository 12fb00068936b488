"""Details, deeds and recordings on a real terminal: keys in, screens out; against a scripted daemon and real ones.

The screens are stored as text in `screens/`; after a change that is meant, FLOWTOP_WRITE_SCREENS=1 writes them anew.
"""

import base64
import re
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from flowtop_client.view_state.acting import NO_RIGHT
from flowtop_client.view_state.replaying import NO_RECORDING
from flowtopd.wire.errors import ErrorCode, RecordingError
from flowtopd.wire.messages import Delete, Error, FlowRequest, Kill, Replay, Seek
from flowtopd.wire.recording_file import open_recording
from testbed import conntrack
from testbed.daemon import ROOT, Daemon
from testbed.netns import Namespace
from testbed.router import ROUTER_V4, Router
from testbed.terminal import Terminal as Shell
from tests.flowtop_client.conftest import MakeDaemon
from tests.flowtop_client.scripted_daemon import ScriptedDaemon
from tests.flowtop_client.scripted_details import LOCAL, NATTED, Deeds
from tests.flowtop_client.stored_screens import assert_screen
from tests.flowtop_client.terminal import Terminal

FLOWS = [NATTED, LOCAL]
REPLAY = Replay(20.0, 58.0, 1.0, paused=False, ended=False)


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as opened:
        yield opened


def open_viewer(
    stack: ExitStack, daemon: ScriptedDaemon, *, width: int = 80, height: int = 24, env: dict[str, str] | None = None
) -> Terminal:
    """A viewer of two flows, the one with NAT selected."""
    terminal = stack.enter_context(
        Terminal(["--socket", daemon.path], width=width, height=height, TZ="UTC", **(env or {}))
    )
    terminal.wait(lambda: re.match(r"1-\d of \d .*\? help", terminal.lines()[-1]), "a whole screen")
    return terminal


def samples(directory: Path) -> int:
    """How many samples the only recording there has by now."""
    try:
        (path,) = directory.iterdir()
        with open_recording(path) as recording:
            return len(recording.times)
    except (ValueError, RecordingError):
        return 0


def copied(terminal: Terminal) -> str:
    """The last text that was given to the clipboard."""
    return base64.b64decode(re.findall(rb"\x1b\]52;c;([^\x07]*)\x07", terminal.raw)[-1]).decode()


@pytest.mark.parametrize(("width", "height"), [(60, 24), (80, 24), (120, 40), (200, 50)])
def test_details_and_a_question_look_as_stored(
    make_daemon: MakeDaemon, stack: ExitStack, width: int, height: int
) -> None:
    terminal = open_viewer(stack, make_daemon(FLOWS, answer=Deeds()), width=width, height=height)
    terminal.send("Enter")
    terminal.wait(lambda: re.match(r"1-\d\d of", terminal.lines()[-1]), "a place in the details")
    assert_screen(terminal, f"details-{width}x{height}")
    terminal.send("x")
    terminal.wait_for("y yes")
    assert_screen(terminal, f"question-{width}x{height}")


def test_details_in_a_locale_without_blocks_are_ascii(make_daemon: MakeDaemon, stack: ExitStack) -> None:
    plain = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    terminal = open_viewer(stack, make_daemon(FLOWS, answer=Deeds()), env=plain)
    terminal.send("Enter")
    terminal.wait(lambda: re.match(r"1-\d\d of", terminal.lines()[-1]), "a place in the details")
    assert_screen(terminal, "details-ascii-80x24")


@pytest.mark.parametrize("key", ["Esc", "Enter", "Backspace"])
def test_details_are_followed_scrolled_and_left_to_the_same_place(
    make_daemon: MakeDaemon, stack: ExitStack, key: str
) -> None:
    daemon = make_daemon(FLOWS, answer=Deeds())
    terminal = open_viewer(stack, daemon)
    before = terminal.text()
    terminal.send("Enter")
    terminal.wait_for("1.00 MB/s, 1.00 kB")
    daemon.push([NATTED | {"orig_bytes": 77_000}, LOCAL])
    terminal.wait_for("1.00 MB/s, 77.0 kB")
    terminal.send("b")
    terminal.wait_for("8.00 Mbit/s, 77.0 kB")
    terminal.send("b", "PgDn", "Down")
    terminal.wait_for("24-45 of ")
    terminal.send("End", "PgUp", "Up", "Home")
    terminal.wait_for("1-22 of ")
    daemon.push(FLOWS)
    terminal.send(key)
    terminal.wait(lambda: terminal.text() == before, f"the screen from before:\n{before}")
    daemon.wait_for(lambda: daemon.got[-1] == FlowRequest(""))


def test_a_flow_that_ends_says_so_and_stays(make_daemon: MakeDaemon, stack: ExitStack) -> None:
    daemon = make_daemon(FLOWS, answer=Deeds())
    terminal = open_viewer(stack, daemon)
    terminal.send("Enter")
    terminal.wait_for("Rate reply")
    daemon.push([LOCAL])
    terminal.wait_for("This flow is gone")
    terminal.wait_for("192.168.1.11:40001")
    terminal.send("Esc")
    terminal.wait_for("1-1 of 1")


@pytest.mark.parametrize("env", [{}, {"TMUX": "/tmp/tmux,1,0"}])
def test_c_copies_the_row_and_the_details(make_daemon: MakeDaemon, stack: ExitStack, env: dict[str, str]) -> None:
    terminal = open_viewer(stack, make_daemon(FLOWS, answer=Deeds()), env=env)
    terminal.send("c")
    terminal.wait_for("the row is given to the clipboard")
    row = copied(terminal).split()
    assert {"tcp", "ESTABLISHED", "1.1.1.1", "https"} <= set(row)
    terminal.send("Enter")
    terminal.wait_for("Rate reply")
    terminal.send("c")
    terminal.wait_for("the details are given to the clipboard")
    text = copied(terminal)
    assert text.startswith("Path\n")
    assert "  reply       1.1.1.1:443 > 203.0.113.1:40001\n" in text
    assert (b"\x1bPtmux;\x1b\x1b]52;" in terminal.raw) == bool(env)


def test_x_deletes_only_after_y_and_the_answer_is_shown(make_daemon: MakeDaemon, stack: ExitStack) -> None:
    daemon = make_daemon(FLOWS, answer=Deeds())
    terminal = open_viewer(stack, daemon, width=120)
    terminal.wait_for("x end  X delete")
    for no in ("n", "N", "q", "Esc"):
        terminal.send("x")
        terminal.wait_for("Delete the kernel's entry of this flow? The flow goes on.")
        terminal.wait_for("  tcp 192.168.1.11:40001 > 1.1.1.1:443")
        terminal.send("1", no)  # 1 is no answer
        terminal.wait_for("1-2 of 2")
    assert not any(isinstance(message, Delete) for message in daemon.got)
    terminal.send("x", "y")
    daemon.wait_for(lambda: daemon.got[-1] == Delete("1"))
    terminal.wait_for("it is deleted")
    daemon.push()
    terminal.wait_without("1.1.1.1")


def test_x_closes_a_local_connection_and_what_failed_is_said(make_daemon: MakeDaemon, stack: ExitStack) -> None:
    failed = Error(ErrorCode.FAILED, "no socket of this host has it any more")
    daemon = make_daemon(FLOWS, answer=Deeds(outcome=lambda _message: failed))
    terminal = open_viewer(stack, daemon)
    terminal.send("Down", "X")
    terminal.wait_for("Delete the kernel's entry of this flow?")
    terminal.send("n", "x")
    terminal.wait_for("Close the TCP connection of this flow?")
    terminal.wait_for("firefox[4711]")
    terminal.send("Y")
    daemon.wait_for(lambda: daemon.got[-1] == Kill("2"))
    terminal.wait_for("no socket of this host has it any more")


@pytest.mark.parametrize("key", ["x", "X"])
def test_without_the_right_the_key_says_why(make_daemon: MakeDaemon, stack: ExitStack, key: str) -> None:
    terminal = open_viewer(stack, make_daemon(FLOWS, answer=Deeds(may=())), width=120)
    assert "x end" not in terminal.text()
    terminal.send(key)
    terminal.wait_for(NO_RIGHT)


def test_a_recording_is_paused_and_sought_in(make_daemon: MakeDaemon, stack: ExitStack) -> None:
    daemon = make_daemon(FLOWS, answer=Deeds(replay=REPLAY))
    terminal = open_viewer(stack, daemon)
    terminal.wait_for("replay 0:20 of 0:58 1 x")
    terminal.send("]")
    terminal.wait_for("replay 0:30 of 0:58")
    terminal.send("[", "[")
    terminal.wait_for("replay 0:10 of 0:58")
    terminal.send("Space")
    terminal.wait_for("0:58 paused")
    terminal.send("Enter")
    terminal.wait_for("Rate reply")
    terminal.send("Space")
    terminal.wait_for("0:58 1 x")
    said = [message for message in daemon.got if isinstance(message, Seek)]
    assert said[-2:] == [Seek(paused=True), Seek(paused=False)]
    assert not any(query.paused for query in daemon.queries())


@pytest.mark.parametrize("key", ["[", "]"])
def test_there_is_nothing_to_seek_in_where_a_kernel_is_shown(
    make_daemon: MakeDaemon, stack: ExitStack, key: str
) -> None:
    daemon = make_daemon(FLOWS, answer=Deeds())
    terminal = open_viewer(stack, daemon)
    terminal.send(key)
    terminal.wait_for(NO_RECORDING)
    assert not any(isinstance(message, Seek) for message in daemon.got)


def test_tmux_takes_what_is_copied_where_it_may(make_daemon: MakeDaemon) -> None:
    argv = [sys.executable, "-m", "flowtop_client", "--socket", make_daemon(FLOWS, answer=Deeds()).path]
    with Shell(argv, cwd=ROOT) as terminal:
        terminal.wait_for("ESTABLISHED")
        terminal._tmux("set", "-s", "set-clipboard", "on")
        terminal.send_keys("c")
        terminal.wait_for("the row is given to the clipboard")
        terminal.wait_for(lambda _screen: bool(terminal._tmux("list-buffers")))
        assert {"1.1.1.1", "https"} <= set(terminal._tmux("show-buffer").split())


@pytest.mark.kernel
def test_details_of_a_forwarded_flow_and_the_end_of_its_entry(router: Router, tmp_path: Path, stack: ExitStack) -> None:
    with router.wan.socket() as server, router.lan[0].socket() as client:
        server.bind(("1.1.1.1", 0))
        server.listen()
        client.connect(server.getsockname())
        port = client.getsockname()[1]
        daemon = stack.enter_context(Daemon(router.router, tmp_path))
        options = ["--socket", str(daemon.socket), "-t", "0.2", "-f", f"port {port}"]
        terminal = stack.enter_context(Terminal(options, width=120, height=50))
        terminal.wait_for("1-1 of 1")
        terminal.send("Enter")
        terminal.wait_for(f"192.168.1.11:{port} ─▶ {ROUTER_V4}:{port} ─▶ 1.1.1.1:{server.getsockname()[1]}")
        terminal.wait_for("neither end is on this host")
        terminal.send("x")
        terminal.wait_for("Delete the kernel's entry")
        assert port in {entry["sport"] for entry in conntrack.listing(router.router)}
        terminal.send("y")
        terminal.wait_for("its entry is deleted")
        assert port not in {entry["sport"] for entry in conntrack.listing(router.router)}
        terminal.wait_for("these are its final counters")  # as of all that have closed lately


@pytest.mark.kernel
def test_x_closes_the_sockets_of_a_real_connection(daemon: Daemon, stack: ExitStack) -> None:
    host = daemon.namespace
    with host.socket() as server, host.socket() as client:
        server.bind(("127.0.0.1", 0))
        server.listen()
        client.settimeout(10)
        client.connect(server.getsockname())
        filtered = f"port {client.getsockname()[1]}"
        options = ["--socket", str(daemon.socket), "--loopback", "-t", "0.2", "-f", filtered]
        terminal = stack.enter_context(Terminal(options, width=120))
        terminal.wait_for("1-1 of 1")
        terminal.send("x")
        terminal.wait_for("Close the TCP connection")
        terminal.send("y")
        terminal.wait_for("its connection is closed, its entry is deleted")
        with pytest.raises((ConnectionAbortedError, ConnectionResetError)):
            client.recv(1)


@pytest.mark.kernel
def test_big_r_writes_a_recording_of_what_is_seen(daemon: Daemon, namespace: Namespace, tmp_path: Path) -> None:
    directory = tmp_path / "here"
    directory.mkdir()
    with namespace.socket() as server, namespace.socket() as client:
        server.bind(("127.0.0.1", 0))
        server.listen()
        client.connect(server.getsockname())
        argv = [sys.executable, "-m", "flowtop_client", "--socket", str(daemon.socket), "--loopback", "-t", "0.2"]
        env = {"PYTHONPATH": str(ROOT)}
        with Shell(argv, columns=120, cwd=directory, env=env) as terminal:
            terminal.wait_for("ESTABLISHED")
            terminal.send_keys("4")  # the flows are recorded, whatever is looked at
            terminal.wait_for("HOST")
            terminal.send_keys("R")
            terminal.wait_for(re.compile(r"REC flowtop-\d+-\d+\.flowtop [\d.]+ k?B"))
            terminal.wait_for(lambda _screen: samples(directory) > 1)
            terminal.send_keys("R")
            terminal.wait_for(re.compile(r"recorded [1-9]\d* snapshots"))
            terminal.wait_for(lambda screen: "REC " not in screen)
            terminal.send_keys("q")
            assert terminal.exit_status() == 0
    (path,) = directory.iterdir()
    with open_recording(path) as recording:
        assert recording.sample(0)[1].columns["dport"]
