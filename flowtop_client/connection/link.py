"""A connection to a daemon that comes back by itself. asyncio streams; the wire codec does the talking.

    open()    ── hello, query ──▶          raises Unavailable: one line, and what helps
              ◀── welcome ──
    events()  ◀── Snapshot, Detail, Done, Progress, Error, and Up / Down as the connection comes and goes
    ask()     ── query ──▶                 the newest one is sent again after a reconnect
    watch()   ── flow ──▶                  that too
    tell()    ── delete, kill, seek ──▶    once

An update may be asked for in place of the first query.

Rules:
- Reconnecting waits 0.1 s, then twice as long each time, up to 2 s (15 s where another host is logged in to), for ever.
  A connection that was handed over (a private daemon's) cannot come back: its Down is the last event. A way to another
  host that only a person could make again is not tried again.
- `events` may begin without `open`, or after one that failed: then it connects as after a loss.
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
from typing import Final, Protocol

from flowtop_client.connection.advice import for_no_daemon, for_permission, this_user
from flowtop_client.connection.trust import distrust
from flowtop_client.several import Member
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
LONGEST_WAY_S: Final = 15.0
"""The same for another host: a login costs it something, and too many look like an attack."""


class Unavailable(Exception):  # noqa: N818  # a state of the world, not a mistake
    """There is no daemon to talk to. `what` and `hint` are a line each, for a person."""

    def __init__(self, what: str, hint: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.hint = hint


class NoAnswer(Unavailable):
    """Something took the connection, and closed it without a word."""


class NoDaemon(Unavailable):
    """Nobody listens on the socket; root gets a private daemon instead."""


class Way(Protocol):
    """A way to a daemon on another host, which has to be made, and made again when it is lost."""

    @property
    def final(self) -> bool:
        """Whether it cannot be made again."""

    @property
    def stands(self) -> bool:
        """Whether it is there, wherever it leads."""

    async def ready(self) -> str:
        """Make it, where it is not there, and give the path of its socket. Raises Unavailable."""

    async def explained(self, error: Unavailable) -> Unavailable:
        """What it means that no daemon answered at the end of it."""

    def lost(self) -> str:
        """Why it is gone; empty where it is still there."""


Target = str | socket.socket | Way
"""Where a daemon is: a path, a socket that is connected already, or a way to another host."""


@dataclass(frozen=True, slots=True)
class Up:
    """A daemon answered the hello."""

    host: str
    server: str
    may: tuple[str, ...] = ()
    whose: Whose = Whose.ALL


@dataclass(frozen=True, slots=True)
class Down:
    """The connection is gone, or was tried again in vain. `forever`: it is not tried again."""

    why: str
    hint: str = ""
    forever: bool = False


@dataclass(frozen=True, slots=True)
class Members:
    """How it stands with each of several hosts."""

    members: tuple[Member, ...]


Event = Up | Down | Members | Snapshot | Detail | Done | Progress | Error


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


def named(host: str, error: Unavailable) -> Unavailable:
    """The same, with the name of the host that it is about."""
    begin = f"{host}: "
    return error if error.what.startswith(begin) else Unavailable(begin + error.what, error.hint)


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
            raise NoAnswer(f"the daemon did not answer: {error}") from None
        if isinstance(first, Error):
            raise rejection(first, path)
        if first is None:
            raise NoAnswer("the daemon closed the connection")
        if not isinstance(first, Welcome):
            raise Unavailable("this is no flowtop daemon")
        check_version(first)
        return first

    async def close(self) -> None:
        await self._messages.aclose()
        self._writer.close()
        with suppress(OSError):
            await self._writer.wait_closed()


class Link(Protocol):
    """What a viewer talks to: one daemon, or several as if they were one. `Connection` says what each of these does."""

    @property
    def target(self) -> Target | None:
        """Where the daemon is; None where there are several."""

    async def open(self) -> Up:
        """Connect, greet and ask. Raises Unavailable."""

    def ask(self, query: Query) -> None:
        """Want this from now on."""

    def watch(self, flow: str) -> None:
        """Want the details of this flow."""

    def tell(self, message: Delete | Kill | Seek) -> None:
        """Say this once."""

    def events(self) -> AsyncGenerator[Event, None]:
        """What happens."""

    async def close(self) -> None:
        """Leave."""


class Connection:
    """A viewer's connection to the daemon behind `target`."""

    def __init__(
        self,
        target: Target,
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
    def target(self) -> Target:
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
        except BaseException as error:
            await session.close()
            if isinstance(error, NoAnswer) and not isinstance(self._target, str | socket.socket):
                raise await self._target.explained(error) from None
            raise
        self._session = session
        return Up(welcome.host, welcome.server, welcome.may, welcome.whose)

    async def _connect(self) -> socket.socket:
        if isinstance(self._target, socket.socket):
            self._target.setblocking(False)
            return self._target
        path = self._target if isinstance(self._target, str) else await self._target.ready()
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.setblocking(False)
        try:
            await _connected(sock, path)
        except BaseException as error:
            sock.close()
            if not isinstance(error, OSError):
                raise
            if isinstance(self._target, str):
                raise refusal(error, path) from None
            raise await self._target.explained(NoAnswer(f"the way to the daemon is closed: {error.strerror}")) from None
        if doubt := distrust(sock, path):
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
            if self._session is not None:
                async for event in self._until_lost():
                    yield event
            if isinstance(self._target, socket.socket):
                return
            wait_s = self._first_wait_s
            while self._session is None:
                await asyncio.sleep(wait_s)
                longest_s = LONGEST_WAIT_S if isinstance(self._target, str) or self._target.stands else LONGEST_WAY_S
                wait_s = min(2 * wait_s, longest_s)
                try:
                    up = await self.open()
                except Unavailable as error:
                    forever = not isinstance(self._target, str) and self._target.final
                    yield Down(error.what, error.hint, forever)
                    if forever:
                        await asyncio.get_running_loop().create_future()  # what was last seen stays on the screen
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
        if not isinstance(self._target, str | socket.socket):
            why = self._target.lost() or why
        yield Down(why)

    async def close(self) -> None:
        """Leave. May be called at any time, and again."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()
