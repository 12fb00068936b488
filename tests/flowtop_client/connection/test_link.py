"""Conversations with a scripted daemon over a real Unix socket."""

import asyncio
import errno
import socket
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import msgpack
import pytest

from flowtop_client.connection import link
from flowtop_client.connection.advice import for_no_daemon
from flowtop_client.connection.link import (
    LONGEST_WAIT_S,
    Connection,
    Down,
    Event,
    NoDaemon,
    Unavailable,
    Up,
    refusal,
)
from flowtopd.wire.codec import encode_daemon
from flowtopd.wire.errors import ErrorCode
from flowtopd.wire.messages import (
    PROTOCOL_VERSION,
    Delete,
    Detail,
    Done,
    Error,
    FlowRequest,
    Hello,
    Kill,
    Query,
    Snapshot,
    ViewerMessage,
    Welcome,
)
from tests.flowtop_client.conftest import MakeDaemon
from tests.flowtop_client.scripted_daemon import Peer, ScriptedDaemon, flow, plain_answer
from tests.flowtop_client.scripted_details import NATTED, Deeds

QUERY = Query(tag=1, limit=10)

Events = Callable[[], Any]


@asynccontextmanager
async def talk(target: str | socket.socket) -> AsyncIterator[tuple[Connection, Up, Events]]:
    """An open connection, its greeting, and a function that waits for the next event."""
    connection = Connection(target, QUERY, first_wait_s=0.001)
    up = await connection.open()
    try:
        async with aclosing(connection.events()) as events:
            yield connection, up, lambda: asyncio.wait_for(anext(events, None), 20)
    finally:
        await connection.close()


async def until(next_event: Events, kind: type[Event]) -> Any:
    """The next event of a kind, over any others."""
    while not isinstance(event := await next_event(), kind):
        assert event is not None
    return event


def test_hello_and_query_go_out_together_and_the_first_snapshot_comes_back(make_daemon: MakeDaemon) -> None:
    daemon = make_daemon(host="router")

    async def conversation() -> None:
        async with talk(daemon.path) as (_, up, next_event):
            assert up == Up("router", "scripted")
            snapshot = await next_event()
            assert isinstance(snapshot, Snapshot)
            assert len(snapshot.rows) == 3
        assert daemon.got == [Hello(PROTOCOL_VERSION, "flowtop"), QUERY]

    asyncio.run(conversation())


def test_every_tick_arrives_and_the_newest_query_counts(make_daemon: MakeDaemon) -> None:
    daemon = make_daemon()

    async def conversation() -> None:
        async with talk(daemon.path) as (connection, _, next_event):
            assert (await next_event()).seq == 1
            daemon.push()
            assert (await next_event()).seq == 2
            connection.ask(Query(tag=2, limit=1))
            answer = await next_event()
            assert (answer.tag, len(answer.rows)) == (2, 1)

    asyncio.run(conversation())


def test_a_snapshot_in_the_same_packet_as_the_welcome_is_not_kept_waiting(make_daemon: MakeDaemon) -> None:
    def late_welcome(daemon: ScriptedDaemon, peer: Peer, message: ViewerMessage) -> None:
        if isinstance(message, Query):
            peer.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
            plain_answer(daemon, peer, Hello(1))
            plain_answer(daemon, peer, message)

    daemon = make_daemon(answer=late_welcome)

    async def conversation() -> None:
        async with talk(daemon.path) as (_, _, next_event):
            assert isinstance(await next_event(), Snapshot)

    asyncio.run(conversation())


def test_a_flow_is_followed_and_asked_for_again_by_a_daemon_that_comes_back(make_daemon: MakeDaemon) -> None:
    answer = Deeds()
    daemon = make_daemon([NATTED], answer=answer)

    async def conversation() -> None:
        async with talk(daemon.path) as (connection, up, next_event):
            assert up.may == ("update", "act")
            connection.watch("1")
            detail = await until(next_event, Detail)
            assert detail.flow is not None
            daemon.close()
            await until(next_event, Down)
            answer.watched = ""
            daemon.listen()
            await until(next_event, Up)
            assert (await until(next_event, Detail)).id == "1"
            connection.watch("")
            daemon.wait_for(lambda: daemon.got[-1] == FlowRequest(""))

    asyncio.run(conversation())


def test_what_is_told_once_is_not_told_to_the_next_daemon(make_daemon: MakeDaemon) -> None:
    daemon = make_daemon([NATTED], answer=Deeds())

    async def conversation() -> None:
        async with talk(daemon.path) as (connection, _, next_event):
            connection.tell(Delete("1"))
            assert (await until(next_event, Done)).id == "1"
            daemon.close()
            await until(next_event, Down)
            connection.tell(Kill("1"))
            daemon.listen()
            await until(next_event, Up)
            await until(next_event, Snapshot)
            assert not any(isinstance(message, Kill) for message in daemon.got)

    asyncio.run(conversation())


def test_a_daemon_that_comes_back_is_asked_again(make_daemon: MakeDaemon) -> None:
    daemon = make_daemon()

    async def conversation() -> None:
        async with talk(daemon.path) as (connection, _, next_event):
            await until(next_event, Snapshot)
            connection.ask(Query(tag=7, limit=2))
            daemon.wait_for(lambda: len(daemon.queries()) == 2)
            daemon.close()
            down = await until(next_event, Down)
            assert down.why == "it closed the connection"
            assert "no daemon listens" in (await until(next_event, Down)).why
            daemon.host = "router again"
            daemon.listen()
            assert (await until(next_event, Up)).host == "router again"
            assert (await until(next_event, Snapshot)).tag == 7

    asyncio.run(conversation())


def test_a_query_made_while_the_daemon_is_gone_is_sent_when_it_is_back(make_daemon: MakeDaemon) -> None:
    daemon = make_daemon()

    async def conversation() -> None:
        async with talk(daemon.path) as (connection, _, next_event):
            daemon.close()
            await until(next_event, Down)
            connection.ask(Query(tag=3))
            daemon.listen()
            assert (await until(next_event, Snapshot)).tag == 3

    asyncio.run(conversation())


def test_a_handed_over_socket_cannot_come_back(make_daemon: MakeDaemon) -> None:
    daemon = make_daemon()
    ours, theirs = socket.socketpair()
    daemon.serve(theirs)

    async def conversation() -> None:
        async with talk(ours) as (_, _, next_event):
            assert isinstance(await next_event(), Snapshot)
            daemon.close()
            assert isinstance(await next_event(), Down)
            assert await next_event() is None

    asyncio.run(conversation())


def test_the_reason_for_a_hang_up_is_what_the_daemon_said(make_daemon: MakeDaemon) -> None:
    def refuse_queries(daemon: ScriptedDaemon, peer: Peer, message: ViewerMessage) -> None:
        plain_answer(daemon, peer, message)
        if isinstance(message, Query):
            peer.send(Error(ErrorCode.FIELD, "query: limit wants int"))
            peer.sock.shutdown(socket.SHUT_RDWR)

    daemon = make_daemon(answer=refuse_queries)

    async def conversation() -> None:
        async with talk(daemon.path) as (_, _, next_event):
            assert (await until(next_event, Error)).code is ErrorCode.FIELD
            assert (await until(next_event, Down)).why == "query: limit wants int"

    asyncio.run(conversation())


def sends(message: Any) -> Any:
    """A daemon that says `message` to a hello."""

    def answer(_: ScriptedDaemon, peer: Peer, got: ViewerMessage) -> None:
        if isinstance(got, Hello):
            if isinstance(message, bytes):
                peer.sock.sendall(message)
            else:
                peer.send(message)
            peer.sock.shutdown(socket.SHUT_RDWR)

    return answer


@pytest.mark.parametrize(
    ("said", "what", "hint"),
    [
        (Welcome(PROTOCOL_VERSION + 1, "", ""), "this viewer (protocol 1) is older than the daemon", "update flowtop"),
        (Welcome(PROTOCOL_VERSION - 1, "", ""), "the daemon (protocol 0) is older than this viewer", "update flowtopd"),
        (
            Error(ErrorCode.VERSION, "the viewer speaks protocol 1, the daemon 2: the viewer is older"),
            "the daemon 2: the viewer is older",
            "update flowtop;",
        ),
        (Error(ErrorCode.VERSION, "…: the daemon is older"), "the daemon is older", "systemctl restart flowtopd"),
        (Error(ErrorCode.VERSION, "never heard of it"), "never heard of it", "update the older"),
        (Error(ErrorCode.DENIED, "not in the group"), "the daemon refused: not in the group", "group"),
        (Error(ErrorCode.BUSY, "100 viewers"), "the daemon refused: 100 viewers", "close another"),
        (Error(ErrorCode.INTERNAL, "sorry"), "the daemon refused: sorry", ""),
        (b"", "the daemon closed the connection", ""),
        (b"HTTP/1.1 400 Bad Request\r\n", "the daemon did not answer: a frame of", ""),
        (b"\0\0\0\1\xc1", "the daemon did not answer: not msgpack", ""),
    ],
)
def test_a_greeting_that_goes_wrong_is_one_line_and_what_helps(
    make_daemon: MakeDaemon, said: Any, what: str, hint: str
) -> None:
    daemon = make_daemon(answer=sends(said))

    async def conversation() -> None:
        connection = Connection(daemon.path, QUERY)
        with pytest.raises(Unavailable) as caught:
            await connection.open()
        assert what in caught.value.what
        assert hint in caught.value.hint
        await connection.close()

    asyncio.run(conversation())


def test_something_else_than_a_flowtop_daemon_is_recognised(make_daemon: MakeDaemon) -> None:
    def answer(daemon: ScriptedDaemon, peer: Peer, message: ViewerMessage) -> None:
        if isinstance(message, Query):
            peer.query = message
            daemon.answer_query(peer)

    daemon = make_daemon(answer=answer)

    async def conversation() -> None:
        with pytest.raises(Unavailable, match="no flowtop daemon"):
            await Connection(daemon.path, QUERY).open()

    asyncio.run(conversation())


def test_no_socket_and_a_stale_one_are_the_same_to_the_user(tmp_path: Path) -> None:
    stale = tmp_path / "stale.sock"
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(stale))

    async def conversation() -> None:
        for path in (tmp_path / "none.sock", stale):
            with pytest.raises(NoDaemon) as caught:
                await Connection(str(path), QUERY).open()
            assert caught.value.what == f"no daemon listens on {path}"
            assert caught.value.hint == for_no_daemon()

    asyncio.run(conversation())


@pytest.mark.parametrize(
    ("error", "what", "hint"),
    [
        (PermissionError(errno.EACCES, "Permission denied"), "no permission on /s", "group"),
        (ConnectionRefusedError(errno.ECONNREFUSED, "refused"), "no daemon listens on /s", for_no_daemon()),
        (NotADirectoryError(errno.ENOTDIR, "Not a directory"), "cannot connect to /s: Not a directory", ""),
        (OSError("AF_UNIX path too long"), "cannot connect to /s: AF_UNIX path too long", ""),
    ],
)
def test_a_refused_connect_says_what_helps(error: OSError, what: str, hint: str) -> None:
    found = refusal(error, "/s")
    assert found.what == what
    assert hint in found.hint


def test_a_daemon_that_does_not_read_gets_the_newest_query_when_it_does() -> None:
    """While its buffers are full, queries replace one another instead of piling up."""
    ours, theirs = socket.socketpair()
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    last = 5000

    async def conversation() -> None:
        connection = Connection(ours, QUERY)
        with theirs:
            await asyncio.to_thread(lambda: None)
            opening = asyncio.gather(connection.open(), asyncio.to_thread(theirs.sendall, welcome()))
            await opening
            for tag in range(2, last + 1):
                connection.ask(Query(tag=tag, fields=("id",) * 20))
            session = connection._session
            assert session is not None
            assert session._writer.transport.get_write_buffer_size() < 80 * 1024
            assert [message.tag for message in session._late.values() if isinstance(message, Query)] == [last]
        await connection.close()

    asyncio.run(conversation())


def welcome() -> bytes:
    from flowtopd.wire.codec import encode_daemon

    return encode_daemon(Welcome(PROTOCOL_VERSION, "", ""))


def test_waits_between_attempts_grow_to_a_bound(monkeypatch: pytest.MonkeyPatch, make_daemon: MakeDaemon) -> None:
    daemon = make_daemon([flow(1)])
    waits: list[float] = []
    real_sleep = asyncio.sleep

    async def sleep(delay: float) -> None:
        waits.append(delay)
        await real_sleep(0)

    async def conversation() -> None:
        connection = Connection(daemon.path, QUERY, first_wait_s=0.1)
        await connection.open()
        daemon.close()
        monkeypatch.setattr(asyncio, "sleep", sleep)
        async with aclosing(connection.events()) as events:
            async for _ in events:
                if len(waits) >= 8:
                    break
        await connection.close()

    asyncio.run(conversation())
    assert waits[:5] == [0.1, 0.2, 0.4, 0.8, 1.6]
    assert set(waits[5:]) == {LONGEST_WAIT_S}


NEWER = {"type": "welcome", "version": PROTOCOL_VERSION + 1, "server": "flowtopd 9", "name": "router", "new": [1]}
OLDER = {"type": "welcome", "version": PROTOCOL_VERSION - 1, "server": "flowtopd 0"}
REFUSES = {
    "type": "error",
    "code": "version",
    "message": "the viewer speaks protocol 1, the daemon 2: the viewer is older",
    "advice": "of tomorrow",
}


def framed(values: dict[str, Any]) -> bytes:
    body = msgpack.packb(values)
    return bytes(struct.pack(">I", len(body)) + body)


@pytest.mark.parametrize(
    ("said", "why", "hint"),
    [
        (NEWER, "this viewer (protocol 1) is older than the daemon (protocol 2)", "update flowtop"),
        (OLDER, "the daemon (protocol 0) is older than this viewer (protocol 1)", "update flowtopd;"),
        (REFUSES, f"the daemon refused: {REFUSES['message']}", "update flowtop; where that is done already"),
        (
            {"type": "error", "code": "busy", "message": "64 viewers are connected, and no more are accepted"},
            "the daemon refused: 64 viewers are connected, and no more are accepted",
            "close another viewer first",
        ),
    ],
)
def test_a_daemon_that_comes_back_and_refuses_is_tried_again_and_again_with_the_reason(
    make_daemon: MakeDaemon, said: dict[str, Any], why: str, hint: str
) -> None:
    """After an upgrade, or where somebody else has taken the place. Messages of another version have other fields."""
    daemon = make_daemon()

    async def conversation() -> None:
        async with talk(daemon.path) as (_, _, next_event):
            await until(next_event, Snapshot)
            daemon.close()
            daemon._answer = sends(framed(said))
            daemon.listen()
            for _ in range(3):
                down = await until(next_event, Down)
                while "daemon listens" in down.why or "closed the connection" in down.why:
                    down = await until(next_event, Down)
                assert down.why == why
                assert down.hint.startswith(hint)
            daemon._answer = plain_answer
            await until(next_event, Up)
            await until(next_event, Snapshot)

    asyncio.run(conversation())


def test_where_many_connect_at_once_one_waits_in_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel says EAGAIN to a socket that does not block, and its SO_ERROR is 0."""
    path = str(tmp_path / "sock")

    async def conversation() -> None:
        with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as first:
            listener.bind(path)
            listener.listen(0)
            first.connect(path)
            connection = Connection(path, QUERY)
            async with asyncio.TaskGroup() as tasks:
                opening = tasks.create_task(connection.open())
                await asyncio.sleep(3 * link._QUEUE_POLL_S)
                assert not opening.done()
                listener.accept()[0].close()
                peer, _address = await asyncio.to_thread(listener.accept)
                with peer:
                    await asyncio.to_thread(peer.recv, 4096)
                    peer.sendall(encode_daemon(Welcome(PROTOCOL_VERSION, "", "router")))
                    assert (await opening).host == "router"
            await connection.close()

            monkeypatch.setattr(link, "_QUEUE_S", 0.05)
            with socket.socket(socket.AF_UNIX) as second:
                second.connect(path)
                with pytest.raises(Unavailable, match=f"cannot connect to {path}: too many others are connecting"):
                    await connection.open()

    asyncio.run(conversation())
