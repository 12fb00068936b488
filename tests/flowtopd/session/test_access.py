import grp
import multiprocessing
import os
import socket
import stat
from contextlib import ExitStack
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest

from flowtopd.session.access import LOCK_SUFFIX, SocketInUseError, listening

GROUP = grp.getgrgid(os.getgid()).gr_name


def left(directory: Path) -> list[str]:
    return [path.name for path in directory.iterdir()]


def test_the_socket_is_for_owner_and_group_only(tmp_path: Path) -> None:
    path = tmp_path / "sock"
    with listening(path, GROUP) as (_listener, problem):
        status = path.stat()
        assert problem is None
        assert stat.S_IMODE(status.st_mode) == 0o660
        assert status.st_gid == os.getgid()
        with socket.socket(socket.AF_UNIX) as peer:
            peer.connect(os.fspath(path))
        assert left(tmp_path) == ["sock"]
    assert left(tmp_path) == []


def test_without_the_group_only_the_owner_may_connect(tmp_path: Path) -> None:
    path = tmp_path / "sock"
    with listening(path, "no-such-group") as (_listener, problem):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert problem == "there is no group no-such-group: only root can connect (groupadd --system no-such-group)"


@pytest.mark.parametrize(
    ("group", "says"),
    [
        (GROUP, None),
        (
            "no-such-group",
            "there is no group no-such-group: only root sees all flows (groupadd --system no-such-group)",
        ),
    ],
)
def test_where_others_may_look_everybody_may_connect(tmp_path: Path, group: str, says: str | None) -> None:
    path = tmp_path / "sock"
    with listening(path, group, for_all=True) as (_listener, problem):
        assert stat.S_IMODE(path.stat().st_mode) == 0o666
        assert problem == says


def test_a_dead_socket_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "sock"
    with socket.socket(socket.AF_UNIX) as first:
        first.bind(os.fspath(path))
        first.listen()
    with listening(path, GROUP), socket.socket(socket.AF_UNIX) as peer:
        peer.connect(os.fspath(path))


@pytest.mark.parametrize("backlog", [0, 8])
def test_a_live_socket_is_never_replaced(tmp_path: Path, backlog: int) -> None:
    path = tmp_path / "sock"
    with listening(path, GROUP) as (first, _problem):
        first.listen(backlog)
        with socket.socket(socket.AF_UNIX) as queued:
            queued.connect(os.fspath(path))  # with a backlog of 0 the next one is told to try again
            inode = path.stat().st_ino
            with pytest.raises(SocketInUseError, match="another daemon listens"), listening(path, GROUP):
                pass
            assert path.stat().st_ino == inode
            assert left(tmp_path) == ["sock"]


def test_the_socket_of_another_daemon_is_not_removed_at_the_end(tmp_path: Path) -> None:
    """Somebody has removed ours by hand, and another daemon has taken the place."""
    path = tmp_path / "sock"
    with ExitStack() as second:
        with listening(path, GROUP):
            path.unlink()
            second.enter_context(listening(path, GROUP))
        assert path.is_socket()
    assert not path.exists()


def _start(path: str, begin: Event, done: "Queue[str]", end: Event) -> None:
    begin.wait()
    try:
        with listening(Path(path), GROUP):
            done.put("listens")
            end.wait()
    except SocketInUseError:
        done.put("refused")


@pytest.mark.parametrize("dead", [False, True])
def test_of_daemons_that_start_at_once_one_listens_and_is_reached(tmp_path: Path, *, dead: bool) -> None:
    path = tmp_path / "sock"
    context = multiprocessing.get_context("fork")
    for _round in range(5):
        if dead:
            with socket.socket(socket.AF_UNIX) as gone:
                gone.bind(os.fspath(path))
        begin, end, done = context.Event(), context.Event(), context.Queue()
        daemons = [context.Process(target=_start, args=(str(path), begin, done, end)) for _ in range(6)]
        for daemon in daemons:
            daemon.start()
        begin.set()
        said = sorted(done.get(timeout=10) for _ in daemons)
        assert said == ["listens"] + ["refused"] * 5
        with socket.socket(socket.AF_UNIX) as peer:
            peer.connect(os.fspath(path))
        end.set()
        for daemon in daemons:
            daemon.join(10)
        assert left(tmp_path) == []


def test_a_lock_that_a_killed_daemon_left_is_no_lock(tmp_path: Path) -> None:
    path = tmp_path / "sock"
    (tmp_path / f"sock{LOCK_SUFFIX}").touch()
    with listening(path, GROUP):
        assert left(tmp_path) == ["sock"]


def test_what_is_no_socket_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("precious")
    with pytest.raises(SocketInUseError, match="is not a socket"), listening(path, GROUP):
        pass
    assert path.read_text() == "precious"


def test_the_mask_of_the_process_is_as_before(tmp_path: Path) -> None:
    mask = os.umask(0o022)
    try:
        with listening(tmp_path / "sock", GROUP):
            assert os.umask(0o022) == 0o022
    finally:
        os.umask(mask)


def test_a_socket_that_is_gone_already_is_no_trouble(tmp_path: Path) -> None:
    path = tmp_path / "sock"
    with listening(path, GROUP):
        path.unlink()
    assert left(tmp_path) == []
