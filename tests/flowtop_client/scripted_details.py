"""What a scripted daemon says about one flow: details, what became of a deed, and where in a recording it is."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

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
    Replay,
    Seek,
    Snapshot,
    ViewerMessage,
    Welcome,
)
from tests.flowtop_client.scripted_daemon import Flow, Peer, ScriptedDaemon, flow, plain_answer

NOW: Final = 1_700_000_000.0

NATTED: Final = flow(
    1,
    process=None,
    attribution="forwarded",
    direction="forwarded",
    nat="snat",
    src="192.168.1.11",
    sport=40001,
    dst="1.1.1.1",
    reply_src="1.1.1.1",
    reply_sport=443,
    reply_dst="203.0.113.1",
    reply_dport=40001,
    status=["seen_reply", "assured", "confirmed", "snat"],
    start=NOW - 60,
    service="https",
    service_port=443,
    service_by="known",
)
LOCAL: Final = flow(
    2,
    process="firefox",
    pid=4711,
    user="alice",
    uid=1000,
    unit="app-firefox-4711.scope",
    container="desk",
    attribution="exact",
    direction="outbound",
    reply_src="192.0.2.3",
    reply_sport=443,
    reply_dst="10.0.0.1",
    reply_dport=40002,
    start=NOW - 120,
)
MORE: Final[dict[str, Any]] = {
    "command": None,
    "parent": None,
    "parent_pid": None,
    "cgroup": None,
    "started": None,
    "explanation": "neither end is on this host",
    "first_seen": NOW - 50,
    "own": False,
    "ctid": 123456789,
    "helper": None,
    "labels": [],
}
PROCESS: Final = {
    "command": "/usr/lib/firefox/firefox",
    "parent": "gnome-shell",
    "parent_pid": 4000,
    "cgroup": "/user.slice/user-1000.slice/user@1000.service/app.slice/app-firefox-4711.scope",
    "explanation": "the process has a connected socket with this very tuple",
}
NOTHING: Final = dict.fromkeys(
    ("address", "name", "country", "city", "asn", "org", "scope", "device", "mac", "vendor"), None
)
HISTORY: Final = [[NOW - 100 + number, 1e4 * (number % 20), 1e6 / (1 + number % 10)] for number in range(101)]


def end(address: str | None, **known: Any) -> dict[str, Any]:
    return NOTHING | {"address": address} | known


def detail_of(each: Flow, **more: Any) -> Detail:
    """All that a daemon knows of a flow."""
    remote = {"name": "one.one.one.one", "country": "AU", "asn": 13335, "org": "CLOUDFLARENET", "scope": "remote"}
    ends = {
        "src": end(each["src"], device="laptop", mac="3c:22:fb:12:34:56", vendor="Apple, Inc.", scope="lan"),
        "dst": end(each["dst"], **remote),
        "reply_src": end(each["reply_src"], **remote),
        "reply_dst": end(each["reply_dst"], scope="host"),
    }
    return Detail(each["id"], each | MORE | (PROCESS if each["process"] else {}) | more, ends, HISTORY)


class Deeds:
    """A daemon's answers to whatever concerns one flow. Every snapshot comes behind the details, as from a real one."""

    def __init__(
        self,
        may: tuple[str, ...] = ("update", "act"),
        replay: Replay | None = None,
        outcome: Callable[[Delete | Kill], DaemonMessage] = lambda message: Done(message.id, "it is deleted"),
    ) -> None:
        self.may = may
        self.replay = replay
        self.watched = ""
        self._outcome = outcome

    def __call__(self, daemon: ScriptedDaemon, peer: Peer, message: ViewerMessage) -> None:
        peer.rewrite = lambda said: self._before(daemon, said)
        match message:
            case Hello():
                peer.send(Welcome(PROTOCOL_VERSION, "scripted", daemon.host, self.may))
            case FlowRequest():
                self.watched = message.id
                for detail in self._details(daemon):
                    peer.send(detail)
            case Delete() | Kill():
                answer = self._outcome(message)
                if not isinstance(answer, Error):
                    daemon.flows = [each for each in daemon.flows if each["id"] != message.id]
                peer.send(answer)
            case Seek():
                self._seek(message)
                daemon.answer_query(peer)
            case _:
                plain_answer(daemon, peer, message)

    def _seek(self, wanted: Seek) -> None:
        assert self.replay is not None
        position = max(0.0, self.replay.position + wanted.seconds)
        paused = self.replay.paused if wanted.paused is None else wanted.paused
        self.replay = replace(self.replay, position=position, paused=paused)

    def _details(self, daemon: ScriptedDaemon) -> list[DaemonMessage]:
        if not self.watched:
            return []
        found = [each for each in daemon.flows if each["id"] == self.watched]
        return [detail_of(each) for each in found] or [Detail(self.watched, None)]

    def _before(self, daemon: ScriptedDaemon, said: DaemonMessage) -> list[DaemonMessage]:
        if not isinstance(said, Snapshot):
            return [said]
        return [*self._details(daemon), replace(said, replay=self.replay)]
