"""flowtopd.system.runtime_dir: one owner, and files that are whole or not there."""

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from flowtopd.system.runtime_dir import LOCK_NAME, AlreadyRunningError, RuntimeDir


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run" / "flowtop"


def test_it_is_made_whatever_the_umask_says(path: Path) -> None:
    before = os.umask(0o077)
    try:
        with RuntimeDir(path):
            assert stat.S_IMODE(path.stat().st_mode) == 0o755
    finally:
        os.umask(before)


def test_the_mode_of_an_existing_directory_is_its_owners_business(path: Path) -> None:
    path.mkdir(parents=True)
    path.chmod(0o700)
    with RuntimeDir(path):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700


def test_a_second_owner_is_told_the_pid_of_the_first(path: Path) -> None:
    with RuntimeDir(path):
        with pytest.raises(AlreadyRunningError) as caught:
            RuntimeDir(path)
        assert (caught.value.path, caught.value.pid) == (path, os.getpid())
        assert str(caught.value) == f"flowtopd is already running in {path} (pid {os.getpid()})"
    with RuntimeDir(path):
        pass


def test_a_lock_without_a_pid_yet_is_still_a_lock(path: Path) -> None:
    with RuntimeDir(path):
        (path / LOCK_NAME).write_bytes(b"")
        with pytest.raises(AlreadyRunningError) as caught:
            RuntimeDir(path)
    assert caught.value.pid is None
    assert str(caught.value) == f"flowtopd is already running in {path}"


def test_sigkill_frees_the_lock(path: Path) -> None:
    code = f"""
import signal
from pathlib import Path
from flowtopd.system.runtime_dir import RuntimeDir
runtime = RuntimeDir(Path({str(path)!r}))
print("ready", flush=True)
signal.pause()
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == b"ready\n"
        with pytest.raises(AlreadyRunningError) as caught:
            RuntimeDir(path)
        assert caught.value.pid == owner.pid
        owner.send_signal(signal.SIGKILL)
        owner.wait(10)
    with RuntimeDir(path):
        assert (path / LOCK_NAME).read_text() == f"{os.getpid()}\n"


def test_nobody_else_may_open_the_lock(path: Path) -> None:
    """Who can open a file can lock it, and so keep the daemon from starting."""
    with RuntimeDir(path):
        assert stat.S_IMODE((path / LOCK_NAME).stat().st_mode) == 0o600


def test_links_are_not_followed(path: Path, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    path.mkdir(parents=True)
    (path / LOCK_NAME).symlink_to(victim)
    with pytest.raises(OSError, match="symbolic links"):
        RuntimeDir(path)
    (path / LOCK_NAME).unlink()
    with RuntimeDir(path) as runtime:
        (path / "file").symlink_to(victim)
        (path / "file.new").symlink_to(victim)
        with pytest.raises(OSError, match="symbolic links"):
            runtime.read("file")
        runtime.write("file", b"ours")
        assert (path / "file").read_bytes() == b"ours"
        assert not (path / "file").is_symlink()
    assert victim.read_text() == "precious"


def test_the_directory_itself_is_not_a_link(path: Path, tmp_path: Path) -> None:
    path.parent.mkdir()
    path.symlink_to(tmp_path)
    with pytest.raises(NotADirectoryError):
        RuntimeDir(path)


def test_a_file_in_its_place_is_an_error(path: Path) -> None:
    path.parent.mkdir()
    path.write_text("")
    with pytest.raises(NotADirectoryError):
        RuntimeDir(path)


def test_a_fifo_does_not_hang_the_reader(path: Path) -> None:
    with RuntimeDir(path) as runtime:
        os.mkfifo(path / "file")
        with pytest.raises(OSError, match="not a regular file"):
            runtime.read("file")


def test_files_come_and_go(path: Path) -> None:
    with RuntimeDir(path) as runtime:
        assert runtime.read("file") is None
        runtime.write("file", b"one")
        runtime.write("file", b"two")
        assert runtime.read("file") == b"two"
        runtime.rename("file", "other")
        assert runtime.read("file") is None
        runtime.remove("other")
        runtime.remove("other")
        assert sorted(entry.name for entry in path.iterdir()) == [LOCK_NAME]


def test_a_write_that_fails_leaves_the_old_file(path: Path) -> None:
    with RuntimeDir(path) as runtime:
        runtime.write("file", b"old")
        (path / "file.new").mkdir()
        with pytest.raises(IsADirectoryError):
            runtime.write("file", b"new")
        assert runtime.read("file") == b"old"


def test_descriptors_are_closed(path: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - counts, takes no path apart
    with RuntimeDir(path) as runtime:
        runtime.write("file", b"x")
        runtime.read("file")
        with pytest.raises(AlreadyRunningError):
            RuntimeDir(path)
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208
