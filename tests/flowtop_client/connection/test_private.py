"""A private daemon is any program that takes `--viewer-fd N`; here small ones that do one thing each."""

import os
import signal
import socket
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from flowtop_client.connection import private
from flowtop_client.connection.private import PrivateDaemon

HEAD = """
import os, signal, socket, sys
assert sys.argv[1] == "--viewer-fd"
viewer = socket.socket(fileno=int(sys.argv[2]))
"""


def program(body: str) -> tuple[str, ...]:
    return (sys.executable, "-c", HEAD + textwrap.dedent(body))


def test_both_ends_talk_and_closing_ends_the_child() -> None:
    daemon = PrivateDaemon(program("viewer.sendall(viewer.recv(100))\nassert viewer.recv(100) == b''"))
    daemon.viewer.sendall(b"hello")
    assert daemon.viewer.recv(100) == b"hello"
    assert daemon.stop() == ""
    assert daemon._process.returncode == 0


def test_the_child_holds_no_other_descriptor_and_a_session_of_its_own() -> None:
    body = """
    viewer.sendall(repr((sorted(map(int, os.listdir("/proc/self/fd"))), viewer.fileno(), os.getsid(0))).encode())
    """
    daemon = PrivateDaemon(program(body))
    with daemon.viewer.makefile() as answer:
        numbers, ours, session = eval(answer.read())
    daemon.stop()
    assert len(set(numbers) - {0, 1, 2, ours}) == 1  # the listing itself
    assert session == daemon._process.pid


def test_the_last_line_of_a_failing_child_is_told() -> None:
    daemon = PrivateDaemon(program("print('starting', file=sys.stderr)\nsys.exit('flowtopd: no conntrack here')"))
    assert daemon.viewer.recv(1) == b""
    assert daemon.stop() == "flowtopd: no conntrack here"


def test_a_child_that_was_killed_left_the_kernel_changed() -> None:
    daemon = PrivateDaemon(program("os.kill(os.getpid(), signal.SIGKILL)"))
    assert daemon.viewer.recv(1) == b""
    assert "`flowtopd --restore`" in daemon.stop()


def test_what_a_child_says_while_it_does_well_is_not_a_failure() -> None:
    daemon = PrivateDaemon(program("print('put everything back', file=sys.stderr)"))
    assert daemon.stop() == ""


def test_a_child_that_does_not_end_is_asked_and_then_made_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(private, "STOP_S", 0.3)
    body = """
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    viewer.sendall(b"x")
    while True:
        signal.pause()
    """
    daemon = PrivateDaemon(program(body))
    assert daemon.viewer.recv(1) == b"x"
    assert "ended by SIGKILL" in daemon.stop()


def test_a_viewer_that_is_killed_closes_the_pair(tmp_path: Path) -> None:
    """The child must notice the end of a viewer that had no chance to say goodbye."""
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    child = program(f"viewer.sendall(b'x')\nassert viewer.recv(1) == b''\nopen({str(fifo)!r}, 'w').write('noticed')")
    viewer = f"""
    import os, signal
    from flowtop_client.connection.private import PrivateDaemon
    daemon = PrivateDaemon({child!r})
    daemon.viewer.recv(1)
    os.kill(os.getpid(), signal.SIGKILL)
    """
    ended = subprocess.run([sys.executable, "-c", textwrap.dedent(viewer)], check=False)
    assert ended.returncode == -signal.SIGKILL
    assert fifo.read_text() == "noticed"


def test_a_source_tree_is_passed_on_but_never_the_current_directory(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("PYTHONPATH", raising=False)
    monkeypatch.setattr(sys, "path", [private._ROOT, *sys.path])
    assert private._environment()["PYTHONPATH"] == private._ROOT
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    assert "PYTHONPATH" not in private._environment()


def test_a_program_that_cannot_be_started_is_an_os_error_and_leaves_no_socket() -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    with pytest.raises(OSError, match="nothing-here"):
        PrivateDaemon(("/nothing-here",))
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_the_pair_is_a_stream() -> None:
    daemon = PrivateDaemon(program(""))
    assert daemon.viewer.type == socket.SOCK_STREAM
    daemon.stop()
