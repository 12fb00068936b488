"""The modes with a private daemon."""

import json
import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from flowtop_client.cli import main
from flowtopd.replay.recorder import sample_of
from flowtopd.wire.demo import DEMO
from tests.flowtop_client.conftest import MakeDaemon
from tests.flowtopd.batches import Flow, tick
from tests.flowtopd.wire.recorded import written

FLOWTOP = [sys.executable, "-m", "flowtop_client"]


def test_standalone_is_for_root(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert main(["--standalone", "--once"]) == 1
    assert capsys.readouterr().err.startswith("flowtop: --standalone needs root")


class _ScriptedPrivateDaemon:
    """What `PrivateDaemon` is to the command line: a socket, and last words."""

    def __init__(self, viewer: socket.socket, last_words: str) -> None:
        self.viewer = viewer
        self._last_words = last_words

    def stop(self) -> str:
        self.viewer.close()
        return self._last_words


def test_root_without_a_daemon_gets_a_private_one(
    make_daemon: MakeDaemon, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    daemon = make_daemon(host="private")
    ours, theirs = socket.socketpair()
    daemon.serve(theirs)
    monkeypatch.delenv("FLOWTOP_SOCKET", raising=False)
    monkeypatch.setattr("flowtop_client.cli.DEFAULT_SOCKET", str(tmp_path / "none.sock"))
    monkeypatch.setattr("flowtop_client.standalone.PrivateDaemon", lambda _command: _ScriptedPrivateDaemon(ours, ""))
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert main(["--once", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["host"] == "private"


def test_a_private_daemon_that_fails_is_quoted(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ours, theirs = socket.socketpair()
    theirs.close()
    monkeypatch.setattr(
        "flowtop_client.standalone.PrivateDaemon",
        lambda _command: _ScriptedPrivateDaemon(ours, "flowtopd: no conntrack here"),
    )
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert main(["--standalone", "--once"]) == 1
    assert capsys.readouterr().err == "flowtop: the private daemon failed: flowtopd: no conntrack here\n"


def test_a_named_socket_never_falls_back_to_a_private_daemon(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert main(["--once", "--socket", str(tmp_path / "none.sock")]) == 1
    assert "no daemon listens" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (None, "No such file or directory"),
        (b"nothing of ours", "this is no recording of flowtop"),
        (written([]), "there is nothing in it"),
    ],
    ids=["absent", "other", "empty"],
)
def test_a_file_that_cannot_be_shown_is_one_line(
    content: bytes | None, why: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "x.flowtop"
    if content is not None:
        path.write_bytes(content)
    assert main(["--replay", str(path), "--json"]) == 1
    assert capsys.readouterr().err == f"flowtop: {path}: {why}\n"


def test_a_recording_is_shown_by_a_private_daemon_without_root(tmp_path: Path) -> None:
    """The real one, as the user nobody: neither the kernel nor any file but the recording is needed."""
    path = tmp_path / "x.flowtop"
    path.write_bytes(written([sample_of(tick(Flow()), 0.0), sample_of(tick(Flow(), Flow(sport=7, ctid=2)), 0.2)]))
    done = replayed(path, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    snapshots = [json.loads(line) for line in done.stdout.splitlines()]
    assert [len(each["flows"]) for each in snapshots] == [1, 2]
    assert snapshots[0]["flows"][0]["dst"] == "1.1.1.1"
    assert snapshots[0]["host"] == "router"


def test_a_cut_recording_plays_to_the_break_and_says_so(tmp_path: Path) -> None:
    path = tmp_path / "x.flowtop"
    path.write_bytes(written([sample_of(tick(Flow()), 0.0), sample_of(tick(Flow(sport=7, ctid=2)), 0.2)])[:-3])
    done = replayed(path, "--json")
    assert done.returncode == 1
    assert len(done.stdout.splitlines()) == 1
    assert re.fullmatch(
        r"flowtop: the recording is broken at byte \d+, after 0.0 s: the file ends too early\n", done.stderr
    )


def test_the_demo_shows_devices_names_and_processes() -> None:
    done = replayed(DEMO, "--json", "--all", "--once", option="--demo")
    assert done.returncode == 0, done.stderr
    flows = json.loads(done.stdout)["flows"]
    assert {"laptop", "living-room-tv", "router"} <= {flow["device"] for flow in flows}
    assert {"unbound"} <= {flow["process"] for flow in flows}
    assert "cache7.video.example" in {flow["dst_name"] for flow in flows}
    assert DEMO.stat().st_size < 200_000


def replayed(path: Path, *options: str, option: str = "--replay") -> subprocess.CompletedProcess[str]:
    """Run the viewer with nobody's rights, where it can read the program."""
    argv = [*FLOWTOP, option, *([str(path)] if option == "--replay" else []), "-t", "0.1", *options]
    if os.geteuid() == 0:
        path.chmod(0o644)
        argv = ["setpriv", "--bounding-set", "-all", "--inh-caps", "-all", *argv]
    return subprocess.run(argv, capture_output=True, text=True, timeout=30, check=False)


def test_activate_is_a_private_daemon_that_tracks(monkeypatch: pytest.MonkeyPatch) -> None:
    commands: list[tuple[str, ...]] = []

    def start(command: tuple[str, ...]) -> _ScriptedPrivateDaemon:
        commands.append(command)
        ours, theirs = socket.socketpair()
        theirs.close()
        return _ScriptedPrivateDaemon(ours, "")

    monkeypatch.setattr("flowtop_client.standalone.PrivateDaemon", start)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    main(["--activate", "--once"])
    main(["--standalone", "--once"])
    assert [command[-1] for command in commands] == ["--activate", "flowtopd"]


def test_activate_is_for_root_and_has_no_socket(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert main(["--activate", "--once"]) == 1
    assert "`sudo flowtop --activate`" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["--activate", "--socket", "/s"])
    assert "--activate and --socket" in capsys.readouterr().err
