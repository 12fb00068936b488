"""Whose daemon is believed: real users who listen on real sockets."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from flowtop_client.connection.trust import distrust

BOB = 12_345


@contextmanager
def listener(path: Path, uid: int) -> Iterator[None]:
    """Somebody listens: the credentials are those of who calls listen(2)."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(path))
        child = os.fork()
        if not child:
            os.setresuid(uid, uid, uid)
            sock.listen()
            os._exit(0)
        os.waitpid(child, 0)
        yield


def verdict(path: Path) -> str | None:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(str(path))
        return distrust(sock, str(path))


def test_a_daemon_of_the_own_user_is_believed(tmp_path: Path) -> None:
    with listener(tmp_path / "sock", os.geteuid()):
        assert verdict(tmp_path / "sock") is None


@pytest.mark.kernel
def test_a_daemon_with_a_user_of_its_own_is_believed_in_its_own_directory(tmp_path: Path) -> None:
    place = tmp_path / "flowtop"
    place.mkdir()
    os.chown(place, BOB, BOB)
    (tmp_path / "link").symlink_to(place)
    with listener(place / "sock", BOB):
        assert verdict(place / "sock") is None
        assert verdict(tmp_path / "link" / "sock") is None


@pytest.mark.kernel
def test_a_stranger_in_an_open_directory_is_not_believed(tmp_path: Path) -> None:
    place = tmp_path / "open"
    place.mkdir()
    place.chmod(0o1777)
    path = place / "sock"
    with listener(path, BOB):
        assert verdict(path) == (
            f"{path} is listened on by uid {BOB}, which is neither root, nor you, nor the owner of its directory"
        )
