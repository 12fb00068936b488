import asyncio
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from flowtop_client.connection import host
from flowtop_client.connection.remote import run, ways
from testbed.netns import alive
from tests.flowtop_client.conftest import MakeDaemon
from tests.flowtop_client.connection.test_tunnel import FORWARD, SetSsh, set_ssh

__all__ = ["set_ssh"]

HOSTS = [host.parse("router"), host.parse("ap")]


@pytest.fixture(autouse=True)
def own_runtime_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "runtime").mkdir(exist_ok=True)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "runtime"))


def made(tmp_path: Path) -> list[Path]:
    return list((tmp_path / "runtime").iterdir())


def test_the_directory_is_private_and_gone_afterwards(tmp_path: Path) -> None:
    async def look() -> None:
        async with ways(HOSTS, "/x") as found:
            assert [name for name, _ in found] == ["router", "ap"]
            (directory,) = made(tmp_path)
            assert stat.S_IMODE(directory.stat().st_mode) == 0o700

    asyncio.run(look())
    assert made(tmp_path) == []


def test_what_is_done_with_the_ways_is_the_result() -> None:
    async def serve(found: object) -> int:
        assert found
        return 3

    assert run(HOSTS, "/x", serve) == 3


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_ends_every_ssh_and_leaves_nothing(
    tmp_path: Path,
    set_ssh: SetSsh,
    make_daemon: MakeDaemon,
    number: signal.Signals,
) -> None:
    set_ssh(FORWARD)
    argv = [
        sys.executable,
        "-m",
        "flowtop_client",
        "-H",
        "router",
        "-H",
        "ap",
        "--json",
        "--socket",
        make_daemon().path,
    ]
    with subprocess.Popen(argv, stdout=subprocess.PIPE) as viewer:
        assert viewer.stdout is not None
        assert viewer.stdout.readline()
        pids = [int(pid) for pid in (tmp_path / "ssh.log.pids").read_text().split()]
        assert len(pids) == 2
        assert len(made(tmp_path)) == 1
        viewer.send_signal(number)
        viewer.stdout.read()
    assert viewer.returncode == (130 if number is signal.SIGINT else -number)
    assert not any(map(alive, pids))
    assert made(tmp_path) == []


def test_a_runtime_directory_that_ssh_would_misread_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a:b").mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "a:b"))

    async def look() -> None:
        async with ways(HOSTS, "/x"):
            assert list((tmp_path / "a:b").iterdir()) == []

    asyncio.run(look())
