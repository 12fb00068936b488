import grp
import os
import socket
import stat
from pathlib import Path

import pytest

from flowtopd.session.access import SocketInUseError, listen, remove

GROUP = grp.getgrgid(os.getgid()).gr_name


def test_the_socket_is_for_owner_and_group_only(tmp_path: Path) -> None:
    path = tmp_path / "sock"
    listener, problem = listen(path, GROUP)
    with listener:
        status = path.stat()
        assert problem is None
        assert stat.S_IMODE(status.st_mode) == 0o660
        assert status.st_gid == os.getgid()
        with socket.socket(socket.AF_UNIX) as peer:
            peer.connect(os.fspath(path))


def test_without_the_group_only_the_owner_may_connect(tmp_path: Path) -> None:
    path = tmp_path / "sock"
    listener, problem = listen(path, "no-such-group")
    with listener:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert problem is not None
        assert "groupadd --system no-such-group" in problem


def test_a_dead_socket_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "sock"
    first, _problem = listen(path, GROUP)
    first.close()
    second, _problem = listen(path, GROUP)
    second.close()


@pytest.mark.parametrize("backlog", [0, 8])
def test_a_live_socket_is_never_replaced(tmp_path: Path, backlog: int) -> None:
    path = tmp_path / "sock"
    first, _problem = listen(path, GROUP)
    with first:
        first.listen(backlog)
        with socket.socket(socket.AF_UNIX) as queued:
            queued.connect(os.fspath(path))  # with a backlog of 0 the next one is told to try again
            inode = path.stat().st_ino
            with pytest.raises(SocketInUseError, match="another daemon listens"):
                listen(path, GROUP)
            assert path.stat().st_ino == inode


def test_what_is_no_socket_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("precious")
    with pytest.raises(SocketInUseError, match="is not a socket"):
        listen(path, GROUP)
    assert path.read_text() == "precious"


def test_the_mask_of_the_process_is_as_before(tmp_path: Path) -> None:
    mask = os.umask(0o022)
    try:
        listener, _problem = listen(tmp_path / "sock", GROUP)
        listener.close()
        assert os.umask(0o022) == 0o022
    finally:
        os.umask(mask)


def test_removing_is_done_once_and_more(tmp_path: Path) -> None:
    path = tmp_path / "sock"
    listener, _problem = listen(path, GROUP)
    listener.close()
    remove(path)
    remove(path)
    assert not path.exists()
