"""The way through ssh, with a program in place of ssh that says and does what a test wants. `tests/test_remote.py` has
the real one.
"""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from flowtop_client.connection import host
from flowtop_client.connection.link import Connection, Unavailable
from flowtop_client.connection.tunnel import Tunnel
from flowtopd.wire.messages import Query
from testbed.netns import alive, wait_until
from tests.flowtop_client.conftest import MakeDaemon

# the socket here is a symbolic link to the daemon's: what ssh does, without the way between
FORWARD = """
for word; do case $last in -L) pair=$word ;; esac; last=$word; done
ln -s "${pair#*:}" "${pair%%:*}"; echo $$ >>"$log.pids"; exec sleep 1000
"""

SetSsh = Callable[[str], Path]


@pytest.fixture
def set_ssh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SetSsh:
    """Have this shell script run as `ssh`; gives the file with the command lines that it got."""
    log = tmp_path / "ssh.log"
    program = tmp_path / "bin" / "ssh"
    program.parent.mkdir()
    (tmp_path / "runtime").mkdir(exist_ok=True)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "runtime"))
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")

    def set_script(script: str) -> Path:
        program.write_text(f'#!/bin/sh\nlog={log}\necho "$*" >>$log\n{script}\n', encoding="utf-8")
        program.chmod(0o755)
        return log

    return set_script


def way(tmp_path: Path, socket: str = "/nowhere", questions: asyncio.Lock | None = None) -> Tunnel:
    return Tunnel(host.parse("alice@router:2222"), "router", socket, tmp_path / "1.sock", questions)


def failure(tunnel: Tunnel) -> Unavailable:
    with pytest.raises(Unavailable) as raised:
        asyncio.run(tunnel.ready())
    return raised.value


def test_ssh_leads_to_the_daemon_and_ends_with_the_way(
    tmp_path: Path, set_ssh: SetSsh, make_daemon: MakeDaemon
) -> None:
    daemon, log = make_daemon(), set_ssh(FORWARD)
    tunnel = way(tmp_path, daemon.path)

    async def conversation() -> None:
        connection = Connection(tunnel, Query(tag=1))
        assert (await connection.open()).host == "router"
        await connection.close()

    asyncio.run(conversation())
    (said,) = log.read_text().splitlines()
    assert said.endswith(f"-p 2222 -L {tmp_path}/1.sock:{daemon.path} -- alice@router")
    assert "BatchMode" not in said
    (pid,) = map(int, (tmp_path / "ssh.log.pids").read_text().split())
    assert alive(pid)
    tunnel.close()
    tunnel.close()
    assert not alive(pid)
    assert not (tmp_path / "1.sock").exists()


@pytest.mark.parametrize(
    ("script", "what", "hint"),
    [
        (
            "echo 'ssh: Could not resolve hostname router: Name or service not known' >&2; exit 255",
            "router: Could not resolve hostname router: Name or service not known",
            "--host takes the names that `ssh -p 2222 alice@router` knows",
        ),
        (
            "echo 'alice@router: Permission denied (publickey).' >&2; exit 255",
            "router: alice@router: Permission denied (publickey).",
            "`ssh -p 2222 alice@router` must log in first",
        ),
        (
            "echo 'Host key verification failed.' >&2; exit 255",
            "router: Host key verification failed.",
            "`ssh -p 2222 alice@router` shows the key and asks about it",
        ),
        (
            "echo 'ssh: connect to host router port 2222: Connection refused' >&2; exit 255",
            "router: connect to host router port 2222: Connection refused",
            "`ssh -p 2222 alice@router` goes the same way; with -v it says more",
        ),
        ("exit 1", "router: ssh ended", "`ssh -p 2222 alice@router` goes the same way; with -v it says more"),
        (
            "printf 'ssh: \\033[31mred\\n' >&2; exit 255",
            "router: ?[31mred",
            "`ssh -p 2222 alice@router` goes the same way; with -v it says more",
        ),
    ],
)
def test_what_ssh_says_last_becomes_one_line_with_a_hint(
    tmp_path: Path, set_ssh: SetSsh, capfd: pytest.CaptureFixture[str], *, script: str, what: str, hint: str
) -> None:
    set_ssh(script)
    error = failure(way(tmp_path))
    assert (error.what, error.hint) == (what, hint)
    assert "ssh: " not in capfd.readouterr().err


def test_what_helps_with_a_question_is_shown_at_once(
    tmp_path: Path, set_ssh: SetSsh, make_daemon: MakeDaemon, capfd: pytest.CaptureFixture[str]
) -> None:
    set_ssh(f"printf 'Which second factor? 1: push \\a\\n' >&2; {FORWARD}")
    tunnel = way(tmp_path, make_daemon().path)
    asyncio.run(tunnel.ready())
    tunnel.close()
    assert capfd.readouterr().err == "Which second factor? 1: push ?\n"


def test_no_ssh_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert failure(way(tmp_path)).what == "ssh is not installed"


def test_a_path_that_is_too_long_is_said(tmp_path: Path) -> None:
    tunnel = Tunnel(host.parse("router"), "router", "/x", tmp_path / ("x" * 90))
    assert "too long" in failure(tunnel).what


def test_a_second_ssh_never_asks_and_one_that_would_have_to_is_the_last(
    tmp_path: Path, set_ssh: SetSsh, make_daemon: MakeDaemon
) -> None:
    log = set_ssh(FORWARD)
    tunnel = way(tmp_path, make_daemon().path)
    asyncio.run(tunnel.ready())
    (pid,) = map(int, (tmp_path / "ssh.log.pids").read_text().split())
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not tunnel.stands)
    set_ssh("echo 'alice@router: Permission denied (publickey,password).' >&2; exit 255")
    error = failure(tunnel)
    assert error.hint.endswith("start flowtop again")
    assert tunnel.final
    assert "BatchMode=yes" in log.read_text().splitlines()[1]


def test_of_several_each_is_tried_without_a_question_first(
    tmp_path: Path, set_ssh: SetSsh, make_daemon: MakeDaemon
) -> None:
    denied = "echo 'Permission denied (password).' >&2; exit 255"
    log = set_ssh(f'case "$*" in *BatchMode*) {denied} ;; esac; {FORWARD}')
    tunnel = way(tmp_path, make_daemon().path, asyncio.Lock())
    asyncio.run(tunnel.ready())
    tunnel.close()
    assert ["BatchMode=yes" in line for line in log.read_text().splitlines()] == [True, False]


def test_ssh_ends_with_a_viewer_that_is_killed(tmp_path: Path, set_ssh: SetSsh, make_daemon: MakeDaemon) -> None:
    set_ssh(FORWARD)
    argv = [sys.executable, "-m", "flowtop_client", "--host", "router", "--json", "--socket", make_daemon().path]
    with subprocess.Popen(argv, stdout=subprocess.PIPE) as viewer:
        assert viewer.stdout is not None
        assert viewer.stdout.readline()
        (pid,) = map(int, (tmp_path / "ssh.log.pids").read_text().split())
        assert alive(pid)
        viewer.kill()
    wait_until(lambda: not alive(pid))
