"""flowtopd.system.systemd: what is said arrives, and saying it never hurts."""

import inspect
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from flowtopd.system.systemd import notify

LIBRARY: Callable[[str], object] | None = inspect.signature(notify).parameters["library"].default


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
