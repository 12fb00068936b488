"""Who sees what, end to end: real users with real connections, on one daemon that shows others what is their own."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import pytest

from flowtopd.wire.errors import ErrorCode
from flowtopd.wire.messages import (
    PROTOCOL_VERSION,
    Delete,
    Detail,
    Error,
    FlowRequest,
    Hello,
    Kill,
    Query,
    Snapshot,
    Update,
    View,
    Welcome,
    Whose,
)
from testbed.daemon import Daemon
from testbed.netns import Namespace, wait_until
from testbed.programs import Program
from testbed.talk import Talk
from testbed.users import as_user, connected, reachable

pytestmark = pytest.mark.kernel

ROOT, ALICE, BOB, CAROL = 0, 12_001, 12_002, 12_003
GID: Final = 4
"""Of the group that sees all: adm."""

CONNECTIONS: Final = {ROOT: 4, ALICE: 2, BOB: 3}

_SERVER = """
listener = socket.create_server(("127.0.0.1", 0), backlog=64)
say(listener.getsockname()[1])
held = []
while True:
    held.append(listener.accept()[0])
    held[-1].sendall(b"x" * 1000)
"""
_CLIENT = """
os.setresgid({uid}, {uid}, {uid})
os.setresuid({uid}, {uid}, {uid})
held = [socket.socket() for _ in range({count})]
for number, sock in enumerate(held):
    sock.connect(("127.0.0.1", {port}))
    sock.sendall(b"y" * (100 + number))
    assert sock.recv(1000, socket.MSG_WAITALL)
say([sock.getsockname()[1] for sock in held])
"""
_DATAGRAM = """
os.setresuid({uid}, {uid}, {uid})
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.connect(("127.0.0.1", 9))
sock.send(b"z")
say(sock.getsockname()[1])
"""


class Session(Talk):
    """A viewer on a socket that some user has connected."""

    def answer(self, query: Query) -> Snapshot:
        """What answers this query first."""
        self.say(query)
        while (snapshot := self.hear(Snapshot)).tag != query.tag:
            pass
        return snapshot


class House:
    """A host with three users, and a daemon that shows others their own flows."""

    def __init__(self, stack: ExitStack, host: Namespace, directory: Path) -> None:
        self._stack = stack
        server = stack.enter_context(Program(host, _SERVER))
        self.programs = {}
        self.ports = {}
        for uid, count in CONNECTIONS.items():
            script = _CLIENT.format(uid=uid, port=server.said, count=count)
            self.programs[uid] = stack.enter_context(Program(host, script))
            self.ports[uid] = set(self.programs[uid].said)
        self.udp = stack.enter_context(Program(host, _DATAGRAM.format(uid=ALICE))).said
        self.ports[ALICE].add(self.udp)
        self.daemon = Daemon(host, directory)
        self.daemon.configure('[access]\ngroup = "adm"\nothers = "own"\n')
        stack.enter_context(self.daemon)
        reachable(self.daemon.socket)
        self._tag = 0

    def session(self, uid: int, *groups: int) -> Session:
        """A viewer of this user that has said hello."""
        (sock,) = self._stack.enter_context(connected(self.daemon.socket, uid, groups))
        session = Session(sock, wait_s=20)
        session.say(Hello(PROTOCOL_VERSION))
        return session

    def ask(self, session: Session, **wanted: Any) -> list[dict[str, Any]]:
        """The rows that answer a query."""
        snapshot = self.snapshot(session, **wanted)
        return [dict(zip(snapshot.fields, row, strict=True)) for row in snapshot.rows]

    def snapshot(self, session: Session, **wanted: Any) -> Snapshot:
        self._tag += 1
        return session.answer(Query(tag=self._tag, loopback=True, interval=0.1, **wanted))

    def settled(self) -> None:
        """Wait until all processes are known."""
        root = self.session(ROOT)
        mine = set().union(*self.ports.values())

        def known() -> bool:
            rows = self.ask(root, fields=("sport", "uid"))
            return {row["sport"] for row in rows if row["uid"] is not None} >= mine

        wait_until(known, 20)


@pytest.fixture
def house(namespace: Namespace, tmp_path: Path) -> Iterator[House]:
    with ExitStack() as stack:
        made = House(stack, namespace, tmp_path)
        made.settled()
        yield made


def test_everybody_sees_their_own_flows_and_root_and_members_see_all(house: House) -> None:
    everything = set().union(*house.ports.values())
    for uid, groups, whose, ports in (
        (ROOT, (), Whose.ALL, everything),
        (CAROL, (GID,), Whose.ALL, everything),
        (ALICE, (), Whose.OWN, house.ports[ALICE]),
        (BOB, (7,), Whose.OWN, house.ports[BOB]),
        (CAROL, (), Whose.OWN, set()),
    ):
        session = house.session(uid, *groups)
        assert session.hear(Welcome).whose is whose
        # whatever is asked for: whose flows they are is found out in any case
        for fields in (("sport",), ("sport", "uid")):
            assert {row["sport"] for row in house.ask(session, fields=fields)} == ports


def test_every_number_is_about_the_own_flows(house: House) -> None:
    for uid in (ALICE, BOB, CAROL):
        done = as_user(house.daemon, uid, "--once", "--json", "--all", "--loopback")
        assert done.returncode == 0, done.stderr
        said = json.loads(done.stdout)
        rows, status = said["flows"], said["status"]
        assert {row["sport"] for row in rows} == house.ports.get(uid, set())
        assert {row["uid"] for row in rows} <= {uid}
        assert (status["flows"], status["matched"], status["max"]) == (len(rows), len(rows), None)
        assert (status["viewers"], status["events_lost"], status["resets"]) == (1, 0, 0)
        for name in ("orig_bytes", "reply_bytes", "orig_rate", "reply_rate"):
            assert (said["totals"][name] or 0) == sum(row[name] or 0 for row in rows)


FILTERS: Final = (
    "uid 0",
    f"not uid {ALICE}",
    f"uid {BOB} or uid 0",
    "src host 127.0.0.1",
    "net 127.0.0.0/8 and not tcp",
    "not closed",
    "process ~ p",
    "port > 0",
    "root",
)


def test_no_filter_order_or_group_tells_of_flows_of_others(house: House) -> None:
    session = house.session(ALICE)
    mine = house.ports[ALICE]
    for text in FILTERS:
        snapshot = house.snapshot(session, filter=text, fields=("sport", "uid"))
        assert {row[0] for row in snapshot.rows} <= mine, text
        assert (snapshot.status.flows, snapshot.status.matched) == (len(mine), len(snapshot.rows)), text
    assert house.ask(session, filter="uid 0") == []
    for field in ("uid", "pid", "process", "src", "rate", "id"):
        assert {row["sport"] for row in house.ask(session, sort=field, fields=("sport",))} == mine, field
    for view in View:
        if view is not View.FLOWS:
            groups = house.ask(session, view=view, sort="flows")
            assert sum(group["flows"] for group in groups) == len(mine), view
            assert sum(group["orig_bytes"] or 0 for group in groups) == sum(
                row["orig_bytes"] for row in house.ask(session)
            )
    (process,) = house.ask(session, view=View.PROCESSES, filter=f"port {max(mine - {house.udp})}", sort="flows")
    assert process["pid"] == house.programs[ALICE].pid


def test_a_flow_of_somebody_else_is_not_found_and_nothing_can_be_done_about_it(house: House) -> None:
    root = house.session(ROOT)
    rows = house.ask(root, fields=("id", "sport"))
    ids = {row["sport"]: row["id"] for row in rows}
    session = house.session(ALICE)
    house.ask(session)
    for uid, ports in house.ports.items():
        for port in ports:
            session.say(FlowRequest(ids[port]))
            while (detail := session.hear(Detail)).id != ids[port]:
                pass
            assert (detail.flow is not None) == (uid == ALICE)
    for wanted in (Delete(ids[max(house.ports[ALICE])]), Kill(ids[max(house.ports[BOB])]), Delete("0" * 16), Update()):
        session = house.session(ALICE)
        session.say(wanted)
        assert session.hear(Error).code is ErrorCode.DENIED
    assert {row["sport"] for row in house.ask(root, fields=("sport",))} >= house.ports[BOB]


def test_flows_that_have_closed_are_still_those_of_their_user(house: House) -> None:
    alice, bob = house.session(ALICE), house.session(BOB)
    for session in (alice, bob):
        house.ask(session, closed=True)
    house.daemon.namespace.run(["conntrack", "-D", "-p", "udp", "--orig-port-src", str(house.udp)])

    def closed(session: Session) -> list[int]:
        return [row["sport"] for row in house.ask(session, closed=True, filter="closed", fields=("sport",))]

    wait_until(lambda: closed(alice) == [house.udp])
    assert closed(bob) == []


def test_a_paused_viewer_and_one_with_means_see_their_own_flows(house: House) -> None:
    session = house.session(BOB)
    for wanted in ({"paused": True}, {"mean": 2.0}, {"paused": True, "mean": 2.0}, {"paused": True, "closed": True}):
        assert {row["sport"] for row in house.ask(session, fields=("sport",), **wanted)} == house.ports[BOB]


def test_a_recording_has_the_own_flows_and_nothing_else(house: House, tmp_path: Path) -> None:
    place = tmp_path / "alice"
    place.mkdir()
    os.chown(place, ALICE, ALICE)
    done = as_user(house.daemon, ALICE, "--record", str(place / "tape"), "--once", "--all", "--loopback")
    assert done.returncode == 0, done.stderr
    replayed = played(place / "tape")
    assert {row["sport"] for row in replayed["flows"]} == house.ports[ALICE]
    assert replayed["status"]["flows"] == len(house.ports[ALICE])
    for port in house.ports[BOB]:
        assert str(port) not in json.dumps(replayed)


def played(tape: Path) -> Any:
    """The last snapshot of a recording."""
    options = ("--replay", str(tape), "--json", "--all", "--loopback")
    argv = [sys.executable, "-m", "flowtop_client", *options]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=30, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def test_where_others_are_denied_one_is_refused_with_a_helpful_line_and_the_log_has_it_once(
    namespace: Namespace, tmp_path: Path
) -> None:
    """Also where somebody has opened the socket to all."""
    daemon = Daemon(namespace, tmp_path)
    daemon.configure('[access]\ngroup = "adm"\n')
    with daemon:
        reachable(daemon.socket)
        done = as_user(daemon, ALICE, "--once", "--json")
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.splitlines()[0] == f"flowtop: no permission on {daemon.socket}"
        daemon.socket.chmod(0o666)
        for _ in range(5):
            done = as_user(daemon, ALICE, "--once", "--json")
            assert (done.returncode, done.stdout) == (1, "")
            assert done.stderr.splitlines() == [
                f"flowtop: the daemon refused: uid {ALICE} is not in the group adm",
                "flowtop: `sudo usermod -aG adm $USER`, then log in again",
            ]
        assert as_user(daemon, ALICE, "--once", "--json", groups=(GID,)).returncode == 0
        assert daemon.log.count("closed: denied") == 1
