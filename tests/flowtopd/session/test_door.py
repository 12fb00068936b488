"""Accepting where there are no file descriptors left: in a process of its own, whose limit is small."""

import asyncio
import contextlib
import errno
import logging
import os
import resource
import socket
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from flowtopd.session.complaints import Complaints
from flowtopd.session.door import RETRY_S, Door
from flowtopd.wire.codec import decode_daemon
from flowtopd.wire.errors import ErrorCode
from flowtopd.wire.messages import Error

WAIT_S = 10


@contextlib.contextmanager
def listener(path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(os.fspath(path))
        made.listen(64)
        yield made


@contextlib.contextmanager
def no_descriptors() -> Iterator[None]:
    """Not one more file can be opened."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    taken = os.open(os.devnull, os.O_RDONLY)
    os.close(taken)  # the lowest number that is free
    resource.setrlimit(resource.RLIMIT_NOFILE, (taken, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def heard(sock: socket.socket) -> Error:
    sock.settimeout(WAIT_S)
    with sock.makefile("rb") as stream:
        (length,) = struct.unpack(">I", stream.read(4))
        message = decode_daemon(stream.read(length))
    assert isinstance(message, Error)
    return message


def test_without_descriptors_who_comes_is_told_busy_and_later_ones_are_taken(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "sock"

    async def run() -> None:
        with listener(path) as listening, contextlib.ExitStack() as stack:
            peers = [stack.enter_context(socket.socket(socket.AF_UNIX)) for _ in range(20)]
            door = stack.enter_context(contextlib.closing(Door(listening, Complaints(logging.getLogger("door")))))
            async with asyncio.TaskGroup() as tasks:
                next_one = tasks.create_task(door.next())
                await asyncio.sleep(0)
                with no_descriptors():
                    for peer in peers[:-1]:
                        peer.connect(os.fspath(path))
                        error = await asyncio.to_thread(heard, peer)
                        assert error == Error(ErrorCode.BUSY, "the daemon has no file descriptors left")
                assert not next_one.done()
                peers[-1].connect(os.fspath(path))
                (await asyncio.wait_for(next_one, WAIT_S)).close()

    asyncio.run(run())
    assert caplog.messages == [f"cannot take a viewer: {os.strerror(errno.EMFILE)}"]


class Failing(socket.socket):
    """Cannot accept for some times."""

    errors: list[int]
    tried = 0

    def accept(self) -> tuple[socket.socket, object]:
        self.tried += 1
        if self.errors:
            number = self.errors.pop(0)
            raise OSError(number, os.strerror(number))
        return super().accept()


@pytest.mark.parametrize(
    ("number", "waits", "logged"),
    [(errno.ECONNABORTED, False, False), (errno.ENOMEM, True, True), (errno.ENOBUFS, True, True)],
)
def test_what_the_kernel_refuses_is_tried_again_without_spinning(
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    number: int,
    *,
    waits: bool,
    logged: bool,
) -> None:
    slept: list[float] = []
    sleep = asyncio.sleep

    async def counted(seconds: float) -> None:
        slept.append(seconds)
        await sleep(0)

    monkeypatch.setattr(asyncio, "sleep", counted)

    async def run() -> None:
        with Failing(socket.AF_UNIX) as listening, socket.socket(socket.AF_UNIX) as peer:
            listening.errors = [number] * 5
            listening.bind(os.fspath(tmp_path / "sock"))
            listening.listen()
            peer.connect(os.fspath(tmp_path / "sock"))
            with contextlib.closing(Door(listening, Complaints(logging.getLogger("door")))) as door:
                (await door.next()).close()
            assert listening.tried == 6

    asyncio.run(run())
    assert [seconds for seconds in slept if seconds] == [RETRY_S] * 5 * waits
    assert len(caplog.messages) == int(logged)


def test_the_reserve_is_given_up_at_the_end(tmp_path: Path) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    with listener(tmp_path / "sock") as listening:
        Door(listening, Complaints(logging.getLogger("door"))).close()
    assert len(list(Path("/proc/self/fd").iterdir())) == before
