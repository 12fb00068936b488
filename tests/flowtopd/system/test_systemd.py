"""flowtopd.system.systemd: what is said arrives, and saying it never hurts."""

import importlib
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from flowtopd.system.systemd import notify, watchdog_s
from testbed.daemon import ROOT

LIBRARY: Callable[[str], object] | None
try:
    LIBRARY = importlib.import_module("systemd.daemon").notify
except ImportError:
    LIBRARY = None


@pytest.fixture(params=["path", "abstract"])
def listener(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[socket.socket]:
    """The service manager's end."""
    name = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        if request.param == "path":
            manager.bind(name)
            monkeypatch.setenv("NOTIFY_SOCKET", name)
        else:
            manager.bind("\0" + name)
            monkeypatch.setenv("NOTIFY_SOCKET", "@" + name)
        manager.setblocking(False)
        yield manager


@pytest.mark.parametrize(
    "library",
    [
        pytest.param(None, id="plain"),
        pytest.param(
            LIBRARY,
            id="systemd-python",
            marks=pytest.mark.skipif(LIBRARY is None, reason="systemd-python is not installed"),
        ),
    ],
)
def test_states_arrive_as_one_message(listener: socket.socket, library: Callable[[str], object] | None) -> None:
    assert notify("READY=1", "STATUS=3 viewers", library=library)
    assert listener.recv(100) == b"READY=1\nSTATUS=3 viewers"


def test_a_status_cannot_smuggle_a_state(listener: socket.socket) -> None:
    assert notify("STATUS=name\nSTOPPING=1", library=None)
    assert listener.recv(100) == b"STATUS=name STOPPING=1"


def test_without_a_manager_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    assert not notify("READY=1")


@pytest.mark.parametrize("library", [None, LIBRARY])
@pytest.mark.parametrize("address", ["/nowhere/at/all", "relative", "@flowtop-nobody", "vsock:2:1234", "/" + "x" * 200])
def test_a_manager_that_is_not_there_does_not_hurt(
    address: str, library: Callable[[str], object] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", address)
    if library is not None and address.startswith("vsock"):
        pytest.skip("libsystemd speaks vsock")
    assert not notify("READY=1", library=library)


def test_a_full_queue_does_not_block(listener: socket.socket) -> None:
    sent = [notify("STATUS=" + "x" * 1000, library=None) for _ in range(10_000)]
    assert sent[0]
    assert not sent[-1]
    assert listener.recv(10)


def test_the_descriptor_is_closed(listener: socket.socket) -> None:
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - counts, takes no path apart
    notify("READY=1", library=None)
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208
    assert listener.recv(10)


@pytest.mark.parametrize(
    ("microseconds", "pid", "seconds"),
    [
        ("2000000", "", 2.0),
        ("500000", "own", 0.5),
        ("500000", "1", None),
        ("", "", None),
        ("0", "", None),
        ("x", "", None),
    ],
)
def test_the_watchdog_is_ours_or_none(
    monkeypatch: pytest.MonkeyPatch, microseconds: str, pid: str, seconds: float | None
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", microseconds)
    monkeypatch.setenv("WATCHDOG_PID", str(os.getpid()) if pid == "own" else pid)
    assert watchdog_s() == seconds


HAND_OVER = """
import os, socket, sys
sys.path.insert(0, {root!r})
from flowtopd.system.systemd import HandedOverError, handed_over
given = {make}
os.dup2(given.fileno(), 3)
os.environ["LISTEN_FDS"], os.environ["LISTEN_PID"] = {count!r}, {pid}
try:
    taken = handed_over()
    print("nothing" if taken is None else (taken.getsockname(), os.get_inheritable(3), "LISTEN_FDS" in os.environ))
except HandedOverError as error:
    print(error)
"""
UNIX = "socket.socket(socket.AF_UNIX); given.bind({path!r}); given.listen()"


@pytest.mark.parametrize(
    ("make", "count", "pid", "said"),
    [
        (UNIX, "1", "str(os.getpid())", "('{path}', False, False)"),
        (UNIX, "2", "str(os.getpid())", "2 sockets were handed over, there is to be one"),
        (UNIX, "1", "'1'", "nothing"),
        ("socket.socket(socket.AF_UNIX)", "1", "str(os.getpid())", "what was handed over is no listening"),
        ("socket.create_server(('127.0.0.1', 0))", "1", "str(os.getpid())", "what was handed over is no listening"),
        ("open('/dev/null')", "1", "str(os.getpid())", "what was handed over is no socket"),
    ],
)
def test_a_socket_that_is_handed_over_is_taken_or_refused(
    tmp_path: Path, make: str, count: str, pid: str, said: str
) -> None:
    path = str(tmp_path / "s")
    code = HAND_OVER.format(root=str(ROOT), make=make.format(path=path), count=count, pid=pid)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=False)
    assert done.stdout.startswith(said.format(path=path)), done.stderr
