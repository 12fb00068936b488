"""A connection to a daemon that comes back by itself. asyncio streams; the wire codec does the talking.

    open()    ── hello, query ──▶          raises Unavailable: one line, and what helps
              ◀── welcome ──
    events()  ◀── Snapshot, Detail, Done, Progress, Error, and Up / Down as the connection comes and goes
    ask()     ── query ──▶                 the newest one is sent again after a reconnect
    watch()   ── flow ──▶                  that too
    tell()    ── delete, kill, seek ──▶    once

An update may be asked for in place of the first query.

Rules:
- Reconnecting waits 0.1 s, then twice as long each time, up to 2 s, for ever. A connection that was handed over
  (a private daemon's) cannot come back: its Down is the last event.
- A daemon that is neither root's nor this user's is believed only in a directory of its own (`trust`).
- Memory is bounded at both sides: a frame has a limit, and while the daemon does not read, only the newest message
  of each kind waits.
"""

import asyncio
import errno
import os
import socket
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from flowtop_client.connection.advice import for_no_daemon, for_permission, this_user
from flowtop_client.connection.trust import distrust
from flowtopd.wire.codec import decode_daemon, encode_viewer
from flowtopd.wire.errors import ErrorCode, RemoteProtocolError
from flowtopd.wire.framing import MAX_DAEMON_FRAME, FrameReader
from flowtopd.wire.messages import (
    PROTOCOL_VERSION,
    DaemonMessage,
    Delete,
    Detail,
    Done,
    Error,
    FlowRequest,
    Hello,
    Kill,
    Progress,
    Query,
    Seek,
    Snapshot,
    Update,
    ViewerMessage,
    Welcome,
    Whose,
)

_CHUNK: Final = 256 * 1024
_UNSENT_LIMIT: Final = 64 * 1024
_ANSWER_S: Final = 10.0
"""A daemon that says nothing for so long after a hello is as good as gone; it answers before its first tick."""

_QUEUE_S: Final = 5.0
_QUEUE_POLL_S: Final = 0.02
"""How long to stand in line where too many connect at once, and how often to try: the kernel does not tell."""
_UPDATE_VIEWER: Final = "update flowtop; where that is done already, start it again"
_UPDATE_DAEMON: Final = "update flowtopd; where that is done already: `sudo systemctl restart flowtopd`"

FIRST_WAIT_S: Final = 0.1
LONGEST_WAIT_S: Final = 2.0


class Unavailable(Exception):  # noqa: N818  # a state of the world, not a mistake
    """There is no daemon to talk to. `what` and `hint` are a line each, for a person."""

    def __init__(self, what: str, hint: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.hint = hint


class NoDaemon(Unavailable):
    """Nobody listens on the socket; root gets a private daemon instead."""


@dataclass(frozen=True, slots=True)
class Up:
    """A daemon answered the hello."""

    host: str
    server: str
    may: tuple[str, ...] = ()
    whose: Whose = Whose.ALL


@dataclass(frozen=True, slots=True)
class Down:
    """The connection is gone, or was tried again in vain."""

    why: str
    hint: str = ""


Event = Up | Down | Snapshot | Detail | Done | Progress | Error


def refusal(error: OSError, path: str) -> Unavailable:
    """What a failed connect means to the user."""
    if isinstance(error, FileNotFoundError | ConnectionRefusedError):
        named = " ($FLOWTOP_SOCKET)" if path == os.environ.get("FLOWTOP_SOCKET") else ""
        return NoDaemon(f"no daemon listens on {path}{named}", for_no_daemon())
    if isinstance(error, PermissionError):
        return Unavailable(f"no permission on {path}", for_permission(path, this_user()))
    return Unavailable(f"cannot connect to {path}: {error.strerror or error}")


def rejection(error: Error, path: str = "") -> Unavailable:
    """What an error in place of a welcome means to the user; `path` is the socket, where it is known."""
    match error.code:
        case ErrorCode.VERSION if error.message.endswith("the daemon is older"):
            hint = _UPDATE_DAEMON
        case ErrorCode.VERSION if error.message.endswith("the viewer is older"):
            hint = _UPDATE_VIEWER
        case ErrorCode.VERSION:
            hint = (
                "update the older of flowtop and flowtopd, then restart the daemon: `sudo systemctl restart flowtopd`"
            )
        case ErrorCode.DENIED:
            hint = for_permission(path, this_user())
        case ErrorCode.BUSY:
            hint = "close another viewer first"
        case _:
            hint = ""
    return Unavailable(f"the daemon refused: {error.message}", hint)


def check_version(welcome: Welcome) -> None:
    """Raises Unavailable where the daemon speaks another version than this viewer."""
    if welcome.version == PROTOCOL_VERSION:
        return
    viewer, daemon = f"this viewer (protocol {PROTOCOL_VERSION})", f"the daemon (protocol {welcome.version})"
    if welcome.version > PROTOCOL_VERSION:
        raise Unavailable(f"{viewer} is older than {daemon}", _UPDATE_VIEWER)
    raise Unavailable(f"{daemon} is older than {viewer}", _UPDATE_DAEMON)


async def _connected(sock: socket.socket, path: str) -> None:
    """Connect a socket that does not block. Raises OSError."""
    # a Unix socket connects at once, or is told EAGAIN where the queue is full, and then there is nothing to wait on:
    # asyncio's sock_connect takes that for a connection
    try:
        async with asyncio.timeout(_QUEUE_S):
            while True:
                try:
                    sock.connect(path)
                except BlockingIOError:
                    await asyncio.sleep(_QUEUE_POLL_S)
                else:
                    return
    except TimeoutError:
        raise OSError(errno.EAGAIN, "too many others are connecting") from None


class _Session:
    """One connection, from the hello to its end."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._frames = FrameReader(MAX_DAEMON_FRAME)
        self._late: dict[type[ViewerMessage], ViewerMessage] = {}
        self._messages = self._read()

    def send(self, message: ViewerMessage) -> None:
        """Send now, or keep the newest of its kind for later where the daemon does not read."""
        if self._writer.transport.get_write_buffer_size() > _UNSENT_LIMIT:
            self._late[type(message)] = message
        else:
            self._writer.write(encode_viewer(message))

    def messages(self) -> AsyncIterator[DaemonMessage]:
        """What the daemon sends, until it closes. Raises OSError and RemoteProtocolError."""
        return self._messages

    async def _read(self) -> AsyncGenerator[DaemonMessage, None]:
        while data := await self._reader.read(_CHUNK):
            late, self._late = self._late, {}
            for message in late.values():
                self.send(message)
            for body in self._frames.feed(data):
                yield decode_daemon(body)

    async def welcome(self, path: str) -> Welcome:
        """The answer to the hello from the daemon at `path`, where it has one. Raises Unavailable."""
        try:
            async with asyncio.timeout(_ANSWER_S):
                first = await anext(self._messages, None)
        except TimeoutError:
            raise Unavailable(f"the daemon did not answer within {_ANSWER_S:.0f} s") from None
        except (OSError, RemoteProtocolError) as error:
            raise Unavailable(f"the daemon did not answer: {error}") from None
        if isinstance(first, Error):
            raise rejection(first, path)
        if not isinstance(first, Welcome):
            raise Unavailable("the daemon closed the connection" if first is None else "this is no flowtop daemon")
        check_version(first)
        return first

    async def close(self) -> None:
        await self._messages.aclose()
        self._writer.close()
        with suppress(OSError):
            await self._writer.wait_closed()


class Connection:
    """A viewer's connection to the daemon behind `target`: a path, or a socket that is connected already."""

    def __init__(
        self,
        target: str | socket.socket,
        query: Query | Update,
        *,
        first_wait_s: float = FIRST_WAIT_S,
        client: str = "flowtop",
    ) -> None:
        self._target = target
        self._query = query
        self._first_wait_s = first_wait_s
        self._client = client
        self._session: _Session | None = None
        self._watched = ""

    @property
    def target(self) -> str | socket.socket:
        """Where the daemon is."""
        return self._target

    async def open(self) -> Up:
        """Connect, greet and ask, all at once. Raises Unavailable."""
        sock = await self._connect()
        try:
            greeting = encode_viewer(Hello(PROTOCOL_VERSION, self._client)) + encode_viewer(self._query)
            if self._watched:
                greeting += encode_viewer(FlowRequest(self._watched))
            # not through the stream: where its write fails, it drops what the daemon said before it hung up
            with suppress(BrokenPipeError, ConnectionResetError):
                await asyncio.get_running_loop().sock_sendall(sock, greeting)
            session = _Session(*await asyncio.open_connection(sock=sock))
        except BaseException:
            sock.close()
            raise
        try:
            welcome = await session.welcome(self._target if isinstance(self._target, str) else "")
        except BaseException:
            await session.close()
            raise
        self._session = session
        return Up(welcome.host, welcome.server, welcome.may, welcome.whose)

    async def _connect(self) -> socket.socket:
        if isinstance(self._target, socket.socket):
            self._target.setblocking(False)
            return self._target
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.setblocking(False)
        try:
            await _connected(sock, self._target)
        except BaseException as error:
            sock.close()
            if isinstance(error, OSError):
                raise refusal(error, self._target) from None
            raise
        if doubt := distrust(sock, self._target):
            sock.close()
            raise Unavailable(doubt, "it may be somebody's who wants to be taken for the daemon")
        return sock

    def ask(self, query: Query) -> None:
        """Want this from now on."""
        self._query = query
        if self._session is not None:
            self._session.send(query)

    def watch(self, flow: str) -> None:
        """Want the details of this flow from now on, or of none where it is empty."""
        self._watched = flow
        if self._session is not None:
            self._session.send(FlowRequest(flow))

    def tell(self, message: Delete | Kill | Seek) -> None:
        """Say this once; without a daemon nobody hears it."""
        if self._session is not None:
            self._session.send(message)

    async def events(self) -> AsyncGenerator[Event, None]:
        """What happens on the open connection. Ends only where it cannot come back."""
        while True:
            async for event in self._until_lost():
                yield event
            if isinstance(self._target, socket.socket):
                return
            wait_s = self._first_wait_s
            while self._session is None:
                await asyncio.sleep(wait_s)
                wait_s = min(2 * wait_s, LONGEST_WAIT_S)
                try:
                    up = await self.open()
                except Unavailable as error:
                    yield Down(error.what, error.hint)
                else:
                    yield up

    async def _until_lost(self) -> AsyncGenerator[Event, None]:
        """The messages of the open session, and at its end why it ended."""
        assert self._session is not None
        why = "it closed the connection"
        try:
            async for message in self._session.messages():
                if isinstance(message, Welcome):
                    why = "it sent a second welcome"
                    break
                if isinstance(message, Error):
                    why = message.message
                yield message
        except (OSError, RemoteProtocolError) as error:
            why = str(error)
        await self.close()
        yield Down(why)

    async def close(self) -> None:
        """Leave. May be called at any time, and again."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()
