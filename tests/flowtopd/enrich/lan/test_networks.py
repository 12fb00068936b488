"""flowtopd.enrich.lan.networks: tables of hosts, and any host against a slow and obvious reader of its routes."""

import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from numpy.typing import NDArray

from flowtopd.enrich.lan.networks import Networks
from flowtopd.flows.dimensions import Where
from flowtopd.netlink.rtnetlink import Address, Link, OwnAddress, Prefix, Route

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
IPNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network

LOOPBACK, BROADCAST, TUNNEL = 0x8 | 0x1, 0x2 | 0x1, 0x10 | 0x80 | 0x1
LO, WAN, HOME, VPN = 1, 2, 3, 4
FLAGS: Final = {LO: LOOPBACK, WAN: BROADCAST, HOME: BROADCAST, VPN: TUNNEL}
LINKS: Final = tuple(Link(index, f"if{index}", b"", flags) for index, flags in FLAGS.items())


def halves(address: IPAddress) -> Address:
    value = int(address) | (0xFFFF_0000_0000 if address.version == 4 else 0)
    return value >> 64, value & (1 << 64) - 1


def rows(addresses: Iterable[IPAddress]) -> NDArray[np.uint64]:
    return np.array([halves(address) for address in addresses], np.uint64).reshape(-1, 2)


def prefixed(network: IPNetwork) -> Prefix:
    return Prefix(*halves(network.network_address), network.prefixlen + (96 if network.version == 4 else 0))


@dataclass(frozen=True)
class Host:
    """Addresses as `ip address` has them, routes as (network, gateway or not, interfaces)."""

    addresses: Sequence[tuple[int, str]] = ()
    routes: Sequence[tuple[str, bool, tuple[int, ...]]] = ()
    broadcasts: dict[str, str] = field(default_factory=dict)

    def interfaces(self) -> list[tuple[int, ipaddress.IPv4Interface | ipaddress.IPv6Interface]]:
        return [(index, ipaddress.ip_interface(text)) for index, text in self.addresses]

    def ways(self) -> list[tuple[IPNetwork, bool, tuple[int, ...]]]:
        return [(ipaddress.ip_network(text), gateway, interfaces) for text, gateway, interfaces in self.routes]

    def networks(self) -> Networks:
        own = []
        for index, one in self.interfaces():
            brd = self.broadcasts.get(str(one))
            broadcast = halves(ipaddress.ip_address(brd)) if brd else None
            own.append(OwnAddress(index, halves(one.ip), prefixed(one.network), broadcast))
        routes = [
            Route(2 if network.version == 4 else 10, prefixed(network), 254, 1, interfaces, gateway=gateway)
            for network, gateway, interfaces in self.ways()
        ]
        return Networks.of(LINKS, own, routes)

    def where(self, *addresses: str) -> list[str]:
        codes = self.networks().where(rows(map(ipaddress.ip_address, addresses)))
        return [Where(code).name for code in codes.tolist()]


DEFAULT: Final = ("0.0.0.0/0", True, (WAN,))
DEFAULT6: Final = ("::/0", True, (WAN,))
LOCAL: Final = ((LO, "127.0.0.1/8"), (LO, "::1/128"))
ROUTER: Final = Host(
    (*LOCAL, (WAN, "203.0.113.1/24"), (WAN, "2001:db8::1/64"), (HOME, "192.168.1.1/24"), (HOME, "fd00:1::1/64")),
    (DEFAULT, DEFAULT6),
)
LAPTOP: Final = Host((*LOCAL, (WAN, "192.168.1.5/24"), (WAN, "fe80::5/64")), (DEFAULT,))


def changed(host: Host, *routes: tuple[str, bool, tuple[int, ...]]) -> Host:
    return Host(host.addresses, (*host.routes, *routes))


CASES: Final = {
    "a router's own": (ROUTER, "HOST", "203.0.113.1 2001:db8::1 192.168.1.1 fd00:1::1 127.0.0.1 127.9.9.9 ::1"),
    "its LAN": (ROUTER, "LAN", "192.168.1.2 192.168.1.254 fd00:1::ffff 192.168.1.0"),
    "its uplink": (ROUTER, "UPLINK", "203.0.113.2 2001:db8::2"),
    "the world": (ROUTER, "REMOTE", "8.8.8.8 2606:4700::1111 0.0.0.1 100.64.0.1 192.0.2.1 ::1.2.3.4"),
    "groups": (ROUTER, "GROUP", "224.0.0.1 239.255.255.250 ff02::1 255.255.255.255 192.168.1.255 203.0.113.255"),
    "on the link": (ROUTER, "LAN", "fe80::1 fe80::1234 febf::1 0.0.0.0 ::"),
    "private beyond the uplink": (ROUTER, "REMOTE", "192.168.100.1 10.0.0.1 172.16.0.1 169.254.169.254 fd99::1"),
    "private without a default": (Host((*LOCAL, (HOME, "192.168.1.1/24"))), "LAN", "10.0.0.1 172.31.255.255 fd99::1"),
    "not private without a default": (Host(LOCAL), "REMOTE", "172.32.0.0 11.0.0.0 9.255.255.255 fe00::1 192.169.0.0"),
    "behind another router": (changed(ROUTER, ("10.0.0.0/8", True, (HOME,))), "LAN", "10.1.2.3"),
    "private by one of two ways": (changed(ROUTER, ("10.0.0.0/8", True, (HOME, WAN))), "LAN", "10.1.2.3"),
    "private by a way of the uplink": (changed(ROUTER, ("10.0.0.0/8", True, (WAN,))), "REMOTE", "10.1.2.3"),
    "public, behind another router": (changed(ROUTER, ("8.8.8.0/24", True, (HOME,))), "REMOTE", "8.8.8.8"),
    "public, on the link": (changed(ROUTER, ("198.51.100.0/28", False, (HOME,))), "LAN", "198.51.100.3"),
    "public, on the uplink": (changed(ROUTER, ("198.51.100.0/28", False, (WAN,))), "UPLINK", "198.51.100.3"),
    "public, into a tunnel": (changed(ROUTER, ("198.51.100.0/28", False, (VPN,))), "REMOTE", "198.51.100.3"),
    "private, into a tunnel": (changed(ROUTER, ("10.0.0.0/8", False, (VPN,))), "LAN", "10.1.2.3"),
    "a tunnel's network": (Host(((VPN, "10.8.0.1/24"), *ROUTER.addresses), (DEFAULT,)), "LAN", "10.8.0.2"),
    "the longer prefix": (
        changed(Host(((HOME, "10.0.0.1/8"),), (DEFAULT,)), ("10.9.0.0/16", True, (WAN,))),
        "REMOTE",
        "10.9.0.1",
    ),
    "a laptop's neighbours": (LAPTOP, "UPLINK", "192.168.1.1 192.168.1.254"),
    "a laptop's own": (LAPTOP, "HOST", "192.168.1.5 fe80::5"),
    "half of IPv4 is a default": (
        Host(((VPN, "10.8.0.2/24"),), (("0.0.0.0/1", True, (VPN,)), ("128.0.0.0/1", True, (VPN,)))),
        "UPLINK",
        "10.8.0.1",
    ),
    "global IPv6 is a default": (Host(((HOME, "fd00::1/64"),), (("2000::/3", True, (HOME,)),)), "UPLINK", "fd00::2"),
    "a network of two interfaces": (
        Host(((HOME, "192.168.1.2/24"), (WAN, "192.168.1.3/24")), (DEFAULT,)),
        "UPLINK",
        "192.168.1.9",
    ),
    "all of the loopback's networks": (Host(((LO, "10.5.0.1/16"),), (DEFAULT,)), "HOST", "10.5.77.1"),
    "no broadcast among two": (Host(((HOME, "192.168.1.0/31"),), (DEFAULT,)), "LAN", "192.168.1.1"),
    "a broadcast of one's own": (
        Host(((HOME, "192.168.1.1/24"),), (), {"192.168.1.1/24": "192.168.1.127"}),
        "GROUP",
        "192.168.1.127 192.168.1.255",
    ),
    "nothing is around IPv4": (changed(Host(LOCAL, (DEFAULT,)), ("::/8", True, (HOME,))), "REMOTE", "10.0.0.1"),
    "no host": (Host(), "REMOTE", "8.8.8.8 2001:db8::1"),
    "no host's loopback": (Host(), "HOST", "127.0.0.1 ::1"),
}


@pytest.mark.parametrize(("host", "where", "addresses"), CASES.values(), ids=CASES)
def test_an_address_is(host: Host, where: str, addresses: str) -> None:
    assert dict(zip(addresses.split(), host.where(*addresses.split()), strict=True)) == dict.fromkeys(
        addresses.split(), where
    )


# against a slow and obvious reader

PRIVATE: Final = [
    ipaddress.ip_network(text)
    for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "fc00::/7")
]


def is_default(network: IPNetwork) -> bool:
    return network.prefixlen <= (1 if network.version == 4 else 4)


def obvious(host: Host, address: IPAddress) -> Where:
    """What `networks` says in words, for one address."""
    own = host.interfaces()
    uplinks = {i for network, _gateway, interfaces in host.ways() if is_default(network) for i in interfaces}
    if any(address == one.ip or (index == LO and address in one.network) for index, one in own):
        return Where.HOST
    if address.is_loopback:
        return Where.HOST
    if address.is_multicast or address == ipaddress.ip_address("255.255.255.255"):
        return Where.GROUP
    for _index, one in own:
        narrow = one.version == 6 or one.network.prefixlen > 30
        if not narrow and address == one.network.broadcast_address:
            return Where.GROUP
    if (address.version == 6 and address.is_link_local) or address.is_unspecified:
        return Where.LAN
    return by_route(host, address, uplinks)


def by_route(host: Host, address: IPAddress, uplinks: set[int]) -> Where:
    private = any(address in network for network in PRIVATE)
    candidates: list[tuple[int, bool, Where]] = [
        (one.network.prefixlen, True, Where.UPLINK if index in uplinks else Where.LAN)
        for index, one in host.interfaces()
        if address in one.network
    ]
    for network, gateway, interfaces in host.ways():
        if address not in network or is_default(network):
            continue
        if not gateway and VPN not in interfaces:
            candidates += (
                (network.prefixlen, True, Where.UPLINK if index in uplinks else Where.LAN) for index in interfaces
            )
        elif private:
            code = Where.REMOTE if set(interfaces) <= uplinks else Where.LAN
            candidates.append((network.prefixlen, False, code))
    if candidates:
        return max(candidates)[2]
    has_default = any(is_default(network) and network.version == address.version for network, _, _ in host.ways())
    return Where.LAN if private and not has_default else Where.REMOTE


V4: Final = [
    "10.0.0.0",
    "10.128.0.0",
    "172.16.0.0",
    "192.168.1.0",
    "192.168.1.128",
    "203.0.113.0",
    "8.8.8.8",
    "169.254.0.0",
]
V6: Final = ["fd00:1::", "fd00:1::8000:0:0:0", "2001:db8::", "2001:db8:0:1::", "fe80::", "fc00::", "fd00::1:0"]

addresses4 = st.builds(lambda base, low: ipaddress.IPv4Address(base) + low, st.sampled_from(V4), st.integers(0, 300))
addresses6 = st.builds(lambda base, low: ipaddress.IPv6Address(base) + low, st.sampled_from(V6), st.integers(0, 300))
networks4 = st.tuples(addresses4, st.sampled_from([0, 1, 8, 12, 16, 23, 24, 25, 29, 30, 31, 32]))
networks6 = st.tuples(addresses6, st.sampled_from([0, 3, 4, 7, 10, 48, 63, 64, 65, 127, 128]))
ifaces = st.sampled_from([LO, WAN, HOME, VPN])


def text(pair: tuple[IPAddress, int]) -> str:
    return f"{pair[0]}/{pair[1]}"


def network_text(pair: tuple[IPAddress, int]) -> str:
    return str(ipaddress.ip_network(text(pair), strict=False))


hosts = st.builds(
    Host,
    st.lists(
        st.tuples(ifaces, (networks4.filter(lambda p: p[1] >= 8) | networks6.filter(lambda p: p[1] >= 48)).map(text)),
        max_size=6,
    ),
    st.lists(
        st.tuples(
            (networks4 | networks6).map(network_text),
            st.booleans(),
            st.lists(ifaces.filter(lambda i: i != LO), min_size=1, max_size=2, unique=True).map(tuple),
        ),
        max_size=6,
    ),
)


@given(hosts, st.lists(addresses4 | addresses6 | st.ip_addresses(), min_size=1, max_size=40))
@example(ROUTER, [ipaddress.ip_address("192.168.1.2")])
def test_any_address_of_any_host_is_what_its_routes_say(host: Host, some: list[IPAddress]) -> None:
    # the edges of everything are where ranges begin and end
    edges = [edge for _i, one in host.interfaces() for edge in (one.ip, one.network[0], one.network[-1])]
    edges += [edge for network, _g, _i in host.ways() for edge in (network[0], network[-1])]
    asked = [a for a in (*some, *edges) if not (a.version == 6 and a.ipv4_mapped)]
    found = host.networks().where(rows(asked)).tolist()
    assert {str(a): Where(c).name for a, c in zip(asked, found, strict=True)} == {
        str(a): obvious(host, a).name for a in asked
    }


def test_networks_are_equal_where_they_say_the_same() -> None:
    one, same = ROUTER.networks(), changed(ROUTER, ("10.9.0.0/16", True, (WAN,)), DEFAULT).networks()
    assert one == same
    assert hash(one) == hash(same)
    for other in (LAPTOP, Host(), changed(ROUTER, ("10.0.0.0/8", True, (HOME,)))):
        assert one != other.networks()
    assert one != "networks"


def test_the_own_ones_are_told_from_all_others() -> None:
    asked = rows(map(ipaddress.ip_address, ("192.168.1.1", "192.168.1.2", "8.8.8.8", "::1")))
    assert ROUTER.networks().is_host(asked).tolist() == [True, False, False, True]


def test_no_addresses_have_no_codes() -> None:
    assert ROUTER.networks().where(np.zeros((0, 2), np.uint64)).shape == (0,)


def test_what_is_asked_a_hundred_thousand_times_is_answered_as_for_one() -> None:
    asked = rows(map(ipaddress.ip_address, ("192.168.1.2", "8.8.8.8", "fd00:1::9", "203.0.113.77")))
    codes = ROUTER.networks().where(np.tile(asked, (25_000, 1)))
    assert codes.dtype == np.uint8
    assert codes.reshape(-1, 4).min(axis=0).tolist() == codes.reshape(-1, 4).max(axis=0).tolist() == [2, 0, 2, 3]


def test_a_thousand_routes_are_read_at_once() -> None:
    many = [(f"10.{n // 256}.{n % 256}.0/24", True, (HOME if n % 2 else WAN,)) for n in range(1000)]
    assert changed(ROUTER, *many).where("10.0.0.9", "10.0.1.9", "10.3.231.1", "10.200.0.1") == [
        *("REMOTE", "LAN", "LAN", "REMOTE")
    ]
