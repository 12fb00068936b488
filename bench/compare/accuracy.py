"""What flowtop says against what others say of the same traffic: iperf3, nftables, programs that are known, conntrack.

    iperf3 ── payload a second ──┐
    lan ────▶ router ────▶ wan   ├─ errors
               │ flowtopd ── bytes a second with headers ┘

iperf3 counts payload, conntrack counts packets as the IP layer hands them on, headers included. A packet here may be as
large as 64 KiB (segmentation offload: it is cut behind the router), so what the headers take is not a fixed share:
it is the number of packets, which conntrack counts too, times the headers of one.
"""

import json
import subprocess
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, Final

from bench import truth
from bench.report import Measured, thousands
from bench.viewing import running_daemon
from flowtopd.flows.names import PROTOCOLS
from flowtopd.wire.messages import Query, Snapshot
from testbed import conntrack
from testbed.netns import Namespace, stop_process, wait_until
from testbed.router import Router
from testbed.traffic import Flow
from testbed.viewer import Viewer, rows

RATE_LIMIT: Final = 0.02
_V4, _V6 = "1.1.1.1", "2606:4700::1111"
_IP_HEADER: Final = {_V4: 20, _V6: 40}
_HEADER: Final = {"tcp": 32, "udp": 8}  # TCP with the timestamp option, which Linux always uses
_COUNTERS: Final = ("orig_packets", "orig_bytes", "reply_packets", "reply_bytes")
_ENDS: Final = ("family", "src", "dst", "sport", "dport", "reply_src", "reply_dst", "reply_sport", "reply_dport")
_SAME: Final = (*_ENDS, "state", "icmp_type", "icmp_code", "icmp_id", "mark", "zone", *_COUNTERS)
_NUMBERS: Final = {name: str(number) for number, name in PROTOCOLS.items()}


@dataclass(frozen=True, slots=True)
class Stream:
    """One run of iperf3. `back`: the server sends."""

    name: str
    address: str
    port: int
    proto: str = "tcp"
    back: bool = False
    mbits: int = 40

    @property
    def header(self) -> int:
        """Bytes of a packet that are not payload."""
        return _IP_HEADER[self.address] + _HEADER[self.proto]

    def server(self) -> list[str]:
        """The command line of the server, for one client."""
        return ["iperf3", "-s", "-1", "-B", self.address, "-p", str(self.port)]

    def client(self, seconds: int) -> list[str]:
        """The command line of the client."""
        argv = ["iperf3", "-c", self.address, "-p", str(self.port), "-t", str(seconds), "-J", "-b", f"{self.mbits}M"]
        return argv + ["-u", "-l", "1200"] * (self.proto == "udp") + ["-R"] * self.back


STREAMS: Final = (
    Stream("TCP, IPv4, upload", _V4, 5_201),
    Stream("TCP, IPv6, download", _V6, 5_202, back=True),
    Stream("UDP, IPv4, upload", _V4, 5_203, "udp"),
    Stream("UDP, IPv6, download", _V6, 5_204, "udp", back=True),
)


@dataclass(frozen=True, slots=True)
class Sample:
    """One tick of one flow: seconds since the tick before, the rate it showed, packets so far in that direction."""

    seconds: float
    rate: float
    packets: int


def payload_rate(samples: Sequence[Sample], header: int) -> float:
    """Payload a second, in bytes: the mean of the rates shown while it was under way, less what headers took.

    The first and the last tick with traffic are left out: it began and ended in the middle of them.
    """
    moving = [number for number, sample in enumerate(samples) if sample.rate > 0]
    if len(moving) < 3:
        raise ValueError("fewer than three ticks with traffic")
    first, last = moving[0], moving[-1]
    inside = samples[first + 1 : last]
    seconds = sum(sample.seconds for sample in inside)
    packets = inside[-1].packets - samples[first].packets
    return (sum(sample.rate * sample.seconds for sample in inside) - packets * header) / seconds


def rates(network: Router, seconds: int) -> list[Measured]:
    """All streams at once for so many seconds, each against its own iperf3."""
    with running_daemon(network.router) as daemon, Viewer(daemon) as viewer, ExitStack() as stack:
        viewer.ask(Query(interval=1.0))
        viewer.next()
        for stream in STREAMS:
            _start(stack, network.wan, stream.server())
        wait_until(lambda: _listening(network.wan) >= {stream.port for stream in STREAMS})
        clients = [_start(stack, network.lan[0], stream.client(seconds)) for stream in STREAMS]
        snapshots = []
        while any(client.poll() is None for client in clients):
            snapshots.append(viewer.next())
        snapshots += [viewer.next() for _ in range(2)]
        said = []
        for client in clients:
            assert client.stdout is not None
            said.append(json.loads(client.stdout.read()))
    return [_against_iperf(stream, result, snapshots) for stream, result in zip(STREAMS, said, strict=True)]


def _start(stack: ExitStack, namespace: Namespace, argv: list[str]) -> subprocess.Popen[bytes]:
    process = namespace.popen(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    stack.callback(stop_process, process)
    return process


def _listening(namespace: Namespace) -> set[int]:
    lines = namespace.run(["ss", "-Hltn"]).splitlines()
    return {int(line.split()[3].rpartition(":")[2]) for line in lines}


def _against_iperf(stream: Stream, said: dict[str, Any], snapshots: Sequence[Snapshot]) -> Measured:
    if "error" in said:
        raise RuntimeError(f"iperf3: {said['error']}")
    end = said["end"]
    total = end["sum_received"] if stream.back else end["sum_sent"]
    theirs = total["bits_per_second"] / 8
    sport = said["start"]["connected"][0]["local_port"]
    ours = payload_rate(_samples(stream, sport, snapshots), stream.header)
    error = ours / theirs - 1
    return Measured(
        f"rate, {stream.name}, {total['seconds']:.0f} s",
        f"{error:+.2%}",
        f"± {RATE_LIMIT:.0%}",
        abs(error) <= RATE_LIMIT,
        f"payload: flowtop {ours * 8e-6:.3f}, iperf3 {theirs * 8e-6:.3f} Mbit/s",
    )


def _samples(stream: Stream, sport: int, snapshots: Sequence[Snapshot]) -> list[Sample]:
    side = "reply" if stream.back else "orig"
    wanted = (stream.proto, sport, stream.port)
    return [
        Sample(snapshot.interval or 0, row[f"{side}_rate"] or 0, row[f"{side}_packets"])
        for snapshot in snapshots
        for row in rows(snapshot)
        if (row["proto"], row["sport"], row["dport"]) == wanted
    ]


_FINISHED: Final = tuple((address, udp) for address in (_V4, _V6) for udp in (False, True)) * 2
_FIRST_PORT: Final = 6_001


def counters(network: Router) -> list[Measured]:
    """Finished flows, forwarded both ways, to the byte: what nftables has counted of the packets passed on.

    Once while the kernel has their entries, and once more when it has none: closed flows with their last counters.
    """
    ports = range(_FIRST_PORT, _FIRST_PORT + len(_FINISHED))
    network.router.nft(_counting(ports))
    with running_daemon(network.router) as daemon, Viewer(daemon) as viewer:
        viewer.ask(Query(closed=True, interval=0.5))
        viewer.next()
        with ExitStack() as stack:
            flows = [
                stack.enter_context(
                    Flow(network.lan[0], network.wan, address, port, rate=2e5, seconds=1, udp=udp, echo=True)
                )
                for port, (address, udp) in zip(ports, _FINISHED, strict=True)
            ]
            for flow in flows:
                flow.wait()
        wait_until(lambda: _settled(network.router), 15)
        theirs, settled_s = _counted(network.router), time.time()
        viewer.until(lambda snapshot: snapshot.time > settled_s or None)
        in_table = viewer.until(lambda snapshot: _ours(snapshot, ports, theirs, closed=False))
        for proto in ("tcp", "udp"):
            for port in ports:
                network.router.run(["sh", "-c", f"conntrack -D -p {proto} --dport {port} || :"])
                network.router.run(["sh", "-c", f"conntrack -D -f ipv6 -p {proto} --dport {port} || :"])
        closed = viewer.until(lambda snapshot: _ours(snapshot, ports, theirs, closed=True))
    network.router.run(["nft", "delete", "table", "inet", "accuracy"])
    return [_off("with an entry", in_table, theirs), _off("closed", closed, theirs)]


def _off(what: str, ours: dict[int, tuple[int, ...]], theirs: dict[int, tuple[int, ...]]) -> Measured:
    bytes_off = sum(abs(a - b) for port in theirs for a, b in zip(ours[port], theirs[port], strict=True))
    total = sum(both[1] + both[3] for both in theirs.values())
    remark = f"{len(theirs)} flows, {thousands(total)} bytes, TCP and UDP, IPv4 and IPv6, behind NAT"
    return Measured(
        f"counters of finished flows, {what}: bytes and packets off", str(bytes_off), "0", bytes_off == 0, remark
    )


def _counting(ports: Sequence[int]) -> str:
    names = [f"{side}{port}" for port in ports for side in "or"]
    rules = [f"meta l4proto {{ tcp, udp }} th dport {port} counter name o{port}" for port in ports]
    rules += [f"meta l4proto {{ tcp, udp }} th sport {port} counter name r{port}" for port in ports]
    declared = "\n".join(f"counter {name} {{ }}" for name in names)
    chain = "\n".join(["chain passed {", "type filter hook forward priority 0;", *rules, "}"])
    return f"table inet accuracy {{\n{declared}\n{chain}\n}}\n"


def _counted(namespace: Namespace) -> dict[int, tuple[int, ...]]:
    """What nftables has, by port, in the order of _COUNTERS."""
    found = json.loads(namespace.run(["nft", "-j", "list", "counters", "table", "inet", "accuracy"]))["nftables"]
    named = {part["counter"]["name"]: part["counter"] for part in found if "counter" in part}
    ports = sorted({int(name[1:]) for name in named})
    return {
        port: tuple(named[f"{side}{port}"][unit] for side in "or" for unit in ("packets", "bytes")) for port in ports
    }


def _settled(namespace: Namespace) -> bool:
    """Whether nothing comes any more for half a second."""
    before = _counted(namespace)
    time.sleep(0.5)
    return _counted(namespace) == before


def _ours(
    snapshot: Snapshot, ports: Sequence[int], theirs: dict[int, tuple[int, ...]], *, closed: bool
) -> dict[int, tuple[int, ...]] | None:
    """Our counters by port; None as long as a flow is missing, or one that has all packets may still be on its way."""
    found = {
        row["dport"]: tuple(row[name] for name in _COUNTERS)
        for row in rows(snapshot)
        if row["dport"] in ports and row["closed"] is closed
    }
    return found if found.keys() == theirs.keys() else None


def attribution(*, quick: bool) -> list[Measured]:
    """Who has which flow, against programs that are known."""
    lines = []
    with Namespace() as host:
        host.account()
        host.track()
        long = truth.long_lived(host, 10, 100)
        short = truth.short_lived(host, 40 if quick else 150)
    for name, found in (
        ("1 000 flows of 10 programs that stay", long),
        (f"{short.flows} runs of curl, 50 ms each", short),
    ):
        remark = f"{found.share:.1%} named"
        lines.append(Measured(f"{name}: named wrongly", str(found.wrong), "0", found.wrong == 0, remark))
    return lines


def listed(namespace: Namespace) -> list[Measured]:
    """Every flow, field by field, against `conntrack -L` on a table at rest."""
    with running_daemon(namespace) as daemon:
        done = daemon.flowtop("--once", "--json", "--all", "--loopback", timeout=60)
    ours = json.loads(done.stdout)["flows"]
    theirs = conntrack.listing(namespace)
    missing, extra = different(ours, theirs)
    return [
        Measured(
            f"{thousands(len(theirs))} flows against conntrack -L: missing or different",
            str(missing),
            "0",
            missing == 0,
            f"{len(_SAME) + 1} fields of each; shown and not in the list: {extra}",
        )
    ]


def different(ours: Sequence[dict[str, Any]], theirs: Sequence[dict[str, Any]]) -> tuple[int, int]:
    """How many of their flows we do not have, field by field, and how many we have that they do not."""
    mine, other = (Counter(map(_compared, flows)) for flows in (ours, theirs))
    return (other - mine).total(), (mine - other).total()


def _compared(flow: dict[str, Any]) -> tuple[Any, ...]:
    """What is compared of a flow; we have names for some protocols that conntrack calls unknown."""
    return (_NUMBERS.get(flow["proto"], flow["proto"]), *(flow[name] for name in _SAME))
