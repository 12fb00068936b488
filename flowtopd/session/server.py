"""Accepts viewers, on a listening socket for all or on one connected socket for a private daemon."""

import asyncio
import logging
import socket
import sys
from functools import partial
from typing import Any, Final

from flowtopd.flows.snapshot import Snapshot
from flowtopd.session.access import Peer, may_change, peer
from flowtopd.session.acts import Acts, Tell
from flowtopd.session.conversation import Conversation, TakeSeek, WantNames
from flowtopd.session.hub import Hub
from flowtopd.session.updates import Updates
from flowtopd.session.viewer import serve_viewer
from flowtopd.wire.errors import ErrorCode, RemoteProtocolError
from flowtopd.wire.messages import Delete, Kill, Right

_KEEP_PATH: Final[dict[str, Any]] = {"cleanup_socket": False} if sys.version_info >= (3, 13) else {}
"""Since Python 3.13 a server removes its socket's path, which may be a socket unit's."""

log = logging.getLogger(__name__)


class Server:
    """Makes a session of every connection. Members of `group` may update, those of `admin_group` may act on flows.

    Without `acts`, as for a recording, nobody may.
    """

    def __init__(
        self,
        hub: Hub,
        program: str,
        want_names: WantNames,
        updates: Updates,
        group: str,
        *,
        acts: Acts | None = None,
        admin_group: str = "",
        host: str | None = None,
        seek: TakeSeek | None = None,
    ) -> None:
        self._hub = hub
        self._program = program
        self._want_names = want_names
        self._updates = updates
        self._acts = acts
        self._group = group
        self.admin_group = admin_group
        self._host = socket.gethostname() if host is None else host
        self._seek = seek

    async def serve(self, listener: socket.socket) -> None:
        """Serve everybody who connects, until cancelled. Sessions end with it."""
        async with asyncio.TaskGroup() as sessions:

            def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                if serving:
                    sessions.create_task(self._session(reader, writer))
                else:
                    writer.transport.abort()

            serving = True
            server = await asyncio.start_unix_server(accept, sock=listener, start_serving=False, **_KEEP_PATH)
            try:
                await server.start_serving()
                # not serve_forever(): since Python 3.12 it waits for all connections before it lets itself be cancelled
                await asyncio.Event().wait()
            finally:
                serving = False  # who is accepted already is told so only on the next turn of the loop
                server.close()

    async def serve_one(self, connected: socket.socket) -> None:
        """Serve the viewer at the other end of a connected socket, until it leaves."""
        reader, writer = await asyncio.open_unix_connection(sock=connected)
        await self._session(reader, writer)

    async def _session(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        who = peer(writer.get_extra_info("socket"))
        log.debug("viewer of uid %d, pid %d", who.uid, who.pid)
        may = self._rights(who)
        conversation = Conversation(self._program, self._host, self._want_names, may, seek=self._seek)
        try:
            ask_act = _refuse if self._acts is None else partial(self._acts.ask, who, may)
            await serve_viewer(reader, writer, self._hub, self._updates, conversation, ask_act=ask_act)
        except Exception:  # a mistake of ours in one session must not end the others
            log.exception("session of uid %d, pid %d failed", who.uid, who.pid)

    def _rights(self, who: Peer) -> tuple[Right, ...]:
        groups = {Right.UPDATE: self._group} | ({} if self._acts is None else {Right.ACT: self.admin_group})
        return tuple(right for right, group in groups.items() if may_change(who, group))


def _refuse(_wanted: Delete | Kill, _snapshot: Snapshot | None, _tell: Tell) -> None:
    raise RemoteProtocolError(ErrorCode.DENIED, "these flows are a recording: nothing can be done about them")
