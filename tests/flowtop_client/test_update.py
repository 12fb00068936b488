"""`flowtop -u` against a daemon that does what a test says."""

import os
import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from flowtop_client.cli import main
from flowtop_client.connection.advice import for_permission, this_user
from flowtop_client.options import parse
from flowtopd.wire.errors import ErrorCode
from flowtopd.wire.messages import Error, Hello, Progress, Update, ViewerMessage
from testbed.daemon import ROOT
from testbed.terminal import Terminal
from tests.flowtop_client.conftest import MakeDaemon
from tests.flowtop_client.scripted_daemon import Answer, Peer, ScriptedDaemon, plain_answer

FLOWTOP = [sys.executable, "-m", "flowtop_client"]


def telling(*messages: Progress | Error) -> Answer:
    """An answer to an update."""

    def answer(daemon: ScriptedDaemon, peer: Peer, message: ViewerMessage) -> None:
        plain_answer(daemon, peer, message)
        if isinstance(message, Update):
            for each in messages:
                peer.send(each)

    return answer


def flowtop_u(path: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*FLOWTOP, "-u", "--socket", path], capture_output=True, text=True, timeout=30, check=False, cwd=ROOT
    )


def test_it_shows_how_it_goes_and_ends_as_the_update_ends(make_daemon: MakeDaemon) -> None:
    daemon = make_daemon(
        answer=telling(
            Progress("asn", 0, 1_000_000),
            Progress("asn", 510_000, 1_000_000, 1e6, 0.5),
            Progress(text="asn: 1.0 MB of 2026-11-24 from mirror"),
            Progress(ended=True),
        )
    )
    done = flowtop_u(daemon.path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "asn: 0.5 of 1.0 MB\nasn: 1.0 MB of 2026-11-24 from mirror\n"
    assert [type(message) for message in daemon.got] == [Hello, Update]


def test_a_failed_update_is_status_1_and_says_why_on_stderr(make_daemon: MakeDaemon) -> None:
    bad = Progress(text="asn: mirror: the checksum does not match", good=False)
    daemon = make_daemon(answer=telling(bad, Progress(good=False, ended=False)))
    done = flowtop_u(daemon.path)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "flowtop: asn: mirror: the checksum does not match\n"


def test_who_may_not_is_told_so(make_daemon: MakeDaemon) -> None:
    daemon = make_daemon(answer=telling(Error(ErrorCode.DENIED, "only root and members of the group")))
    done = flowtop_u(daemon.path)
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "flowtop: the daemon refused: only root and members of the group",
        f"flowtop: {for_permission(daemon.path, this_user())}",
    ]


def test_without_a_daemon_it_says_what_helps(tmp_path: Path) -> None:
    done = flowtop_u(str(tmp_path / "none.sock"))
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        f"flowtop: no daemon listens on {tmp_path}/none.sock",
        "flowtop: `sudo flowtopd --update` does it without one",
    ]


def test_a_daemon_that_is_lost_on_the_way_is_status_1(make_daemon: MakeDaemon) -> None:
    def leaving(daemon: ScriptedDaemon, peer: Peer, message: ViewerMessage) -> None:
        telling(Progress(text="country: up to date"))(daemon, peer, message)
        if isinstance(message, Update):
            peer.sock.shutdown(2)

    done = flowtop_u(make_daemon(answer=leaving).path)
    assert (done.returncode, done.stdout) == (1, "country: up to date\n")
    assert done.stderr == "flowtop: lost the daemon: it closed the connection\n"


def test_text_of_the_daemon_is_cleaned(make_daemon: MakeDaemon) -> None:
    daemon = make_daemon(answer=telling(Progress(text="\x1b[2Jgone", good=True), Progress(ended=True)))
    assert "\x1b" not in flowtop_u(daemon.path).stdout


def test_on_a_terminal_there_is_a_bar_that_goes_away(make_daemon: MakeDaemon) -> None:
    more = threading.Event()

    def slowly(daemon: ScriptedDaemon, peer: Peer, message: ViewerMessage) -> None:
        telling(Progress("asn", 5_000_000, 10_000_000, 1e6, 5.0))(daemon, peer, message)
        if isinstance(message, Update):
            threading.Thread(target=end, args=(peer,)).start()

    def end(peer: Peer) -> None:
        more.wait(20)
        peer.send(Progress(ended=True))

    daemon = make_daemon(answer=slowly)
    with Terminal([*FLOWTOP, "-u", "--socket", daemon.path], columns=100, rows=5, cwd=ROOT) as terminal:
        terminal.wait_for(re.compile(r"asn      \[█{12} {12}\]  50 %   5\.0 of 10\.0 MB   1\.0 MB/s   5 s left"))
        more.set()
        assert terminal.exit_status() == 0
        assert "asn" not in terminal.screen()


def test_a_reader_that_has_gone_is_no_failure(make_daemon: MakeDaemon) -> None:
    daemon = make_daemon(answer=telling(*[Progress(text=f"line {number}") for number in range(2000)]))
    reading, writing = os.pipe()
    with subprocess.Popen([*FLOWTOP, "-u", "--socket", daemon.path], stdout=writing, cwd=ROOT) as viewer:
        os.close(writing)
        os.read(reading, 10)
        os.close(reading)
        assert viewer.wait(20) == 0


def test_it_has_a_short_and_a_long_option() -> None:
    assert parse(["-u"], terminal=True).update
    assert parse(["--update"], terminal=False).update
    assert not parse([], terminal=True).update


def test_it_needs_a_daemon_of_the_system(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["-u", "--standalone"])
    assert caught.value.code == 2
    assert "without a daemon it is `flowtopd --update`" in capsys.readouterr().err
