"""Accepts viewers, on a listening socket for all or on one connected socket for a private daemon.

    Door ─▶ peer ─▶ standing ─┬─ outsider where others are denied ─▶ `denied`
                              └─▶ Places ─┬─ too many ─▶ `busy`
                                          └─▶ a session, on the hub of all or of this user's own flows

Who is refused is told why, and the log has it once (`complaints`).
"""

import asyncio
import logging
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from typing import Final

from flowtopd.config import Others
from flowtopd.flows.snapshot import Snapshot
from flowtopd.session.acts import Acts, Tell
from flowtopd.session.complaints import Complaints
from flowtopd.session.conversation import Conversation, TakeSeek, WantNames
from flowtopd.session.door import Door, turn_away
from flowtopd.session.hub import Hub
from flowtopd.session.own_hub import OwnHub
from flowtopd.session.peers import Peer, Policy, Standing, peer
from flowtopd.session.places import Guest, Places
from flowtopd.session.turns import Turns
from flowtopd.session.updates import Updates
from flowtopd.session.viewer import serve_viewer
from flowtopd.wire.errors import ErrorCode, RemoteProtocolError
from flowtopd.wire.messages import Delete, Kill, Whose

MAX_VIEWERS: Final = 64

log = logging.getLogger(__name__)


class Server:
    """Makes a session of every connection. Members of `group` may update, those of `admin_group` may act on flows.

    Without `acts`, as for a recording, nobody may. `others`: what those see that are in neither.
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
        others: Others = Others.DENY,
        max_viewers: int = MAX_VIEWERS,
        host: str | None = None,
        seek: TakeSeek | None = None,
    ) -> None:
        self._hub = hub
        self._program = program
        self._want_names = want_names
        self._updates = updates
        self._acts = acts
        self._policy = Policy(group, admin_group, acting=acts is not None)
        self._others = others
        self._places = Places(max_viewers)
        self._complaints = Complaints(log)
        self._turns = Turns()
        self._own: dict[int, tuple[OwnHub, int]] = {}
        self._host = socket.gethostname() if host is None else host
        self._seek = seek

    @property
    def admin_group(self) -> str:
        """Whose members may act on flows. It may be set at any time, for those who come after."""
        return self._policy.admin_group

    @admin_group.setter
    def admin_group(self, group: str) -> None:
        self._policy.admin_group = group

    async def serve(self, listener: socket.socket) -> None:
        """Serve everybody who connects, until cancelled. Sessions end with it; the socket stays open."""
        async with asyncio.TaskGroup() as sessions:
            with closing(Door(listener, self._complaints)) as door:
                while True:
                    connected = await door.next()
                    try:
                        who = peer(connected)
                        guest = self._admit(who)
                    except RemoteProtocolError as error:
                        self._complain(who, error)
                        turn_away(connected, error.code, error.message)
                    except OSError:  # it is gone
                        connected.close()
                    else:
                        sessions.create_task(self._session(connected, who, guest))

    async def serve_one(self, connected: socket.socket) -> None:
        """Serve the viewer at the other end of a connected socket, until it leaves."""
        who = peer(connected)
        await self._session(connected, who, self._admit(who))

    def _admit(self, who: Peer) -> Guest:
        """Let a peer say hello. Raises RemoteProtocolError where it may not."""
        standing = self._policy.standing(who)
        if standing is Standing.OUTSIDER and self._others is Others.DENY:
            raise RemoteProtocolError(ErrorCode.DENIED, f"uid {who.uid} is not in the group {self._policy.group}")
        return self._places.arrive(who.uid, standing)

    async def _session(self, connected: socket.socket, who: Peer, guest: Guest) -> None:
        log.debug("viewer of %s", who)
        may = self._policy.rights(who)
        whose = Whose.OWN if guest.standing is Standing.OUTSIDER else Whose.ALL
        conversation = Conversation(
            self._program, self._host, self._want_names, may, seek=self._seek, whose=whose, admit=guest.sit
        )
        ask_act = _refuse if self._acts is None else partial(self._acts.ask, who, may)
        try:
            reader, writer = await asyncio.open_unix_connection(sock=connected)
            with self._hub_for(who, whose) as hub:
                await serve_viewer(
                    reader,
                    writer,
                    hub,
                    self._updates,
                    conversation,
                    turns=self._turns,
                    ask_act=ask_act,
                    complain=partial(self._complain, who),
                )
        except Exception as error:  # noqa: BLE001 - a mistake of ours in one session must not end the others; it is logged
            self._complaints.say(logging.ERROR, who.uid, "failed", f"session of {who} failed", error=error)
        finally:
            guest.leave()

    @contextmanager
    def _hub_for(self, who: Peer, whose: Whose) -> Iterator[Hub | OwnHub]:
        """The hub that this peer may look at. That of a user's own flows is one for all viewers of the user."""
        if whose is Whose.ALL:
            yield self._hub
            return
        own, users = self._own.get(who.uid) or (OwnHub(self._hub, who.uid), 0)
        self._own[who.uid] = own, users + 1
        try:
            yield own
        finally:
            own, users = self._own.pop(who.uid)
            if users > 1:
                self._own[who.uid] = own, users - 1

    def _complain(self, who: Peer, error: RemoteProtocolError) -> None:
        line = f"viewer of {who} closed: {error.code}: {error.message!a}"
        self._complaints.say(logging.INFO, who.uid, error.code, line)


def _refuse(_wanted: Delete | Kill, _snapshot: Snapshot | None, _tell: Tell) -> None:
    raise RemoteProtocolError(ErrorCode.DENIED, "these flows are a recording: nothing can be done about them")
