"""flowtopd.netlink.rtnetlink: on messages made here, and against pyroute2 on a real namespace."""

import ipaddress
import struct
from collections.abc import Callable
from typing import Any

import pytest
from pyroute2 import IPRoute

from flowtopd.netlink import uapi
from flowtopd.netlink.nlmsg import MalformedMessage
from flowtopd.netlink.nlsocket import NetlinkSocket, open_route
from flowtopd.netlink.rtnetlink import (
    ADDRESSES,
    LINKS,
    NEIGHBOURS,
    ROUTES,
    Address,
    Kind,
    Link,
    Neighbour,
    OwnAddress,
    Prefix,
    Route,
    decode_dump,
    dump_request,
    prefix,
)
from testbed.netns import Namespace

SEQ = 0x5BD1E995
MULTI, INTERRUPTED = 2, 16
MOST = 1000
MAC = bytes.fromhex("001ec29e286b")


def attr(kind: int, payload: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(payload), kind) + payload + bytes(-len(payload) % 4)


def message(kind: Kind[Any], head: bytes, *attributes: bytes, flags: int = MULTI) -> bytes:
    body = head + b"".join(attributes)
    return struct.pack("=IHHII", 16 + len(body), kind.new, flags, SEQ, 0) + body


def number(value: int) -> bytes:
    return struct.pack("=I", value)


def packed(text: str) -> bytes:
    return ipaddress.ip_address(text).packed


def halves(text: str) -> Address:
    address = ipaddress.ip_address(text)
    value = int(address) | (0xFFFF_0000_0000 if address.version == 4 else 0)
    return value >> 64, value & (1 << 64) - 1


def network(text: str) -> Prefix:
    parsed = ipaddress.ip_network(text)
    return Prefix(*halves(str(parsed.network_address)), parsed.prefixlen + (96 if parsed.version == 4 else 0))


def hop(interface: int, *attributes: bytes) -> bytes:
    body = b"".join(attributes)
    return struct.pack("=HBBi", 8 + len(body), 0, 0, interface) + body


def rtmsg(family: int, bits: int, table: int = 254) -> bytes:
    return struct.pack("=BBBBBBBBI", family, bits, 0, 0, table, 3, 0, 1, 0)


LINK = message(LINKS, struct.pack("=BxHiII", 0, 1, 3, 0x1003, 0), attr(3, b"lan0\0"), attr(13, number(1)), attr(1, MAC))
OWN = message(
    ADDRESSES,
    struct.pack("=BBBBI", 2, 24, 0, 0, 3),
    *(attr(1, packed("192.168.1.1")), attr(2, packed("192.168.1.1")), attr(4, packed("192.168.1.255"))),
)
PEER = message(
    ADDRESSES, struct.pack("=BBBBI", 2, 32, 0, 0, 4), attr(1, packed("198.51.100.1")), attr(2, packed("203.0.113.7"))
)
OWN6 = message(ADDRESSES, struct.pack("=BBBBI", 10, 64, 0, 0, 3), attr(1, packed("fd00:1::1")))
ROUTE = message(ROUTES, rtmsg(2, 8), attr(1, packed("10.0.0.0")), attr(4, number(3)), attr(5, packed("192.168.1.9")))
DEFAULT6 = message(ROUTES, rtmsg(10, 0), attr(4, number(4)), attr(5, packed("fe80::1")))
TABLE = message(ROUTES, rtmsg(2, 0, 252), attr(15, number(51820)), attr(4, number(5)))
SEVERAL = message(
    ROUTES,
    rtmsg(2, 0),
    attr(9, hop(3) + hop(4, attr(5, packed("192.0.2.1"))) + hop(3, attr(18, b"\x0a\0" + bytes(16)))),
)
NEIGHBOUR = message(
    NEIGHBOURS,
    struct.pack("=BxxxiHBB", 10, 3, 4, 0, 1),
    attr(1, packed("fd00:1::11")),
    attr(2, MAC),
    attr(3, bytes(16)),
)
FAILED = message(NEIGHBOURS, struct.pack("=BxxxiHBB", 2, 3, 0x20, 0, 1), attr(1, packed("192.168.1.77")))

CASES: list[tuple[Kind[Any], bytes, Any]] = [
    (LINKS, LINK, Link(3, "lan0", MAC, 0x1003)),
    (ADDRESSES, OWN, OwnAddress(3, halves("192.168.1.1"), network("192.168.1.0/24"), halves("192.168.1.255"))),
    (ADDRESSES, PEER, OwnAddress(4, halves("203.0.113.7"), network("198.51.100.1/32"), None)),
    (ADDRESSES, OWN6, OwnAddress(3, halves("fd00:1::1"), network("fd00:1::/64"), None)),
    (ROUTES, ROUTE, Route(2, network("10.0.0.0/8"), 254, 1, (3,), gateway=True)),
    (ROUTES, DEFAULT6, Route(10, network("::/0"), 254, 1, (4,), gateway=True)),
    (ROUTES, TABLE, Route(2, network("0.0.0.0/0"), 51820, 1, (5,), gateway=False)),
    (ROUTES, SEVERAL, Route(2, network("0.0.0.0/0"), 254, 1, (3, 4), gateway=True)),
    (NEIGHBOURS, NEIGHBOUR, Neighbour(3, halves("fd00:1::11"), MAC, 4)),
    (NEIGHBOURS, FAILED, Neighbour(3, halves("192.168.1.77"), b"", 0x20)),
]
NAMES = ["link", "own", "peer", "own6", "route", "default6", "table", "several", "neighbour", "failed"]


@pytest.mark.parametrize(("kind", "block", "record"), CASES, ids=NAMES)
def test_a_message_becomes_a_record(kind: Kind[Any], block: bytes, record: Any) -> None:
    assert decode_dump(kind, block, SEQ, MOST).records == [record]
    assert decode_dump(kind, block * 3, SEQ, MOST).records == [record] * 3
    assert decode_dump(kind, block * 3, SEQ, 2).records == [record] * 2


@pytest.mark.parametrize(("kind", "block", "record"), CASES, ids=NAMES)
def test_a_message_that_is_cut_anywhere_is_refused(kind: Kind[Any], block: bytes, record: Any) -> None:
    for length in range(4, len(block), 4):
        with pytest.raises(MalformedMessage):
            decode_dump(kind, block[:length], SEQ, MOST)
    assert decode_dump(kind, block, SEQ, MOST).records == [record]


@pytest.mark.parametrize("kind", [LINKS, ADDRESSES, ROUTES, NEIGHBOURS])
def test_a_message_without_its_header_is_refused(kind: Kind[Any]) -> None:
    with pytest.raises(MalformedMessage, match="bytes"):
        decode_dump(kind, message(kind, bytes(4)), SEQ, MOST)


@pytest.mark.parametrize(
    ("kind", "block", "why"),
    [
        (ADDRESSES, message(ADDRESSES, struct.pack("=BBBBI", 2, 33, 0, 0, 1), attr(1, bytes(4))), "prefix of 33 bits"),
        (ADDRESSES, message(ADDRESSES, struct.pack("=BBBBI", 2, 24, 0, 0, 1), attr(1, bytes(16))), "of 16 bytes"),
        (ROUTES, message(ROUTES, rtmsg(10, 129)), "prefix of 129 bits"),
        (ROUTES, message(ROUTES, rtmsg(10, 64), attr(1, bytes(4))), "address of 4 bytes"),
        (ROUTES, message(ROUTES, rtmsg(2, 0), attr(4, bytes(2))), "number of 2 bytes"),
        (ROUTES, message(ROUTES, rtmsg(2, 0), attr(9, hop(3)[:4])), "rtnexthop"),
        (ROUTES, message(ROUTES, rtmsg(2, 0), attr(9, struct.pack("=HBBi", 0, 0, 0, 3))), "rtnexthop of length 0"),
        (ROUTES, message(ROUTES, rtmsg(2, 0), attr(9, struct.pack("=HBBi", 12, 0, 0, 3))), "rtnexthop of length 12"),
        (NEIGHBOURS, message(NEIGHBOURS, bytes((2,)) + bytes(11), attr(1, bytes(3))), "address of 3 bytes"),
        (LINKS, message(LINKS, bytes(16), struct.pack("=HH", 3, 1)), "attribute 1 of length 3"),
        (LINKS, message(LINKS, bytes(16), struct.pack("=HH", 9, 1)), "attribute 1 of length 9"),
    ],
)
def test_what_lies_about_a_length_is_refused_with_its_place(kind: Kind[Any], block: bytes, why: str) -> None:
    with pytest.raises(MalformedMessage, match=why) as refused:
        decode_dump(kind, block, SEQ, MOST)
    assert 16 <= refused.value.offset < len(block)


@pytest.mark.parametrize(("kind", "size"), [(ADDRESSES, 8), (ROUTES, 12), (NEIGHBOURS, 12)])
def test_other_families_are_passed_over(kind: Kind[Any], size: int) -> None:
    bridge = message(kind, bytes((7,)) + bytes(size - 1), attr(1, b"\x01\x02\x03"))
    assert decode_dump(kind, bridge, SEQ, MOST).records == []


def test_an_interrupted_dump_says_so() -> None:
    changed = message(LINKS, bytes(16), flags=MULTI | INTERRUPTED)
    assert decode_dump(LINKS, LINK + changed, SEQ, MOST).interrupted
    assert not decode_dump(LINKS, LINK, SEQ, MOST).interrupted
    assert decode_dump(LINKS, b"", SEQ, MOST).records == []


def test_a_prefix_knows_its_ends() -> None:
    one = prefix(halves("192.168.1.77"), 96 + 24)
    assert one == network("192.168.1.0/24")
    assert one.last - one.first == 255
    assert prefix(halves("fd00::1"), 0).last == (1 << 128) - 1


# against pyroute2


def dumped(kind: Kind[Any], family: int = 0) -> list[Any]:
    with NetlinkSocket(open_route) as netlink:
        return [
            record
            for block in netlink.dump(lambda seq: dump_request(kind, family, seq))
            for record in decode_dump(kind, block.data, block.seq, 100_000).records
        ]


@pytest.fixture
def furnished(namespace: Namespace) -> Namespace:
    """A namespace with links, addresses, routes and neighbours of many kinds."""
    commands = [
        "link add lan0 address 02:00:00:00:00:01 type bridge",
        *("link add v0 type veth peer name v1", "link set v0 master lan0", "tuntap add tun0 mode tun"),
        *(f"link set {name} up" for name in ("lan0", "v0", "v1", "tun0")),
        *("address add 192.168.1.1/24 brd + dev lan0", "address add 10.8.0.1 peer 10.8.0.2/32 dev v1"),
        *("address add fd00:1::1/64 dev lan0 nodad", "address add 198.51.100.1/32 dev lo"),
        "address add fd00:2::1 peer fd00:2::2/128 dev v1 nodad",
        *("route add default via 192.168.1.254", "route add 10.0.0.0/8 dev v1", "route add blackhole 10.9.0.0/16"),
        "route add 172.16.0.0/12 nexthop via 192.168.1.253 dev lan0 nexthop dev v1",
        *("route add default dev v1 table 51820", "route add 203.0.113.0/24 via inet6 fd00:1::9 dev lan0"),
        *("route add ::/0 via fd00:1::fe metric 5", "route add fd00:9::/48 dev v1"),
        "route add fd00:7::/48 nexthop via fd00:1::fd dev lan0 nexthop via fd00:1::fc dev lan0",
        *(f"neigh add 192.168.1.{n} lladdr 02:00:00:00:01:{n:02x} dev lan0 nud permanent" for n in range(10, 20)),
        "neigh add fd00:1::11 lladdr 02:00:00:00:01:0b dev lan0 nud stale",
        "neigh add 192.168.1.77 dev lan0 nud failed",
    ]
    namespace.run(["ip", "-batch", "-"], stdin="\n".join(commands) + "\n")
    return namespace


def text(address: Address) -> str:
    value = ipaddress.IPv6Address(address[0] << 64 | address[1])
    return str(value.ipv4_mapped or value)


def written(one: Prefix) -> str:
    address = text((one.high, one.low))
    return f"{address}/{one.bits if ':' in address else one.bits - 96}"


def oracle_route(route: Any) -> tuple[Any, ...]:
    family, bits = route["family"], route["dst_len"]
    destination = route.get_attr("RTA_DST") or ("0.0.0.0" if family == 2 else "::")
    hops = route.get_attr("RTA_MULTIPATH") or []
    interfaces = [hop["oif"] for hop in hops] or [route.get_attr("RTA_OIF")]
    gateway = any(one.get_attr("RTA_GATEWAY") or one.get_attr("RTA_VIA") for one in (route, *hops))
    table = route.get_attr("RTA_TABLE")
    return family, f"{destination}/{bits}", table, route["type"], {i for i in interfaces if i is not None}, gateway


def both(
    furnished: Namespace, kind: Kind[Any], ask: Callable[[IPRoute], Any], family: int = 0
) -> tuple[list[Any], Any]:
    """Our dump, and what pyroute2 says before and after it: links come up and join groups in their own time."""
    with furnished.entered(), IPRoute() as ip:
        for _attempt in range(1000):
            before, found, after = ask(ip), dumped(kind, family), ask(ip)
            if before == after:
                return found, before
    raise AssertionError("the kernel never says the same twice")


@pytest.mark.kernel
def test_links_are_those_of_pyroute2(furnished: Namespace) -> None:
    found, expected = both(
        furnished,
        LINKS,
        lambda ip: {
            (one["index"], one.get_attr("IFLA_IFNAME"), one.get_attr("IFLA_ADDRESS") or "", one["flags"])
            for one in ip.get_links()
        },
    )
    assert {(one.index, one.name, one.mac.hex(":"), one.flags) for one in found} == expected
    assert {"lo", "lan0", "v0", "v1", "tun0"} <= {one[1] for one in expected}


@pytest.mark.kernel
def test_addresses_are_those_of_pyroute2(furnished: Namespace) -> None:
    found, expected = both(
        furnished,
        ADDRESSES,
        lambda ip: {
            (
                one["index"],
                one.get_attr("IFA_LOCAL") or one.get_attr("IFA_ADDRESS"),
                str(ipaddress.ip_network(f"{one.get_attr('IFA_ADDRESS')}/{one['prefixlen']}", strict=False)),
                one.get_attr("IFA_BROADCAST"),
            )
            for one in ip.get_addr()
        },
    )
    assert {
        (one.index, text(one.address), written(one.network), one.broadcast and text(one.broadcast)) for one in found
    } == expected
    assert ("10.8.0.1", "10.8.0.2/32") in {one[1:3] for one in expected}


@pytest.mark.kernel
@pytest.mark.parametrize("family", [uapi.AF_INET, uapi.AF_INET6])
def test_routes_are_those_of_pyroute2(furnished: Namespace, family: int) -> None:
    found, expected = both(
        furnished, ROUTES, lambda ip: sorted(map(oracle_route, ip.get_routes(family=family)), key=repr), family
    )
    ours = [
        (one.family, written(one.destination), one.table, one.kind, set(one.interfaces), one.gateway) for one in found
    ]
    assert sorted(ours, key=repr) == expected
    assert len(expected) > 8


@pytest.mark.kernel
def test_neighbours_are_those_of_pyroute2(furnished: Namespace) -> None:
    found, expected = both(
        furnished,
        NEIGHBOURS,
        lambda ip: {
            (one["ifindex"], one.get_attr("NDA_DST"), one.get_attr("NDA_LLADDR") or "", one["state"])
            for one in ip.get_neighbours()
        },
    )
    assert {(one.index, text(one.address), one.mac.hex(":"), one.state) for one in found} == expected
    assert len(expected) >= 11
