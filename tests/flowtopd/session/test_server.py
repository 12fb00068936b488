"""Viewers on a real socket: the good, the silent, the slow and the broken."""

import asyncio
import contextlib
import os
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from flowtopd.query import predicate
from flowtopd.query.rows import flow_id
from flowtopd.session import viewer
from flowtopd.session.hub import Hub
from flowtopd.session.pacing import BURST, RATE
from flowtopd.session.places import RESERVED, SILENT_EACH
from flowtopd.session.server import Server
from flowtopd.session.updates import Tell, Updates
from flowtopd.wire.codec import decode_daemon, encode_viewer
from flowtopd.wire.errors import ErrorCode
from flowtopd.wire.framing import MAX_DAEMON_FRAME, MAX_VIEWER_FRAME, FrameReader
from flowtopd.wire.messages import (
    PROTOCOL_VERSION,
    DaemonMessage,
    Detail,
    Error,
    FlowRequest,
    Hello,
    Query,
    Snapshot,
    ViewerMessage,
    Welcome,
)
from tests.flowtopd.batches import Flow, tick
from tests.flowtopd.session.acting import no_acts

WAIT_S = 10


class Peer:
    """A viewer of a few lines."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self._frames = FrameReader(MAX_DAEMON_FRAME)
        self._heard: list[DaemonMessage] = []

    def say(self, *messages: ViewerMessage) -> None:
        for message in messages:
            self.writer.write(encode_viewer(message))

    async def hear(self) -> DaemonMessage | None:
        """The next message, None at the end of the connection."""
        while not self._heard:
            data = await asyncio.wait_for(self.reader.read(65536), WAIT_S)
            if not data:
                return None
            self._heard += map(decode_daemon, self._frames.feed(data))
        return self._heard.pop(0)

    async def greet(self) -> None:
        self.say(Hello(PROTOCOL_VERSION))
        assert isinstance(await self.hear(), Welcome)


class NoUpdate:
    """Nobody asks for one here; test_updates.py has those who do."""

    def __init__(self, _tell: Tell) -> None:
        raise AssertionError

    def run(self) -> bool:
        raise AssertionError

    def cancel(self) -> None:
        raise AssertionError


def server(hub: Hub, max_viewers: int = 64) -> Server:
    updates = Updates(NoUpdate)
    return Server(
        hub, "flowtopd test", lambda _addresses: None, updates, "no-such", acts=no_acts(), max_viewers=max_viewers
    )


class Scene:
    """A server, its hub, and a way to connect."""

    def __init__(self, path: Path) -> None:
        self.hub = Hub()
        self._path = path
        self.peers: list[Peer] = []

    async def peer(self) -> Peer:
        reader, writer = await asyncio.open_unix_connection(self._path)
        self.peers.append(Peer(reader, writer))
        return self.peers[-1]

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(WAIT_S):
            while not condition():  # noqa: ASYNC110 - what is waited for has no event
                await asyncio.sleep(0.001)


@contextlib.asynccontextmanager
async def scene(tmp_path: Path, max_viewers: int = 64) -> AsyncIterator[Scene]:
    path = tmp_path / "sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen(64)
        made = Scene(path)
        async with asyncio.TaskGroup() as tasks:
            serving = tasks.create_task(server(made.hub, max_viewers).serve(listener))
            try:
                yield made
            finally:
                for one in made.peers:
                    one.writer.close()
                serving.cancel()


def played(tmp_path: Path, play: Callable[[Scene], Awaitable[None]], max_viewers: int = 64) -> None:
    async def run() -> None:
        async with scene(tmp_path, max_viewers) as made:
            await play(made)

    asyncio.run(run())


def test_a_viewer_gets_a_snapshot_a_tick(tmp_path: Path) -> None:
    async def play(made: Scene) -> None:
        peer = await made.peer()
        await peer.greet()
        peer.say(Query(tag=1, interval=0.1))
        await made.until(lambda: made.hub.interval_s == 0.1)
        made.hub.publish(tick(Flow()), 0.1)
        message = await peer.hear()
        assert isinstance(message, Snapshot)
        assert (message.tag, len(message.rows), message.status.viewers) == (1, 1, 1)

    played(tmp_path, play)


def test_a_filter_that_takes_too_long_wants_no_more_ticks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(predicate, "MOST_STEPS", 0)

    async def play(made: Scene) -> None:
        peer = await made.peer()
        await peer.greet()
        peer.say(Query(interval=0.1, filter="state ~ ."))
        await made.until(lambda: made.hub.interval_s == 0.1)
        made.hub.publish(tick(Flow()), 0.1)
        assert getattr(await peer.hear(), "code", None) is ErrorCode.FILTER
        assert made.hub.interval_s is None
        peer.say(Query(interval=0.2))
        await made.until(lambda: made.hub.interval_s == 0.2)

    played(tmp_path, play)


def test_details_of_a_flow_that_is_gone_are_watched_no_longer(tmp_path: Path) -> None:
    async def play(made: Scene) -> None:
        peer = await made.peer()
        await peer.greet()
        seen = tick(Flow())
        peer.say(Query(interval=0.1), FlowRequest(flow_id(int(seen.snapshot.columns["key"][0]))))
        await made.until(lambda: len(made.hub.watched) == 1)
        made.hub.publish(tick(Flow(ctid=2)), 0.1)
        detail = await peer.hear()
        assert isinstance(detail, Detail)
        assert detail.flow is None
        assert isinstance(await peer.hear(), Snapshot)
        assert not made.hub.watched

    played(tmp_path, play)


def test_a_viewer_that_leaves_is_no_longer_counted(tmp_path: Path) -> None:
    async def play(made: Scene) -> None:
        peer = await made.peer()
        await peer.greet()
        assert made.hub.viewers == 1
        peer.writer.close()
        await made.until(lambda: made.hub.viewers == 0)

    played(tmp_path, play)


BROKEN: dict[str, tuple[bytes, ErrorCode]] = {
    "garbage": (b"\x00\x00\x00\x05hello", ErrorCode.MALFORMED),
    "a web browser": (b"GET / HTTP/1.1\r\n\r\n", ErrorCode.TOO_LARGE),
    "an empty frame": (struct.pack(">I", 0), ErrorCode.MALFORMED),
    "a frame over the limit": (struct.pack(">I", MAX_VIEWER_FRAME + 1), ErrorCode.TOO_LARGE),
    "an unknown type": (b"\x00\x00\x00\x0b\x81\xa4type\xa4nope", ErrorCode.TYPE),
    "a query too early": (encode_viewer(Query()), ErrorCode.STATE),
    "another version": (encode_viewer(Hello(PROTOCOL_VERSION + 1)), ErrorCode.VERSION),
}


@pytest.mark.parametrize(("sent", "code"), BROKEN.values(), ids=BROKEN.keys())
def test_who_breaks_the_protocol_gets_one_error_and_is_closed_and_nobody_else_notices(
    tmp_path: Path, sent: bytes, code: ErrorCode
) -> None:
    async def play(made: Scene) -> None:
        good, bad = await made.peer(), await made.peer()
        await good.greet()
        good.say(Query(tag=1, interval=0.1))
        bad.writer.write(sent)
        message = await bad.hear()
        assert isinstance(message, Error)
        assert message.code is code
        assert await bad.hear() is None
        made.hub.publish(tick(Flow()), 0.1)
        assert isinstance(await good.hear(), Snapshot)

    played(tmp_path, play)


def test_a_peer_that_says_nothing_is_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(viewer, "HELLO_S", 0.05)

    async def play(made: Scene) -> None:
        message = await (await made.peer()).hear()
        assert isinstance(message, Error)
        assert message.code is ErrorCode.STATE

    played(tmp_path, play)


def test_who_has_said_hello_may_be_silent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(viewer, "HELLO_S", 0.05)

    async def play(made: Scene) -> None:
        peer = await made.peer()
        await peer.greet()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(peer.reader.read(1), 0.2)

    played(tmp_path, play)


def test_a_viewer_that_does_not_read_gets_the_newest_when_it_reads_again_and_holds_up_nobody(tmp_path: Path) -> None:
    flows = [Flow(sport=number, ctid=number) for number in range(2000)]

    async def play(made: Scene) -> None:
        slow, good = await made.peer(), await made.peer()
        for peer in (slow, good):
            await peer.greet()
            peer.say(Query(interval=0.1))
        await made.until(lambda: made.hub.interval_s == 0.1 and len(made.hub._intervals) == 2)
        published: Any = None
        for _round in range(30):
            published = tick(*flows)
            object.__setattr__(published.snapshot, "seq", _round + 1)
            object.__setattr__(published.snapshot, "at", published.snapshot.at.__class__(0.0, float(_round)))
            made.hub.publish(published, 0.1)
            seen = await good.hear()
            while isinstance(seen, Snapshot) and seen.more:
                seen = await good.hear()
            assert isinstance(seen, Snapshot)
            assert seen.seq == _round + 1
        got: list[int] = []
        while not got or got[-1] != 30:
            message = await slow.hear()
            assert isinstance(message, Snapshot)
            got.append(message.seq)
        assert len(set(got)) < 10  # what fitted into the socket's buffers, then the newest

    played(tmp_path, play)


def test_sessions_end_with_the_server(tmp_path: Path) -> None:
    async def run() -> None:
        async with scene(tmp_path) as made:
            peer = await made.peer()
            await peer.greet()
        assert made.hub.viewers == 0

    asyncio.run(run())


def test_a_private_daemon_serves_one_connected_socket_until_it_closes() -> None:
    async def run() -> None:
        ours, theirs = socket.socketpair()
        hub = Hub()
        async with asyncio.TaskGroup() as tasks:
            serving = tasks.create_task(server(hub).serve_one(theirs))
            peer = Peer(*await asyncio.open_unix_connection(sock=ours))
            await peer.greet()
            peer.writer.close()
            await asyncio.wait_for(serving, WAIT_S)
        assert hub.viewers == 0

    asyncio.run(run())


# more than there is room for


def test_who_comes_when_all_places_are_taken_is_told_so_and_the_others_go_on(tmp_path: Path) -> None:
    """Root has a few places more."""

    async def play(made: Scene) -> None:
        seated = [await made.peer() for _ in range(2 + RESERVED)]
        for peer in seated:
            await peer.greet()
        for _ in range(50):
            late = await made.peer()
            late.say(Hello(PROTOCOL_VERSION), Query())
            assert await late.hear() == Error(ErrorCode.BUSY, "all 6 places for viewers are taken")
            with contextlib.suppress(ConnectionResetError):
                assert await late.hear() is None
        assert made.hub.viewers == 6
        seated[0].writer.close()
        await made.until(lambda: made.hub.viewers == 5)
        await (await made.peer()).greet()

    played(tmp_path, play, max_viewers=2)


def test_connections_that_say_nothing_are_bounded(tmp_path: Path) -> None:
    async def play(made: Scene) -> None:
        silent = [await made.peer() for _ in range(SILENT_EACH + 10)]
        heard = [await peer.hear() for peer in silent[SILENT_EACH:]]
        assert heard == [Error(ErrorCode.BUSY, "too many connections say nothing")] * 10
        for peer in silent:
            peer.writer.close()
        await made.until(lambda: len(asyncio.all_tasks()) < SILENT_EACH)
        await (await made.peer()).greet()

    played(tmp_path, play)


@pytest.mark.parametrize("greeted", [False, True])
@pytest.mark.parametrize("sent", [b"", b"\x00", b"\x00\x00\x01\x00half a frame"])
def test_a_viewer_that_dies_in_the_middle_of_a_frame_leaves_its_place(
    tmp_path: Path, sent: bytes, *, greeted: bool
) -> None:
    async def play(made: Scene) -> None:
        for _ in range(20):
            peer = await made.peer()
            if greeted:
                await peer.greet()
            peer.writer.write(sent)
            peer.writer.transport.abort()
            await made.until(lambda: made.hub.viewers == 0)
        await (await made.peer()).greet()

    played(tmp_path, play, max_viewers=1)


def test_a_viewer_that_has_closed_its_sending_half_is_gone(tmp_path: Path) -> None:
    async def play(made: Scene) -> None:
        peer = await made.peer()
        await peer.greet()
        peer.writer.write_eof()
        assert await peer.hear() is None
        await made.until(lambda: made.hub.viewers == 0)

    played(tmp_path, play)


def test_who_asks_too_fast_is_read_slowly_and_gets_the_newest_answer(tmp_path: Path) -> None:
    async def play(made: Scene) -> None:
        fast, good = await made.peer(), await made.peer()
        for peer in (fast, good):
            await peer.greet()
        made.hub.publish(tick(Flow()), 1.0)
        most = int(BURST) + 100
        began_s = asyncio.get_running_loop().time()
        fast.say(*(Query(tag=tag, interval=60) for tag in range(most)))
        good.say(Query(tag=7, interval=60))
        answer = await good.hear()
        assert isinstance(answer, Snapshot)
        assert answer.tag == 7
        tags: list[int] = []
        while not tags or tags[-1] != most - 1:
            answer = await fast.hear()
            assert isinstance(answer, Snapshot)
            tags.append(answer.tag)
        assert asyncio.get_running_loop().time() - began_s > 0.9 * 100 / RATE
        assert tags == sorted(tags)

    played(tmp_path, play)


def test_broken_viewers_do_not_flood_the_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "flowtopd")

    async def play(made: Scene) -> None:
        for _ in range(100):
            peer = await made.peer()
            peer.writer.write(b"GET / HTTP/1.1\r\n\r\n")
            assert isinstance(await peer.hear(), Error)

    played(tmp_path, play)
    (line,) = caplog.messages
    assert line.startswith(f"viewer of uid {os.geteuid()}, pid {os.getpid()} closed: too-large: ")
