"""Updates that viewers ask for: who may, who hears of it, and that nothing depends on them."""

import asyncio
import contextlib
import socket
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from flowtopd.config import Others
from flowtopd.session.conversation import Conversation
from flowtopd.session.hub import Hub
from flowtopd.session.server import Server
from flowtopd.session.updates import Tell, Updates
from flowtopd.wire.codec import decode_daemon, encode_daemon, encode_viewer
from flowtopd.wire.errors import ErrorCode, RemoteProtocolError
from flowtopd.wire.framing import MAX_DAEMON_FRAME, FrameReader
from flowtopd.wire.messages import PROTOCOL_VERSION, DaemonMessage, Error, Hello, Progress, Right, Update, Welcome
from testbed.daemon import ROOT
from testbed.users import reachable
from tests.flowtopd.session.acting import no_acts

WAIT_S = 10


@dataclass
class Job:
    """An update that goes on when the test says."""

    tell: Tell
    go: threading.Event = field(default_factory=threading.Event)
    cancelled: bool = False
    fails: bool = False

    def run(self) -> bool:
        self.tell(Progress(text="begun"))
        assert self.go.wait(WAIT_S)
        if self.fails:
            raise ZeroDivisionError
        self.tell(Progress(text="done"))
        self.tell(Progress(good=not self.cancelled, ended=not self.cancelled))
        return not self.cancelled

    def cancel(self) -> None:
        self.cancelled = True
        self.go.set()


class Jobs:
    """All that were made."""

    def __init__(self) -> None:
        self.made: list[Job] = []

    def __call__(self, tell: Tell) -> Job:
        self.made.append(Job(tell))
        return self.made[-1]


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(WAIT_S):
        while not condition():  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.001)


def played(play: Callable[[Updates, Jobs], Awaitable[None]]) -> Jobs:
    jobs = Jobs()

    async def run() -> None:
        with Updates(jobs) as updates:
            await play(updates, jobs)

    asyncio.run(run())
    assert not [thread for thread in threading.enumerate() if thread.name == "update"]
    return jobs


def test_all_who_ask_hear_of_the_one_update_and_the_next_is_another() -> None:
    async def play(updates: Updates, jobs: Jobs) -> None:
        first: list[Progress] = []
        second: list[Progress] = []
        updates.join(first.append)
        await until(lambda: bool(first))
        updates.join(first.append)
        updates.join(second.append)
        assert [progress.text for progress in second] == ["begun"]
        jobs.made[0].go.set()
        await until(lambda: bool(second[-1].ended))
        assert [progress.text for progress in first] == ["begun", "done", ""]
        updates.join(second.append)
        await until(lambda: len(jobs.made) == 2)
        jobs.made[1].go.set()
        await until(lambda: len(second) == 6)
        assert len(first) == 3

    assert len(played(play).made) == 2


def test_it_goes_on_when_they_leave() -> None:
    async def play(updates: Updates, jobs: Jobs) -> None:
        heard: list[Progress] = []
        updates.join(heard.append)
        updates.leave(heard.append)
        updates.leave(heard.append)
        jobs.made[0].go.set()
        late: list[Progress] = []
        await until(lambda: not jobs.made[0].cancelled and jobs.made[0].go.is_set())
        updates.join(late.append)
        await until(lambda: any(progress.ended for progress in late) or len(jobs.made) == 2)

    assert not played(play).made[0].cancelled


def test_a_daemon_that_ends_cancels_it() -> None:
    async def play(updates: Updates, _jobs: Jobs) -> None:
        updates.join(lambda _progress: None)
        await asyncio.sleep(0)

    started = time.monotonic()
    assert played(play).made[0].cancelled
    assert time.monotonic() - started < WAIT_S / 2


def test_a_mistake_of_ours_still_has_an_end(caplog: pytest.LogCaptureFixture) -> None:
    async def play(updates: Updates, jobs: Jobs) -> None:
        heard: list[Progress] = []
        updates.join(heard.append)
        jobs.made[0].fails = True
        jobs.made[0].go.set()
        await until(lambda: bool(heard) and heard[-1].ended is False)
        assert "the daemon's log says more" in heard[-2].text

    played(play)
    assert "ZeroDivisionError" in caplog.text


def test_news_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def play(updates: Updates, jobs: Jobs) -> None:
        heard: list[Progress] = []
        updates.join(heard.append)
        jobs.made[0].go.set()
        await until(lambda: bool(heard) and heard[-1].ended is True)

    caplog.set_level("INFO")
    played(play)
    assert [record.getMessage() for record in caplog.records] == ["GeoIP update: begun", "GeoIP update: done"]


# the conversation


def greeted(*, may_update: bool) -> Conversation:
    conversation = Conversation("flowtopd 0", "host", lambda _addresses: None, (Right.UPDATE,) if may_update else ())
    conversation.receive(Hello(PROTOCOL_VERSION))
    assert isinstance(heard(conversation)[0], Welcome)
    return conversation


def heard(conversation: Conversation) -> list[DaemonMessage]:
    messages = list(conversation.answers(None, 1.0, 1))
    for message in messages:
        encode_daemon(message)
    return messages


def test_who_may_not_update_is_denied() -> None:
    conversation = greeted(may_update=False)
    with pytest.raises(RemoteProtocolError) as caught:
        conversation.receive(Update())
    assert caught.value.code is ErrorCode.DENIED
    assert not conversation.wants_update


def test_an_update_needs_no_query_and_comes_after_hello() -> None:
    with pytest.raises(RemoteProtocolError):
        Conversation("", "", lambda _addresses: None, (Right.UPDATE,)).receive(Update())
    conversation = greeted(may_update=True)
    conversation.receive(Update())
    assert conversation.wants_update
    assert conversation.interval_s is None


def test_a_slow_reader_misses_numbers_but_no_news() -> None:
    conversation = greeted(may_update=True)
    first, second, end = Progress(text="one"), Progress(text="two", good=False), Progress(ended=True)
    for progress in (Progress("asn", 1), first, Progress("asn", 2), Progress("asn", 3)):
        conversation.hear(progress)
    assert heard(conversation) == [first, Progress("asn", 3)]
    for progress in (Progress("asn", 4), second, end):
        conversation.hear(progress)
    assert heard(conversation) == [second, end]
    assert heard(conversation) == []


def test_what_waits_for_a_viewer_that_does_not_read_is_bounded() -> None:
    conversation = greeted(may_update=True)
    for number in range(10_000):
        conversation.hear(Progress(text=str(number)))
    waiting = heard(conversation)
    assert len(waiting) <= 200
    assert waiting[-1] == Progress(text="9999")


# the session


class Viewer:
    """A viewer of a few lines."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self.writer = reader, writer
        self._frames = FrameReader(MAX_DAEMON_FRAME)
        self._heard: list[DaemonMessage] = []

    async def ask(self) -> None:
        self.writer.write(encode_viewer(Hello(PROTOCOL_VERSION)) + encode_viewer(Update()))
        assert isinstance(await self.hear(), Welcome)

    async def hear(self) -> DaemonMessage | None:
        while not self._heard:
            data = await asyncio.wait_for(self._reader.read(65536), WAIT_S)
            if not data:
                return None
            self._heard += map(decode_daemon, self._frames.feed(data))
        return self._heard.pop(0)


@contextlib.asynccontextmanager
async def serving(path: Path, jobs: Jobs) -> AsyncIterator[Callable[[], Awaitable[Viewer]]]:
    viewers: list[Viewer] = []

    async def connect() -> Viewer:
        viewers.append(Viewer(*await asyncio.open_unix_connection(path)))
        return viewers[-1]

    with socket.socket(socket.AF_UNIX) as listener, Updates(jobs) as updates, no_acts() as acts:
        listener.bind(str(path))
        listener.listen(64)
        server = Server(
            Hub(), "flowtopd test", lambda _addresses: None, updates, "no-such-group", acts=acts, others=Others.OWN
        )
        async with asyncio.TaskGroup() as tasks:
            task = tasks.create_task(server.serve(listener))
            try:
                yield connect
            finally:
                for viewer in viewers:
                    viewer.writer.close()
                task.cancel()


def test_viewers_hear_of_it_and_one_that_leaves_does_not_break_it(tmp_path: Path) -> None:
    async def run() -> None:
        jobs = Jobs()
        async with serving(tmp_path / "sock", jobs) as connect:
            first, second = await connect(), await connect()
            for viewer in (first, second):
                await viewer.ask()
                assert await viewer.hear() == Progress(text="begun")
            first.writer.close()
            jobs.made[0].go.set()
            assert await second.hear() == Progress(text="done")
            assert await second.hear() == Progress(ended=True)
            assert len(jobs.made) == 1

    asyncio.run(run())


CALLER = """
import os, socket, sys
os.setgroups([int(group) for group in sys.argv[3].split(",") if group])
os.setresgid(12345, 12345, 12345)
os.setresuid(int(sys.argv[2]), int(sys.argv[2]), int(sys.argv[2]))
sock = socket.socket(socket.AF_UNIX)
sock.connect(sys.argv[1])
while sock.recv(4096):
    pass
"""


@pytest.mark.kernel
def test_a_session_of_a_stranger_gets_one_error_and_is_closed(tmp_path: Path) -> None:
    """Over a socket that lets everybody in."""

    async def run() -> None:
        jobs = Jobs()
        path = tmp_path / "sock"
        async with serving(path, jobs):
            path.chmod(0o666)
            reachable(path)
            program = CALLER.replace("while sock", "sock.sendall(bytes.fromhex(sys.argv[4]))\nwhile sock").replace(
                "sock.recv(4096):\n    pass", "(data := sock.recv(4096)):\n    print(data.hex())"
            )
            said = encode_viewer(Hello(PROTOCOL_VERSION)) + encode_viewer(Update())
            argv = [sys.executable, "-c", program, str(path), "12345", "7", said.hex()]
            process = await asyncio.create_subprocess_exec(*argv, stdout=subprocess.PIPE, cwd=ROOT)
            out, _ = await asyncio.wait_for(process.communicate(), WAIT_S)
            frames = FrameReader(MAX_DAEMON_FRAME).feed(bytes.fromhex(out.decode().replace("\n", "")))
            messages = [decode_daemon(body) for body in frames]
            (error,) = [message for message in messages if not isinstance(message, Welcome)]
            assert isinstance(error, Error)
            assert error.code is ErrorCode.DENIED
            assert jobs.made == []

    asyncio.run(run())
