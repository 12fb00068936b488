"""flowtopd.enrich.process.attribution: real processes with real sockets, and the flows that the kernel makes of them.

Every test runs twice: flows asked for one by one, and looked up in tables.
"""

import contextlib
import errno
import ipaddress
import logging
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from flowtopd.collector import Collector
from flowtopd.enrich.process import procfs
from flowtopd.enrich.process.attribution import FEW, Answers, Attributor
from flowtopd.enrich.process.cgroup import Cgroups
from flowtopd.enrich.process.holders import Holders
from flowtopd.enrich.process.identity import Identities
from flowtopd.enrich.process.namespaces import Namespaces
from flowtopd.enrich.process.sockets import Sockets
from flowtopd.enrich.process.verdict import STILL_S, Verdicts
from flowtopd.flows.dimensions import Attribution, Owner
from flowtopd.flows.snapshot import KernelState
from flowtopd.netlink.nlsocket import NetlinkSocket
from flowtopd.netlink.sock_diag import Columns
from testbed.netns import Namespace, wait_until
from testbed.packets import ping
from testbed.programs import Program
from testbed.router import ROUTER_V4, Router
from tests.flowtopd.batches import Flow, batch
from tests.flowtopd.enrich.process.agents import PidNamespace, Shown

EXACT, LISTENER, EXITED = Attribution.EXACT, Attribution.LISTENER, Attribution.EXITED
AMBIGUOUS, KERNEL, PENDING = Attribution.AMBIGUOUS, Attribution.KERNEL, Attribution.PENDING
UDPLITE = 136
KERNEL_STATE = KernelState(accounting=True, timestamps=True, max=None, tracking=None)

pytestmark = [pytest.mark.kernel, pytest.mark.parametrize("few", [FEW, 0], ids=["one by one", "tables"])]


def owning(*addresses: str) -> Callable[[Any], Any]:
    """A predicate that knows these addresses as the host's."""
    parsed = [ipaddress.ip_address(address) for address in ("127.0.0.1", "::1", *addresses)]
    numbers = [int(one) if one.version == 6 else 0xFFFF << 32 | int(one) for one in parsed]
    ours = {(number >> 64, number & 0xFFFF_FFFF_FFFF_FFFF) for number in numbers}
    return lambda pairs: np.array([tuple(pair) in ours for pair in pairs.tolist()], np.bool_)


class Clock:
    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


class Desk:
    """Everything that attribution needs, inside a namespace, and questions about single flows."""

    def __init__(self, collector: Collector, attributor: Attributor, clock: Clock) -> None:
        self._collector = collector
        self.attributor = attributor
        self.clock = clock

    def flows(self, proto: int, **ports: int) -> Columns:
        """The flows of this protocol and these ports (or other columns), as soon as there are some."""
        found: list[Columns] = []

        def there() -> bool:
            columns = self._collector.tick().snapshot.columns
            rows = columns["proto"] == proto
            for name, value in ports.items():
                rows &= columns[name] == value
            found[:] = [{name: column[rows] for name, column in columns.items()}]
            return bool(rows.any())

        wait_until(there)
        return found[0]

    def who(self, proto: int, *, sent: bool = False, **ports: int) -> tuple[Attribution, int | None]:
        """How the one flow was attributed, and to which process. `sent`: it is being sent just now."""
        answers = self.answers(proto, sent=sent, **ports)
        assert len(answers.keys) == 1
        return Attribution(int(answers.how[0])), answers.owners[answers.owner[0]].pid

    def answers(self, proto: int, *, sent: bool = False, **ports: int) -> Answers:
        # a clock far enough on for another walk over /proc
        self.clock.now_s += 10.0
        flows = self.flows(proto, **ports)
        return self.attributor.attribute(flows | {"orig_rate": np.full(len(flows["key"]), 1.0 if sent else np.nan)})


@contextlib.contextmanager
def desk_in(
    namespace: Namespace,
    few: int,
    *addresses: str,
    proc: Path = Path("/proc"),
    others: Shown | None = None,
    sockets: Sockets | None = None,
) -> Iterator[Desk]:
    """`others`: the processes whose namespaces are looked into, instead of all that there are."""
    clock = Clock()
    with namespace.entered(), NetlinkSocket() as netlink, ThreadPoolExecutor(1) as reader:
        cgroups = Cgroups(clock=clock)
        verdicts = Verdicts(Holders(cgroups, proc, clock), Identities(cgroups), clock)
        namespaces = Namespaces(Path("/proc") if others is None else others.proc, clock)
        attributor = Attributor(sockets or Sockets(), verdicts, namespaces, owning(*addresses), few)
        with contextlib.closing(attributor):
            yield Desk(Collector(netlink, lambda _flows: KERNEL_STATE, reader), attributor, clock)


@pytest.fixture
def desk(namespace: Namespace, few: int) -> Iterator[Desk]:
    with desk_in(namespace, few) as made:
        yield made


@pytest.fixture
def server(namespace: Namespace) -> Iterator[int]:
    """A port on which this very process takes TCP, UDP and UDP-lite, IPv4 and IPv6; the connections stay unaccepted."""
    with contextlib.ExitStack() as stack:
        port = 0
        for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
            for kind, proto in ((socket.SOCK_STREAM, 0), (socket.SOCK_DGRAM, 0), (socket.SOCK_DGRAM, UDPLITE)):
                made = stack.enter_context(namespace.socket(family, kind, proto))
                made.bind((address, port))
                if kind == socket.SOCK_STREAM:
                    made.listen()
                port = made.getsockname()[1]
        yield port


def connect(family: str, kind: str, address: str, port: int, proto: int = 0) -> str:
    """A script that has a socket `s` with this peer, and its `port`."""
    return f"""
s = socket.socket(socket.{family}, socket.{kind}, {proto})
s.connect(("{address}", {port}))
s.send(b"hello")
port = s.getsockname()[1]
"""


def client(family: str, kind: str, address: str, port: int, proto: int = 0) -> str:
    """A script that connects, and says from which port."""
    return connect(family, kind, address, port, proto) + "say(port)\n"


@dataclass(frozen=True, slots=True)
class Peer:
    """What to connect to from where, and what conntrack calls it."""

    family: str
    kind: str
    address: str
    proto: int


@pytest.mark.parametrize(
    "peer",
    [
        Peer("AF_INET", "SOCK_STREAM", "127.0.0.1", 6),
        Peer("AF_INET6", "SOCK_STREAM", "::1", 6),
        Peer("AF_INET6", "SOCK_STREAM", "::ffff:127.0.0.1", 6),
        Peer("AF_INET", "SOCK_DGRAM", "127.0.0.1", 17),
        Peer("AF_INET6", "SOCK_DGRAM", "::1", 17),
        Peer("AF_INET6", "SOCK_DGRAM", "::ffff:127.0.0.1", 17),
        Peer("AF_INET", "SOCK_DGRAM", "127.0.0.1", UDPLITE),
    ],
    ids=["tcp", "tcp6", "tcp mapped", "udp", "udp6", "udp mapped", "udplite"],
)
def test_a_connected_socket_is_its_process(namespace: Namespace, desk: Desk, server: int, peer: Peer) -> None:
    namespace.sysctl("net.netfilter.nf_conntrack_checksum", 0)  # it takes every UDP-lite packet for a broken one
    script = client(peer.family, peer.kind, peer.address, server, UDPLITE if peer.proto == UDPLITE else 0)
    with Program(namespace, script) as program:
        assert desk.who(peer.proto, sport=program.said) == (EXACT, program.pid)


def test_the_owner_says_who_it_is(namespace: Namespace, desk: Desk, server: int) -> None:
    with Program(namespace, client("AF_INET", "SOCK_STREAM", "127.0.0.1", server)) as program:
        answers = desk.answers(6, sport=program.said)
    owner = answers.owners[answers.owner[0]]
    assert isinstance(owner, Owner)
    assert (owner.uid, owner.user, (owner.process or "")[:6]) == (0, "root", "python")
    assert owner.started_s is not None
    assert answers.final.all()


SENDS = """
s = socket.socket(socket.{family}, socket.SOCK_DGRAM)
s.sendto(b"hello", ("{address}", {port}))
say(s.getsockname()[1])
"""


@pytest.mark.parametrize(
    ("family", "address"),
    [("AF_INET", "127.0.0.1"), ("AF_INET6", "::1"), ("AF_INET6", "::ffff:127.0.0.1")],
    ids=["ipv4", "ipv6", "mapped"],
)
def test_udp_without_a_peer_is_found_by_where_it_is_bound(
    namespace: Namespace, desk: Desk, server: int, family: str, address: str
) -> None:
    with Program(namespace, SENDS.format(family=family, address=address, port=server)) as program:
        assert desk.who(17, sent=True, sport=program.said) == (LISTENER, program.pid)


def test_who_has_a_port_of_anybodys_may_have_got_it_after_the_flow_was_sent(
    namespace: Namespace, desk: Desk, server: int
) -> None:
    with Program(namespace, SENDS.format(family="AF_INET", address="127.0.0.1", port=server)) as program:
        answers = desk.answers(17, sport=program.said)
        assert (answers.how.tolist(), answers.owner.tolist()) == ([AMBIGUOUS], [0])
        assert not answers.final.any()
        assert desk.who(17, sent=True, sport=program.said) == (LISTENER, program.pid)


def test_a_port_of_its_own_is_nobody_elses(namespace: Namespace, desk: Desk, server: int) -> None:
    with Program(namespace, SHARED.format(port=5060, more=0, send=server)) as program:
        assert desk.who(17, sport=5060) == (LISTENER, program.pid)


SHARED = """
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
s.bind(("127.0.0.1", {port}))
kept = [s]
for _ in range({more}):
    t = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    t.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    t.bind(("127.0.0.1", s.getsockname()[1]))
    kept.append(t)
if {send}:
    s.sendto(b"hello", ("127.0.0.1", {send}))
say(s.getsockname()[1])
"""


def test_a_port_that_one_process_has_many_times_is_its_own(namespace: Namespace, desk: Desk, server: int) -> None:
    with Program(namespace, SHARED.format(port=0, more=3, send=server)) as program:
        assert desk.who(17, sent=True, sport=program.said) == (LISTENER, program.pid)


def test_a_port_that_two_processes_share_names_neither(namespace: Namespace, desk: Desk, server: int) -> None:
    with (
        Program(namespace, SHARED.format(port=0, more=0, send=server)) as one,
        Program(namespace, SHARED.format(port=one.said, more=0, send=0)),
    ):
        assert desk.who(17, sent=True, sport=one.said) == (AMBIGUOUS, None)


def test_an_inherited_socket_is_the_eldest_holders(namespace: Namespace, desk: Desk, server: int) -> None:
    script = (
        connect("AF_INET", "SOCK_STREAM", "127.0.0.1", server)
        + """
if not os.fork():
    say(port)
"""
    )
    with Program(namespace, script) as program:
        assert desk.who(6, sport=program.said) == (EXACT, program.pid)


def test_a_socket_that_was_passed_on_is_the_eldest_holders(namespace: Namespace, desk: Desk, server: int) -> None:
    script = (
        """
ours, theirs = socket.socketpair(socket.AF_UNIX)
if not os.fork():
    kept = socket.recv_fds(theirs, 1, 1)
    sys.stdin.read()
"""
        + connect("AF_INET", "SOCK_STREAM", "127.0.0.1", server)
        + """
socket.send_fds(ours, [b"x"], [s.fileno()])
say(port)
"""
    )
    with Program(namespace, script) as program:
        assert desk.who(6, sport=program.said) == (EXACT, program.pid)


def test_a_socket_that_its_maker_has_left_to_a_child_is_the_childs(
    namespace: Namespace, desk: Desk, server: int
) -> None:
    script = (
        connect("AF_INET", "SOCK_STREAM", "127.0.0.1", server)
        + """
ours, theirs = os.pipe()
if os.fork():
    s.close()
    os.write(theirs, b"x")
else:
    os.read(ours, 1)
    say([port, os.getpid()])
"""
    )
    with Program(namespace, script) as program:
        port, child = program.said
        assert child != program.pid
        assert desk.who(6, sport=port) == (EXACT, child)


def test_what_has_exited_has_no_name_although_the_other_end_has_one(
    namespace: Namespace, desk: Desk, server: int
) -> None:
    with Program(namespace, client("AF_INET", "SOCK_STREAM", "127.0.0.1", server)) as program:
        port = program.said
    answers = desk.answers(6, sport=port)
    assert Attribution(int(answers.how[0])) == EXITED
    assert answers.final.all()
    assert answers.owners[answers.owner[0]] == Owner()


def test_a_process_that_began_after_the_flow_is_not_the_one_that_waited_for_it(
    namespace: Namespace, desk: Desk, server: int
) -> None:
    sends = SHARED.format(port=0, more=0, send=server)
    with Program(namespace, sends) as program:
        port = program.said
        assert desk.who(17, sent=True, sport=port) == (LISTENER, program.pid)
    with Program(namespace, SHARED.format(port=port, more=0, send=0)):
        assert desk.who(17, sent=True, sport=port) == (EXITED, None)


def test_a_start_from_before_the_clock_was_set_tells_nothing(namespace: Namespace, desk: Desk, server: int) -> None:
    with Program(namespace, SHARED.format(port=5060, more=0, send=server)) as program:
        flows = desk.flows(17, sport=5060)
        answers = desk.attributor.attribute(flows | {"start_ns": np.ones(1, np.uint64)})
        assert answers.how.tolist() == [LISTENER]
        assert answers.owners[answers.owner[0]].pid == program.pid


@pytest.mark.parametrize(("family", "address"), [("AF_INET", "127.0.0.1"), ("AF_INET6", "::1")])
def test_a_ping_socket_is_its_process(namespace: Namespace, desk: Desk, family: str, address: str) -> None:
    namespace.sysctl("net.ipv4.ping_group_range", "0 0")
    ipv4 = family == "AF_INET"
    proto = "IPPROTO_ICMP" if ipv4 else "IPPROTO_ICMPV6"
    script = f"""
s = socket.socket(socket.{family}, socket.SOCK_DGRAM, socket.{proto})
s.sendto(bytes(({8 if ipv4 else 128}, 0, 0, 0, 0, 0, 0, 1)), ("{address}", 0))
say(s.getsockname()[1])
"""
    with Program(namespace, script) as program:
        assert desk.who(1 if ipv4 else 58, icmp_id=program.said) == (LISTENER, program.pid)


RAW_PING = """
import subprocess
s = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
if %d:
    s.sendto(bytes((8, 0, 0xF6, 0xFD, 1, 1, 0, 1)), ("127.0.0.1", 0))
say()
"""


def test_a_raw_socket_has_the_pings_as_long_as_it_is_the_only_one(namespace: Namespace, desk: Desk) -> None:
    with Program(namespace, RAW_PING % 1) as program:
        assert desk.who(1, icmp_id=0x0101) == (LISTENER, program.pid)
        with Program(namespace, RAW_PING % 0):
            assert desk.who(1, icmp_id=0x0101) == (AMBIGUOUS, None)


def test_a_tunnel_of_the_kernels_is_its_own(namespace: Namespace, desk: Desk) -> None:
    script = """
s = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_GRE)
s.sendto(bytes((0, 0, 8, 0)), ("127.0.0.1", 0))
say()
"""
    with Program(namespace, script) as program:
        assert desk.who(47) == (LISTENER, program.pid)
    assert desk.who(47) == (KERNEL, None)


def test_who_may_not_look_says_so(namespace: Namespace, few: int, server: int, tmp_path: Path) -> None:
    """An empty /proc, as with hidepid."""
    with (
        desk_in(namespace, few, proc=tmp_path) as desk,
        Program(namespace, client("AF_INET", "SOCK_STREAM", "127.0.0.1", server)) as program,
    ):
        assert desk.who(6, sport=program.said) == (Attribution.NO_PERMISSION, None)


def test_a_holder_that_nobody_has_looked_for_yet_is_asked_for_again(
    namespace: Namespace, few: int, server: int
) -> None:
    script = client("AF_INET", "SOCK_STREAM", "127.0.0.1", server)
    with Program(namespace, script) as one, Program(namespace, script) as other, desk_in(namespace, few) as desk:
        assert desk.who(6, sport=one.said) == (EXACT, one.pid)
        answers = desk.attributor.attribute(desk.flows(6, sport=other.said))
        assert (answers.how.tolist(), answers.final.tolist()) == ([PENDING], [False]), "too early for another walk"
        assert desk.who(6, sport=other.said) == (EXACT, other.pid)


def test_but_the_cgroup_of_the_socket_is_known_all_the_same(
    namespace: Namespace, few: int, server: int, tmp_path: Path, cgroup: Path
) -> None:
    script = f"""
say()
sys.stdin.readline()
s = socket.create_connection(("127.0.0.1", {server}), source_address=("127.0.0.1", 20001))
"""
    with desk_in(namespace, few, proc=tmp_path) as desk, Program(namespace, script) as program:
        (cgroup / "cgroup.procs").write_text(str(program.pid))
        program.tell()
        answers = desk.answers(6, sport=20001)
        assert Attribution(int(answers.how[0])) == Attribution.CGROUP
        assert answers.owners[answers.owner[0]] == Owner(uid=0, user="root", unit=cgroup.name, cgroup=f"/{cgroup.name}")


def test_where_the_kernel_does_not_answer_flows_stay_pending_and_it_is_said_once(
    namespace: Namespace, few: int, server: int, caplog: pytest.LogCaptureFixture
) -> None:
    def refused() -> socket.socket:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    with (
        desk_in(namespace, few, sockets=Sockets(refused)) as desk,
        Program(namespace, client("AF_INET", "SOCK_STREAM", "127.0.0.1", server)) as program,
        caplog.at_level(logging.WARNING),
    ):
        for _ in range(3):
            answers = desk.answers(6, sport=program.said)
            assert answers.how.tolist() == [PENDING]
            assert not answers.final.any()
        assert desk.attributor.listening() is None
        assert len(desk.attributor.attribute_early(desk.flows(6, sport=program.said)).keys) == 0
    assert caplog.messages == ["cannot read the sockets of this host: [Errno 1] Operation not permitted"]


def test_many_flows_at_once_have_each_their_own_process(namespace: Namespace, desk: Desk, server: int) -> None:
    script = """
kept = [socket.create_connection(("127.0.0.1", %d)) for _ in range(40)]
say([s.getsockname()[1] for s in kept])
"""
    with contextlib.ExitStack() as stack:
        programs = [stack.enter_context(Program(namespace, script % server)) for _ in range(3)]
        truth = {port: program.pid for program in programs for port in program.said}
        wait_until(lambda: len(desk.flows(6)["key"]) == 120)
        flows = desk.flows(6)
        answers = desk.attributor.attribute(flows)
        named = [answers.owners[number].pid for number in answers.owner.tolist()]
        assert dict(zip(flows["sport"].tolist(), named, strict=True)) == truth


class TestEarly:
    def test_who_has_opened_it_is_found(self, namespace: Namespace, desk: Desk, server: int) -> None:
        with Program(namespace, client("AF_INET", "SOCK_STREAM", "127.0.0.1", server)) as program:
            flows = desk.flows(6, sport=program.said)
            answers = desk.attributor.attribute_early(flows)
            assert answers.keys.tolist() == flows["key"].tolist()
            assert [answers.owners[number].pid for number in answers.owner] == [program.pid]

    def test_udp_without_a_peer_too(self, namespace: Namespace, desk: Desk, server: int) -> None:
        with Program(namespace, SENDS.format(family="AF_INET", address="127.0.0.1", port=server)) as program:
            answers = desk.attributor.attribute_early(desk.flows(17, sport=program.said))
            assert [answers.owners[number].pid for number in answers.owner] == [program.pid]

    def test_what_is_not_found_is_not_in_the_answer(self, namespace: Namespace, desk: Desk, server: int) -> None:
        with Program(namespace, client("AF_INET", "SOCK_STREAM", "127.0.0.1", server)) as program:
            port = program.said
        assert len(desk.attributor.attribute_early(desk.flows(6, sport=port)).keys) == 0

    def test_nor_is_what_others_have_opened(self, desk: Desk) -> None:
        flows = batch(Flow("10.0.0.5", "127.0.0.1")).columns
        assert len(desk.attributor.attribute_early(flows | {"key": np.ones(1, np.uint64)}).keys) == 0


def test_the_listening_ports_are_those_on_which_somebody_waits(namespace: Namespace, desk: Desk, server: int) -> None:
    script = """
kept = [socket.socket(socket.AF_INET6, kind) for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM)]
for s in kept:
    s.bind(("::", 853))
kept[0].listen()
kept.append(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
kept[-1].sendto(b"a question", ("127.0.0.1", %d))
say()
"""
    with Program(namespace, script % server):
        ports = desk.attributor.listening()
    assert ports is not None
    assert ports[6] == {853, server}
    assert ports[17] - {server} == {853}, "who has only sent something waits for nobody"


@pytest.fixture(scope="module")
def home() -> Iterator[Router]:
    with Router() as made:
        yield made


class TestRouter:
    """The router has processes of its own, and forwards for others, which have namespaces of their own."""

    ADDRESSES = (ROUTER_V4, "192.168.1.1")

    def test_a_connection_is_the_listeners_until_it_is_accepted(self, home: Router, few: int) -> None:
        script = """
listener = socket.create_server(("", 8080))
say()
sys.stdin.readline()
kept = listener.accept()[0]
"""
        with (
            desk_in(home.router, few, *self.ADDRESSES) as desk,
            Program(home.router, script) as program,
            Program(home.wan, client("AF_INET", "SOCK_STREAM", ROUTER_V4, 8080)) as peer,
        ):
            answers = desk.answers(6, sport=peer.said)
            assert answers.how.tolist() == [LISTENER]
            assert answers.owners[answers.owner[0]].pid == program.pid
            assert not answers.final.any()
            program.tell()
            wait_until(lambda: desk.who(6, sport=peer.said) == (EXACT, program.pid))
            assert desk.answers(6, sport=peer.said).final.all()

    def test_a_forked_server_has_its_connections_in_its_children(self, home: Router, few: int) -> None:
        script = """
listener = socket.create_server(("", 8081))
if os.fork():
    say()
else:
    peer = listener.accept()[0]
    listener.close()
"""
        with (
            desk_in(home.router, few, *self.ADDRESSES) as desk,
            Program(home.router, script) as program,
            Program(home.wan, client("AF_INET", "SOCK_STREAM", ROUTER_V4, 8081)) as peer,
        ):
            wait_until(lambda: desk.who(6, sport=peer.said)[0] == EXACT)
            _how, pid = desk.who(6, sport=peer.said)
            assert pid is not None
            assert (stat := procfs.stat("/proc", procfs.Pid(pid))) is not None
            assert stat.parent == program.pid

    @pytest.mark.parametrize("bind", ["0.0.0.0", "::", ROUTER_V4], ids=["all of IPv4", "all of both", "address"])
    def test_a_udp_server_has_what_comes_in(self, home: Router, few: int, bind: str) -> None:
        script = f"""
s = socket.socket(socket.{"AF_INET6" if ":" in bind else "AF_INET"}, socket.SOCK_DGRAM)
s.bind(("{bind}", 0))
say(s.getsockname()[1])
"""
        with (
            desk_in(home.router, few, *self.ADDRESSES) as desk,
            Program(home.router, script) as program,
            Program(home.wan, client("AF_INET", "SOCK_DGRAM", ROUTER_V4, program.said)) as peer,
        ):
            assert desk.who(17, sport=peer.said) == (LISTENER, program.pid)

    def test_the_kernel_answers_pings(self, home: Router, few: int) -> None:
        ping(home.wan, ROUTER_V4)
        with desk_in(home.router, few, *self.ADDRESSES) as desk:
            answers = desk.answers(1, icmp_type=8)
            assert set(answers.how.tolist()) == {KERNEL}

    def test_a_socket_that_is_the_kernels_own_is_told_from_one_that_was_left(self, home: Router, few: int) -> None:
        port, name = 4789 + few, f"vxlan{few}"
        home.router.run(
            ["ip", "link", "add", name, "type", "vxlan", "id", f"{few + 1}", "dstport", f"{port}", "dev", "wan0"]
        )
        home.router.run(["ip", "link", "set", name, "up"])
        with (
            PidNamespace() as house,  # where everything may be read
            desk_in(home.router, few, *self.ADDRESSES, proc=house.proc) as desk,
            Program(home.wan, client("AF_INET", "SOCK_DGRAM", ROUTER_V4, port)) as peer,
        ):
            answers = desk.answers(17, sport=peer.said)
            assert (answers.how.tolist(), answers.final.tolist()) == ([PENDING], [False])
            desk.clock.now_s += STILL_S
            assert desk.who(17, sport=peer.said) == (KERNEL, None)

    @pytest.mark.parametrize(
        ("kind", "address"),
        [
            ("SOCK_STREAM", "1.1.1.1"),
            ("SOCK_DGRAM", "1.1.1.1"),
            ("SOCK_DGRAM", "2606:4700::1111"),
        ],
    )
    def test_who_is_behind_nat_is_found_in_its_own_namespace(
        self, home: Router, few: int, kind: str, address: str, tmp_path: Path
    ) -> None:
        proto = 6 if kind == "SOCK_STREAM" else 17
        family, others = "AF_INET6" if ":" in address else "AF_INET", Shown(tmp_path)
        with (
            home.wan.socket(getattr(socket, family), getattr(socket, kind)) as server,
            desk_in(home.router, few, *self.ADDRESSES, others=others) as desk,
        ):
            server.bind((address, 8443))
            if kind == "SOCK_STREAM":
                server.listen()
            with Program(home.lan[0], client(family, kind, address, 8443)) as program:
                others.show(program.pid)
                assert desk.who(proto, sport=program.said) == (EXACT, program.pid)
                port = program.said
            with Program(home.lan[0], "say()") as other:
                others.show(other.pid)
                assert desk.who(proto, sport=port) == (Attribution.OTHER_NETNS, None)

    def test_who_is_in_several_namespaces_is_found_at_once(self, home: Router, few: int, tmp_path: Path) -> None:
        """A walk over /proc is allowed twice a second: with one for each namespace, the last one waits for long."""
        port = 8444 + few
        script = client("AF_INET", "SOCK_DGRAM", "1.1.1.1", port)
        with Program(home.lan[0], script) as first, Program(home.lan[1], script) as second:
            others = Shown(tmp_path, first.pid, second.pid)
            with desk_in(home.router, few, *self.ADDRESSES, others=others) as desk:
                answers = desk.answers(17, dport=port)
        assert answers.how.tolist() == [EXACT, EXACT]
        assert {answers.owners[number].pid for number in answers.owner.tolist()} == {first.pid, second.pid}

    def test_who_is_in_no_namespace_that_we_see_is_forwarded(self, home: Router, few: int, tmp_path: Path) -> None:
        others = Shown(tmp_path)
        flows = batch(Flow("192.168.1.77", "1.1.1.1", start_ns=1)).columns | {"key": np.ones(1, np.uint64)}
        just_now = flows | {"start_ns": np.array([time.time_ns()], np.uint64)}
        with desk_in(home.router, few, *self.ADDRESSES, others=others) as desk:
            answers, early = desk.attributor.attribute(flows), desk.attributor.attribute(just_now)
        assert answers.how.tolist() == early.how.tolist() == [Attribution.FORWARDED]
        assert answers.final.all()
        assert not early.final.any(), "it may be that of a container that has just been made"

    def test_who_only_waits_in_another_namespace_is_not_named(self, home: Router, few: int, tmp_path: Path) -> None:
        """The address may be another machine's here."""
        script = SHARED.format(port=5060, more=0, send=0).replace("127.0.0.1", "0.0.0.0")
        flows = batch(Flow("192.168.1.11", "1.1.1.1", sport=5060, dport=9, proto=17, start_ns=1)).columns
        with Program(home.lan[0], script) as program:
            others = Shown(tmp_path, program.pid)
            with desk_in(home.router, few, *self.ADDRESSES, others=others) as desk:
                answers = desk.attributor.attribute(flows | {"key": np.ones(1, np.uint64)})
        assert answers.owner.tolist() == [0]
