"""Conntrack entries as values: what a test says it wants in the kernel's table, and so knows is there.

`mix` makes as many as wanted, looking like a router's table and the same for the same seed. `SPECIAL`
holds one of everything that is rare. `inject` puts either into a kernel.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import IntEnum
from ipaddress import IPv4Address, IPv6Address
from typing import Final

# linux/netfilter/nf_conntrack_common.h
IPS_SEEN_REPLY: Final = 1 << 1
IPS_ASSURED: Final = 1 << 2
IPS_CONFIRMED: Final = 1 << 3
IPS_FIXED_TIMEOUT: Final = 1 << 10

LONG_S: Final = 100_000
"""A timeout that no test lives to see."""


class Proto(IntEnum):
    """IP protocol numbers."""

    ICMP = 1
    TCP = 6
    UDP = 17
    DCCP = 33
    GRE = 47
    ESP = 50
    ICMPV6 = 58
    SCTP = 132
    UDPLITE = 136


class TcpState(IntEnum):
    """linux/netfilter/nf_conntrack_tcp.h, enum tcp_conntrack."""

    SYN_SENT = 1
    SYN_RECV = 2
    ESTABLISHED = 3
    FIN_WAIT = 4
    CLOSE_WAIT = 5
    LAST_ACK = 6
    TIME_WAIT = 7
    CLOSE = 8


class SctpState(IntEnum):
    """linux/netfilter/nf_conntrack_sctp.h, enum sctp_conntrack."""

    CLOSED = 1
    COOKIE_WAIT = 2
    COOKIE_ECHOED = 3
    ESTABLISHED = 4


ICMP_ANSWERS: Final = {8: 0, 0: 8, 13: 14, 14: 13, 128: 129, 129: 128}
"""Type of an ICMP or ICMPv6 request to that of its answer, and back."""

Address = IPv4Address | IPv6Address


@dataclass(frozen=True, slots=True)
class Tuple:
    """One direction. Ports (GRE: keys) or the ICMP fields, as the protocol has them; else None."""

    src: Address
    dst: Address
    proto: int
    sport: int | None = None
    dport: int | None = None
    icmp_type: int | None = None
    icmp_code: int | None = None
    icmp_id: int | None = None
    zone: int | None = None
    """Zone of this direction alone (CTA_TUPLE_ZONE)."""

    def inverse(self, zone: int | None = None) -> "Tuple":
        """The direction of the answer, in a zone of its own."""
        answer = None if self.icmp_type is None else ICMP_ANSWERS[self.icmp_type]
        return Tuple(self.dst, self.src, self.proto, self.dport, self.sport, answer, self.icmp_code, self.icmp_id, zone)


@dataclass(frozen=True, slots=True)
class Nat:
    """Where one end is translated to; port None keeps the port."""

    address: Address
    port: int | None = None


@dataclass(frozen=True, slots=True)
class SeqAdj:
    """CTA_SEQ_ADJ_*: how sequence numbers are moved behind a helper."""

    position: int
    before: int
    after: int


@dataclass(frozen=True, slots=True)
class SynProxy:
    """CTA_SYNPROXY: the two sequence numbers and the timestamp offset."""

    isn: int
    its: int
    tsoff: int


@dataclass(frozen=True, slots=True)
class Entry:
    """One conntrack entry. `state` is TCP's or SCTP's; None leaves CTA_PROTOINFO out."""

    orig: Tuple
    status: int = IPS_CONFIRMED | IPS_SEEN_REPLY | IPS_ASSURED
    timeout: int = LONG_S
    state: int | None = None
    snat: Nat | None = None
    dnat: Nat | None = None
    mark: int = 0
    zone: int = 0
    labels: bytes | None = None
    """16 bytes. The kernel keeps them only where a rule uses `ct label` (LABEL_RULE)."""
    helper: str | None = None
    seqadj: SeqAdj | None = None
    synproxy: SynProxy | None = None
    reply_zone: int | None = None
    """Zone of the reply direction alone."""

    @property
    def reply(self) -> Tuple:
        """The reply direction as the kernel will hold it, after NAT."""
        reply = self.orig.inverse(self.reply_zone)
        if self.dnat:
            reply = replace(reply, src=self.dnat.address, sport=self.dnat.port or reply.sport)
        if self.snat:
            reply = replace(reply, dst=self.snat.address, dport=self.snat.port or reply.dport)
        return reply


LABEL_RULE: Final = "table inet labels { chain c { type filter hook forward priority 0; ct label set 1; }; }"
"""nftables rules after which the kernel keeps labels; it does so only where a rule sets or matches one."""

HELPER_RULE: Final = (
    'table inet helpers { ct helper ftp { type "ftp" protocol tcp; l3proto inet; }; '
    'chain c { type filter hook forward priority 0; tcp dport 21 ct helper set "ftp"; }; }'
)
"""nftables rules that load the FTP helper, where the kernel has it."""

_V4_LAN: Final = int(IPv4Address("10.0.0.0"))
_V4_WAN: Final = tuple(int(IPv4Address(a)) for a in ("1.1.1.0", "8.8.8.0", "93.184.216.0", "151.101.0.0"))
_V6_LAN: Final = int(IPv6Address("fd00:1::"))
_V6_WAN: Final = int(IPv6Address("2606:4700::"))
_ROUTER: Final = IPv4Address("203.0.113.1")
_TCP_STATES: Final = (*(TcpState.ESTABLISHED,) * 12, *(TcpState.TIME_WAIT,) * 5, TcpState.SYN_SENT, TcpState.CLOSE_WAIT)
_TCP_PORTS: Final = (443, 443, 443, 443, 80, 22, 993, 8443)
_UDP_PORTS: Final = (53, 53, 443, 443, 123, 3478)
_ESTABLISHED: Final = IPS_CONFIRMED | IPS_SEEN_REPLY | IPS_ASSURED
_UDP_STATUS: Final = (IPS_CONFIRMED, IPS_CONFIRMED | IPS_SEEN_REPLY, IPS_CONFIRMED | IPS_SEEN_REPLY, _ESTABLISHED)


def mix(count: int, *, seed: int = 1, labels: float = 0.0) -> Iterator[Entry]:
    """Make `count` different entries as on a router: three quarters IPv4, two thirds TCP, many behind NAT.

    `labels` is the share that carries labels; load LABEL_RULE first.
    """
    chance = random.Random(seed)
    for number in range(count):
        entry = _ipv6_entry(number, chance) if number % 4 == 3 else _ipv4_entry(number, chance)
        if chance.random() < labels:
            entry = replace(entry, labels=chance.randbytes(16))
        yield entry


def _ipv4_entry(number: int, chance: random.Random) -> Entry:
    # a private source of its own for every 60 entries keeps tuples apart, before NAT and after it
    src = IPv4Address(_V4_LAN + 2 + number // 60)
    dst = IPv4Address(chance.choice(_V4_WAN) + chance.randrange(256))
    sport = 1024 + number % 60_000
    kind = chance.random()
    if kind < 0.05:
        return Entry(Tuple(src, dst, Proto.ICMP, icmp_type=8, icmp_code=0, icmp_id=number % 65_536))
    # one outside address has only so many ports
    snat = Nat(_ROUTER, sport) if number < 60_000 and chance.random() < 0.4 else None
    dnat = Nat(IPv4Address("192.168.7.9"), 8080) if chance.random() < 0.02 else None
    mark = chance.randrange(1, 1 << 32) if chance.random() < 0.1 else 0
    zone = 7 if chance.random() < 0.02 else 0
    if kind < 0.70:
        state, status = _tcp_state(chance)
        return Entry(
            Tuple(src, dst, Proto.TCP, sport, chance.choice(_TCP_PORTS)),
            status,
            state=state,
            snat=snat,
            dnat=dnat,
            mark=mark,
            zone=zone,
        )
    udp = Tuple(src, dst, Proto.UDP, sport, chance.choice(_UDP_PORTS))
    return Entry(udp, chance.choice(_UDP_STATUS), snat=snat, dnat=dnat, mark=mark, zone=zone)


def _ipv6_entry(number: int, chance: random.Random) -> Entry:
    src = IPv6Address(_V6_LAN + (number // 60 << 16) + 2)
    dst = IPv6Address(_V6_WAN + (chance.randrange(64) << 64) + 0x1111)
    sport = 1024 + number % 60_000
    kind = chance.random()
    if kind < 0.05:
        return Entry(Tuple(src, dst, Proto.ICMPV6, icmp_type=128, icmp_code=0, icmp_id=number % 65_536))
    if kind < 0.75:
        state, status = _tcp_state(chance)
        return Entry(Tuple(src, dst, Proto.TCP, sport, chance.choice(_TCP_PORTS)), status, state=state)
    return Entry(Tuple(src, dst, Proto.UDP, sport, chance.choice(_UDP_PORTS)), chance.choice(_UDP_STATUS))


def _tcp_state(chance: random.Random) -> tuple[TcpState, int]:
    state = chance.choice(_TCP_STATES)
    return state, IPS_CONFIRMED if state is TcpState.SYN_SENT else _ESTABLISHED


_A4, _B4 = IPv4Address("10.9.0.1"), IPv4Address("198.51.100.2")
_A6, _B6 = IPv6Address("fd00:9::1"), IPv6Address("2001:db8::2")
_UP: Final = TcpState.ESTABLISHED


def _ports(proto: int, sport: int, *, v6: bool = False, zone: int | None = None) -> Tuple:
    return Tuple(_A6 if v6 else _A4, _B6 if v6 else _B4, proto, sport, 4000, zone=zone)


SPECIAL: Final = {
    "udp-unreplied": Entry(_ports(Proto.UDP, 1), status=IPS_CONFIRMED),
    "udplite": Entry(_ports(Proto.UDPLITE, 2)),
    "udplite-v6": Entry(_ports(Proto.UDPLITE, 2, v6=True)),
    "sctp": Entry(_ports(Proto.SCTP, 3), state=SctpState.ESTABLISHED),
    "sctp-v6": Entry(_ports(Proto.SCTP, 3, v6=True), state=SctpState.COOKIE_WAIT),
    "dccp": Entry(Tuple(_A4, _B4, Proto.DCCP)),  # no tracker in this kernel any more: no ports
    "gre": Entry(_ports(Proto.GRE, 5)),
    "gre-v6": Entry(_ports(Proto.GRE, 5, v6=True)),
    "esp": Entry(Tuple(_A4, _B4, Proto.ESP)),
    "unknown": Entry(Tuple(_A4, _B4, 253)),
    "unknown-v6": Entry(Tuple(_A6, _B6, 253)),
    "icmp-echo": Entry(Tuple(_A4, _B4, Proto.ICMP, icmp_type=8, icmp_code=0, icmp_id=6)),
    "icmp-timestamp": Entry(Tuple(_A4, _B4, Proto.ICMP, icmp_type=13, icmp_code=0, icmp_id=65_535)),
    "icmpv6-echo": Entry(Tuple(_A6, _B6, Proto.ICMPV6, icmp_type=128, icmp_code=0, icmp_id=7)),
    "labels": Entry(_ports(Proto.TCP, 8), state=_UP, labels=bytes(range(16))),
    "helper": Entry(Tuple(_A4, _B4, Proto.TCP, 9, 21), state=_UP, helper="ftp"),
    "helper-v6": Entry(Tuple(_A6, _B6, Proto.TCP, 9, 21), state=_UP, helper="ftp"),
    "zone": Entry(_ports(Proto.TCP, 10), state=_UP, zone=65_535),
    "zone-original": Entry(_ports(Proto.TCP, 11, zone=9), state=_UP),
    "zone-reply": Entry(_ports(Proto.TCP, 12), state=_UP, reply_zone=11),
    "seqadj": Entry(_ports(Proto.TCP, 13), state=_UP, seqadj=SeqAdj(1, 2, 3)),
    "synproxy": Entry(_ports(Proto.TCP, 14), state=_UP, synproxy=SynProxy(1, 2, 3)),
    "snat": Entry(_ports(Proto.TCP, 15), state=_UP, snat=Nat(_ROUTER, 99)),
    "dnat": Entry(_ports(Proto.TCP, 16), state=_UP, dnat=Nat(IPv4Address("192.168.7.9"), 8080)),
    "snat-dnat": Entry(_ports(Proto.UDP, 17), snat=Nat(_ROUTER, 98), dnat=Nat(IPv4Address("192.168.7.9"))),
    "dnat-v6": Entry(_ports(Proto.TCP, 18, v6=True), state=_UP, dnat=Nat(IPv6Address("fd99::1"), 8080)),
    "snat-v6": Entry(_ports(Proto.UDP, 19, v6=True), snat=Nat(IPv6Address("fd99::2"))),
    "fixed-timeout": Entry(_ports(Proto.TCP, 20), state=_UP, status=_ESTABLISHED | IPS_FIXED_TIMEOUT),
    "mark": Entry(_ports(Proto.TCP, 21), state=_UP, mark=0xFFFF_FFFF),
    "everything": Entry(
        Tuple(_A4, _B4, Proto.TCP, 22, 21),
        state=_UP,
        snat=Nat(_ROUTER, 97),
        mark=1,
        zone=3,
        labels=b"\xff" * 16,
        helper="ftp",
        seqadj=SeqAdj(4, 5, 6),
        synproxy=SynProxy(7, 8, 9),
    ),
}
"""One of everything that is rare, all different tuples. Needs LABEL_RULE and HELPER_RULE."""
