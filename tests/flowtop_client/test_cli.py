"""The command as a shell sees it: statuses, streams, signals, sockets."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from flowtop_client.cli import main
from flowtop_client.connection.advice import for_no_daemon
from flowtopd.wire.fields import EXTRA_FIELDS
from flowtopd.wire.recording_file import open_recording
from testbed.netns import wait_until
from tests.flowtop_client.conftest import MakeDaemon
from tests.flowtop_client.scripted_daemon import flow
from tests.flowtopd.wire.recorded import written

FLOWTOP = [sys.executable, "-m", "flowtop_client"]


def test_no_daemon_is_one_line_what_helps_and_status_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(tmp_path / "none.sock")
    assert main(["--once", "--socket", path]) == 1
    assert capsys.readouterr().err == f"flowtop: no daemon listens on {path}\nflowtop: {for_no_daemon()}\n"


def test_a_socket_out_of_the_environment_is_said_to_be_from_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FLOWTOP_SOCKET", str(tmp_path / "none.sock"))
    assert main(["--once"]) == 1
    assert capsys.readouterr().err.startswith(f"flowtop: no daemon listens on {tmp_path}/none.sock ($FLOWTOP_SOCKET)\n")


def test_the_environment_names_the_socket(
    make_daemon: MakeDaemon, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FLOWTOP_SOCKET", make_daemon().path)
    assert main(["--once", "--json", "--limit", "2"]) == 0
    assert len(json.loads(capsys.readouterr().out)["flows"]) == 2


def test_a_reader_that_leaves_is_no_failure(make_daemon: MakeDaemon) -> None:
    daemon = make_daemon()
    with subprocess.Popen(
        [*FLOWTOP, "--text", "--socket", daemon.path], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as flowtop:
        assert flowtop.stdout is not None
        assert flowtop.stderr is not None
        assert flowtop.stdout.readline().startswith(b"PROCESS")
        flowtop.stdout.close()
        while flowtop.poll() is None:
            daemon.push()
            try:
                flowtop.wait(0.05)
            except subprocess.TimeoutExpired:
                continue
        assert flowtop.stderr.read() == b""
    assert flowtop.returncode == 0


def test_ctrl_c_ends_batch_output_with_130_and_no_traceback(make_daemon: MakeDaemon) -> None:
    daemon = make_daemon()
    with subprocess.Popen(
        [*FLOWTOP, "--json", "--socket", daemon.path], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as flowtop:
        assert flowtop.stdout is not None
        assert flowtop.stderr is not None
        assert json.loads(flowtop.stdout.readline())["seq"] == 1
        flowtop.send_signal(signal.SIGINT)
        assert flowtop.wait(20) == 130
        assert flowtop.stderr.read() == b""


def test_recording_ends_with_ctrl_c_and_a_word_about_it(make_daemon: MakeDaemon, tmp_path: Path) -> None:
    daemon = make_daemon([flow(1, **dict.fromkeys(field.name for field in EXTRA_FIELDS))])
    path = tmp_path / "x.flowtop"
    with subprocess.Popen(
        [*FLOWTOP, "--record", str(path), "--socket", daemon.path], stderr=subprocess.PIPE, stdout=subprocess.PIPE
    ) as flowtop:
        wait_until(lambda: path.exists() and path.stat().st_size > len(written([])) + 20)
        flowtop.send_signal(signal.SIGINT)
        assert flowtop.wait(20) == 0
        assert flowtop.stderr is not None
        assert re.search(rb"x.flowtop: 1 snapshots of up to 1 flows in 0 s, \d+ bytes\n", flowtop.stderr.read())
    with open_recording(path) as recording:
        assert (len(recording), recording.trouble) == (1, "")


def run(*options: str, shell: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    """`flowtop` as a shell starts it, with these redirections."""
    command = " ".join([sys.executable, "-m", "flowtop_client", *options, shell])
    return subprocess.run(
        ["sh", "-c", command],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=dict(os.environ) | environment,
    )


@pytest.mark.parametrize("form", ["--json", "--csv", "--text", "--json --once"])
def test_a_full_disk_is_one_line_and_status_1(make_daemon: MakeDaemon, form: str) -> None:
    done = run("--socket", make_daemon([flow(number) for number in range(1, 500)]).path, form, shell=">/dev/full")
    assert (done.returncode, done.stderr) == (1, "flowtop: cannot write: No space left on device\n")


@pytest.mark.parametrize("closed", ["<&-", ">&-", "<&- >&-"])
def test_closed_streams_do_no_harm(make_daemon: MakeDaemon, closed: str) -> None:
    done = run("--socket", make_daemon().path, "--once", shell=closed)
    assert (done.returncode, done.stderr) == (0, "")
    assert ("192.0.2.2" in done.stdout) == (">" not in closed)
