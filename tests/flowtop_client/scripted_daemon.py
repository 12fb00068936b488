"""A daemon that does what a test says: the wire protocol over a real Unix socket, with flows out of a list.

It answers a hello with a welcome and a query with a snapshot of its window, slow and obvious: sorted and cut in plain
Python. `push` sends the next snapshot to everybody. Run as a program it serves made-up flows for looking at a screen:
`python -m tests.flowtop_client.scripted_daemon SOCKET [FLOWS [HOST]]`, those of a router where that is the host's name.
"""

import dataclasses
import random
import socket
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Self

from flowtopd.wire.codec import decode_viewer, encode_daemon
from flowtopd.wire.fields import FLOW_FIELD_NAMES, SORT_SUMS, VIEW_FIELDS
from flowtopd.wire.framing import MAX_VIEWER_FRAME, FrameReader
from flowtopd.wire.messages import (
    PROTOCOL_VERSION,
    DaemonMessage,
    Error,
    Hello,
    Query,
    Snapshot,
    Status,
    Totals,
    View,
    ViewerMessage,
    Welcome,
)
from tests.flowtop_client.scripted_views import groups, matching, total

Flow = dict[str, Any]

NUMBERS = {"icmp": 1, "tcp": 6, "udp": 17, "dccp": 33, "gre": 47, "icmpv6": 58, "sctp": 132, "udplite": 136}
_NAMES = ("src_name", "dst_name", "name")
_PLACES = tuple(f"{end}{what}" for end in ("", "src_", "dst_") for what in ("country", "city", "asn", "org"))
NO_FLOW: Flow = dict.fromkeys(FLOW_FIELD_NAMES)
STATUS = Status(
    flows=0,
    matched=0,
    max=262144,
    accounting=True,
    timestamps=True,
    tracking=True,
    events_lost=0,
    resets=0,
    tick_seconds=0.012,
    pace=1.0,
    viewers=1,
)


def flow(number: int, **values: Any) -> Flow:
    """The flow with this number: TCP to 192.0.2.x, faster the smaller its number."""
    return (
        NO_FLOW
        | {
            "id": f"{number:x}",
            "family": "ipv4",
            "proto": "tcp",
            "state": "ESTABLISHED",
            "status": ["seen_reply", "assured", "confirmed"],
            "src": "10.0.0.1",
            "sport": 40000 + number % 20000,
            "dst": f"192.0.2.{number % 250 + 1}",
            "dport": 443,
            "nat": "none",
            "orig_bytes": 1000 * number,
            "reply_bytes": 2000 * number,
            "orig_packets": number,
            "reply_packets": 2 * number,
            "orig_rate": 1e6 / number,
            "reply_rate": 2e6 / number,
            "duration": 60.0 * number,
            "timeout": 432000,
            "mark": 0,
            "zone": 0,
            "closed": False,
        }
        | values
    )


def snapshot_for(query: Query, flows: list[Flow], seq: int, status: Status, interval: float | None) -> Snapshot:
    """What a daemon would answer to `query`."""
    chosen = [
        flow
        for flow in matching(query.filter, flows)
        if (query.protocols is None or NUMBERS[flow["proto"]] in query.protocols)
        and flow["family"] in query.families
        and not (query.active and not flow["orig_rate"])
    ]
    rows = _sorted(query, chosen if query.view is View.FLOWS else groups(query.view, chosen))
    offset = min(query.offset, max(0, len(rows) - (query.limit or len(rows))))
    end = None if query.limit is None else offset + query.limit
    fields = query.fields or VIEW_FIELDS[query.view]
    hidden = {*(() if query.names else _NAMES), *(() if query.geoip else _PLACES)}
    return Snapshot(
        tag=query.tag,
        seq=seq,
        time=1700000000.0 + seq,
        interval=interval,
        view=query.view,
        status=dataclasses.replace(status, flows=len(flows), matched=len(rows)),
        totals=Totals(*(total(chosen, name) for name in ("orig_rate", "reply_rate", "orig_bytes", "reply_bytes"))),
        fields=fields,
        offset=offset,
        rows=[[None if name in hidden else row[name] for name in fields] for row in rows[offset:end]],
    )


def _sorted(query: Query, rows: list[Flow]) -> list[Flow]:
    parts = SORT_SUMS.get(query.sort, (query.sort,))
    known = [row for row in rows if any(row[part] is not None for part in parts)]
    unknown = [row for row in rows if all(row[part] is None for part in parts)]
    if len(parts) == 2:
        known.sort(key=lambda row: sum(row[part] or 0 for part in parts), reverse=query.descending)
    else:
        known.sort(key=lambda row: row[query.sort], reverse=query.descending)
    return known + unknown


class Peer:
    """One viewer, as the daemon sees it."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.query: Query | None = None
        self.rewrite: Callable[[DaemonMessage], list[DaemonMessage]] = lambda message: [message]

    def send(self, message: DaemonMessage) -> None:
        with suppress(OSError):
            for each in self.rewrite(message):
                self.sock.sendall(encode_daemon(each))


Answer = Callable[["ScriptedDaemon", Peer, ViewerMessage], None]


def plain_answer(daemon: "ScriptedDaemon", peer: Peer, message: ViewerMessage) -> None:
    match message:
        case Hello():
            peer.send(Welcome(PROTOCOL_VERSION, "scripted", daemon.host))
        case Query():
            peer.query = message
            daemon.answer_query(peer)


def refusing(error: Error) -> Answer:
    """An answer that is an error to every query."""

    def answer(daemon: "ScriptedDaemon", peer: Peer, message: ViewerMessage) -> None:
        if isinstance(message, Query):
            peer.send(error)
        else:
            plain_answer(daemon, peer, message)

    return answer


class ScriptedDaemon:
    """Listens on `path`; `got` holds every message in order. Everything runs under one lock."""

    def __init__(self, path: str, flows: list[Flow], *, host: str = "router", answer: Answer = plain_answer) -> None:
        self.path = path
        self.flows = flows
        self.host = host
        self.status = STATUS
        self.seq = 1
        self.interval: float | None = 1.0
        self.got: list[ViewerMessage] = []
        self.answers = True
        """Whether queries are answered at all."""
        self._answer = answer
        self._changed = threading.Condition()
        self._peers: list[Peer] = []
        self._threads: list[threading.Thread] = []
        self._listener: socket.socket | None = None
        self.listen()

    def listen(self) -> None:
        self._listener = listener = socket.socket(socket.AF_UNIX)
        listener.bind(self.path)
        listener.listen()
        self._start(lambda: self._accept(listener))

    def _start(self, work: Callable[[], None]) -> None:
        thread = threading.Thread(target=work, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            self.serve(sock)

    def serve(self, sock: socket.socket) -> None:
        """Talk to a viewer on a socket that is connected already."""
        with self._changed:
            peer = Peer(sock)
            self._peers.append(peer)
        self._start(lambda: self._read(peer))

    def _read(self, peer: Peer) -> None:
        frames = FrameReader(MAX_VIEWER_FRAME)
        with peer.sock, suppress(OSError):
            while data := peer.sock.recv(65536):
                for body in frames.feed(data):
                    message = decode_viewer(body)
                    with self._changed:
                        self.got.append(message)
                        self._answer(self, peer, message)
                        self._changed.notify_all()

    def answer_query(self, peer: Peer) -> None:
        assert peer.query is not None
        if self.answers:
            peer.send(snapshot_for(peer.query, self.flows, self.seq, self.status, self.interval))

    def push(self, flows: list[Flow] | None = None, **status: Any) -> None:
        """The next tick, for every viewer that asked."""
        with self._changed:
            self.seq += 1
            self.flows = self.flows if flows is None else flows
            self.status = dataclasses.replace(self.status, **status)
            for peer in self._peers:
                if peer.query is not None:
                    self.answer_query(peer)

    def wait_for(self, condition: Callable[[], bool], timeout: float = 20.0) -> None:
        with self._changed:
            assert self._changed.wait_for(condition, timeout), f"not seen within {timeout} s; got {self.got}"

    def queries(self) -> list[Query]:
        return [message for message in self.got if isinstance(message, Query)]

    def close(self) -> None:
        """Hang up on everybody and stop listening; `listen` starts again on the same path."""
        assert self._listener is not None
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with suppress(FileNotFoundError):
            import pathlib

            pathlib.Path(self.path).unlink()
        for peer in self._peers:
            with suppress(OSError):
                peer.sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(20)
        self._peers.clear()
        self._threads.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def keyed(names: str, *rows: tuple[Any, ...]) -> list[Flow]:
    return [dict(zip(names.split(), row, strict=True)) for row in rows]


PLACES = keyed(
    "dst_name dst_country dst_city dst_asn dst_org",
    ("example.com", "US", "Los Angeles", 15133, "EDGECAST"),
    ("a-rather-long-name.cdn.example.net", "DE", "Frankfurt am Main", 24940, "Hetzner Online GmbH"),
    (None, "AU", None, 13335, "CLOUDFLARENET"),
    (None, "JP", "Tokyo", 64500, None),
    ("例え.example.jp", "JP", "東京", 2497, "Internet Initiative Japan Inc."),
    (None, None, None, None, None),
)

PROGRAMS = keyed(
    "process pid user uid unit container attribution direction",
    ("firefox", 4711, "alice", 1000, "app-firefox-4711.scope", None, "exact", "outbound"),
    ("sshd", 812, "root", 0, "ssh.service", None, "exact", "inbound"),
    ("chronyd", 633, "_chrony", 105, "chrony.service", None, "listener", "outbound"),
    ("postgres", 90211, None, 70, "docker-0f1e2d3c4b5a.scope", "shop-db", "exact", "inbound"),
    (None, None, "alice", 1000, "session-3.scope", None, "cgroup", "outbound"),
    (None, None, None, None, None, None, "exited", "outbound"),
    (None, None, None, None, None, None, "kernel", "inbound"),
    (None, None, None, None, None, None, "no-permission", "outbound"),
    (None, None, None, None, None, None, "other-netns", "outbound"),
    (None, None, "root", 0, None, None, "ambiguous", "outbound"),
)

DEVICES = keyed(
    "device device_mac device_vendor",
    ("living-room-tv", "a4:77:33:00:11:22", "Samsung Electronics Co.,Ltd"),
    ("laptop", "3c:22:fb:12:34:56", "Apple, Inc."),
    (None, "3c:22:fb:4f:1a:22", "Apple, Inc."),
    (None, "d6:01:02:03:04:05", None),
)

SERVICES = {22: "ssh", 53: "domain", 80: "http", 443: "https", 8443: "pcsync-https"}


def enriched(number: int, each: Flow, *, router: bool) -> Flow:
    """The same flow, with who and where: on a router mostly a device's, else a program's."""
    service = SERVICES.get(each["dport"])
    told = {"service": service, "service_port": each["dport"], "service_by": "lower" if number % 7 == 0 else "known"}
    who = PROGRAMS[number % len(PROGRAMS)]
    if router:
        who = {"attribution": "forwarded", "direction": "forwarded"} | DEVICES[number % len(DEVICES)]
    return each | PLACES[number % len(PLACES)] | who | (told if service else {})


def made_up(count: int, *, router: bool = False) -> list[Flow]:
    """Flows of all kinds, the same ones every time."""
    return [enriched(int(each["id"], 16), each, router=router) for each in plain(count)]


def plain(count: int) -> list[Flow]:
    """Flows of which nobody knows more than the kernel does."""
    chance = random.Random(1)
    return [
        flow(
            number,
            proto=(proto := chance.choice(["tcp"] * 6 + ["udp", "udp", "icmp", "icmpv6", "gre", "sctp"])),
            state=chance.choice(["ESTABLISHED", "TIME_WAIT", "SYN_SENT", "CLOSE_WAIT"])
            if proto in {"tcp", "sctp"}
            else None,
            dst=f"2001:db8:{number:x}:42::1" if number % 3 == 0 else f"192.0.2.{number % 250}",
            family="ipv6" if number % 3 == 0 else "ipv4",
            dport=None if proto.startswith("icmp") else chance.choice([22, 53, 80, 443, 8443, 51820]),
            sport=None if proto.startswith("icmp") else chance.randrange(1024, 65536),
            orig_rate=chance.choice([0.0, 0.0, 0.0, chance.expovariate(1e-5)]),
            reply_rate=chance.choice([0.0, chance.expovariate(1e-6)]),
            duration=chance.expovariate(1 / 5000),
        )
        for number in range(1, count + 1)
    ]


if __name__ == "__main__":
    path, rows, name = [*sys.argv[1:], "200", "router"][:3] if len(sys.argv) < 4 else sys.argv[1:]
    with ScriptedDaemon(path, made_up(int(rows), router=name == "router"), host=name) as served:
        while True:
            time.sleep(1)
            for each in served.flows:
                each["orig_rate"] *= random.uniform(0.8, 1.25)
                each["reply_rate"] *= random.uniform(0.8, 1.25)
                each["duration"] += 1
            served.push()
