"""What an address is to this host: its own, of the local network, of the uplink's, a group's, or any other.

An *uplink* is an interface with a default route in the main table, of whichever family and metric. Half of IPv4 or the
whole of global IPv6 is a default in all but name: VPNs route so. Tables of policy routing are not looked at.

All 128 bits are cut into ranges. What is known is painted over them in this order, the later over the earlier:

    1. everything                              REMOTE
    2. private (RFC 1918, 169.254/16, ULA)     LAN, but REMOTE where a default route is the way there
    3. networks, the shorter prefix first
       connected, on an uplink                 UPLINK
       connected, on another interface         LAN     a bridge of containers, a VPN's own network
       routed, and private                     LAN, but REMOTE where uplinks are the only way there
    4. link-local IPv6; 0.0.0.0 and ::         LAN     somebody on the link, maybe without an address yet
    5. multicast, broadcast addresses          GROUP
    6. loopback (whatever network it has), own addresses    HOST

*Connected* is the network of an own address, and a route without a gateway, but for one through an interface that
resolves no neighbours (WireGuard, tun): what may be sent into a tunnel is not what is at its end. The shared addresses
of carriers (100.64/10) are not private. On equal terms UPLINK goes before LAN, and connected before routed.
"""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import ip_network
from typing import Final, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from flowtopd.flows.dimensions import Where
from flowtopd.netlink import uapi
from flowtopd.netlink.rtnetlink import HALF, MAPPED, V4_BITS, Address, Link, OwnAddress, Prefix, Route, prefix

_END: Final = 1 << 128
_DEFAULTS: Final = {uapi.AF_INET: V4_BITS + 1, uapi.AF_INET6: 4}
"""The longest prefixes that count as defaults: 0.0.0.0/1, 2000::/3, and 2000::/4 of OpenVPN."""


class _Coat(NamedTuple):
    """One stroke of paint: from the first address to the last, over what is private alone or all."""

    first: int
    last: int
    code: Where
    private: bool = False


def _prefixes(*texts: str) -> tuple[Prefix, ...]:
    prefixes = []
    for network in map(ip_network, texts):
        mapped = network.version == 4
        number = int(network.network_address) | (MAPPED if mapped else 0)
        prefixes.append(Prefix(number >> 64, number & HALF, network.prefixlen + (V4_BITS if mapped else 0)))
    return tuple(prefixes)


_PRIVATE: Final = {
    uapi.AF_INET: _prefixes("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16"),
    uapi.AF_INET6: _prefixes("fc00::/7"),
}
_IPV4: Final = Prefix(0, MAPPED, V4_BITS)
_NO_BROADCAST: Final = V4_BITS + 31
_ALWAYS: Final = (
    (Where.LAN, _prefixes("fe80::/10", "0.0.0.0/32", "::")),
    (Where.GROUP, _prefixes("224.0.0.0/4", "255.255.255.255", "ff00::/8")),
    (Where.HOST, _prefixes("127.0.0.0/8", "::1")),
)


@dataclass(frozen=True, slots=True, eq=False)
class Networks:
    """Immutable. Equal where they say the same of every address.

    The halves of an address are replaced by their ranks among the sorted halves of all addresses where a range begins:
    the key `rank of high * number of lows + rank of low` has the order of 128 bits, and three searches find a range.
    """

    highs: NDArray[np.uint64]
    lows: NDArray[np.uint64]
    keys: NDArray[np.int64]
    codes: NDArray[np.uint8]

    @classmethod
    def of(cls, links: Sequence[Link], addresses: Sequence[OwnAddress], routes: Sequence[Route]) -> Self:
        """Make them of what the kernel says; `routes` are the unicast ones of the main table."""
        starts, codes = _paint(_coats(links, addresses, routes))
        halves = np.array([(start >> 64, start & HALF) for start in starts], np.uint64)
        highs, high_ranks = np.unique(halves[:, 0], return_inverse=True)
        lows, low_ranks = np.unique(halves[:, 1], return_inverse=True)
        made = cls(highs, lows, high_ranks * len(lows) + low_ranks, np.array(codes, np.uint8))
        for array in (made.highs, made.lows, made.keys, made.codes):
            array.flags.writeable = False
        return made

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Networks):
            return NotImplemented
        return (
            np.array_equal(self.codes, other.codes)
            and np.array_equal(self.keys, other.keys)
            and np.array_equal(self.highs, other.highs)
            and np.array_equal(self.lows, other.lows)
        )

    def __hash__(self) -> int:
        return hash((self.keys.tobytes(), self.codes.tobytes()))

    def uplinks(self) -> frozenset[int]:
        """Where the networks of the uplinks begin: others than before mean that this host has moved."""
        keys = self.keys[self.codes == Where.UPLINK]
        halves = zip((keys // len(self.lows)).tolist(), (keys % len(self.lows)).tolist(), strict=True)
        return frozenset(int(self.highs[high]) << 64 | int(self.lows[low]) for high, low in halves)

    def where(self, addresses: NDArray[np.uint64]) -> NDArray[np.uint8]:
        """Return the code of `dimensions.Where` for each address, shape (n, 2)."""
        high, low = addresses[:, 0], addresses[:, 1]
        high_rank = np.searchsorted(self.highs, high, "right") - 1
        low_rank = np.searchsorted(self.lows, low, "right") - 1
        # no range begins between the beginnings of that rank and the next: this is behind them all
        low_rank[self.highs[high_rank] != high] = len(self.lows) - 1
        at = np.searchsorted(self.keys, high_rank * len(self.lows) + low_rank, "right") - 1
        codes: NDArray[np.uint8] = self.codes[at]
        return codes

    def is_host(self, addresses: NDArray[np.uint64]) -> NDArray[np.bool_]:
        """Whether the addresses, shape (n, 2), are this host's own."""
        own: NDArray[np.bool_] = self.where(addresses) == Where.HOST
        return own


def _coats(links: Sequence[Link], addresses: Sequence[OwnAddress], routes: Sequence[Route]) -> list[_Coat]:
    loopbacks = {link.index for link in links if link.flags & uapi.IFF_LOOPBACK}
    defaults = [route for route in routes if _is_default(route)]
    uplinks = {interface for route in defaults for interface in route.interfaces}
    coats = [_Coat(0, _END - 1, Where.REMOTE)]
    for family, private in _PRIVATE.items():
        code = Where.REMOTE if any(route.family == family for route in defaults) else Where.LAN
        coats += (_Coat(one.first, one.last, code) for one in private)
    coats += _networks(links, addresses, routes, uplinks)
    for code, prefixes in _ALWAYS:
        coats += (_Coat(one.first, one.last, code) for one in prefixes)
        if code is Where.GROUP:
            coats += _broadcasts(addresses)
    coats += (_Coat(own.network.first, own.network.last, Where.HOST) for own in addresses if own.index in loopbacks)
    coats += (_one(own.address, Where.HOST) for own in addresses)
    return coats


def _networks(
    links: Sequence[Link], addresses: Sequence[OwnAddress], routes: Sequence[Route], uplinks: set[int]
) -> list[_Coat]:
    tunnels = {link.index for link in links if link.flags & (uapi.IFF_NOARP | uapi.IFF_POINTOPOINT)}
    connected = {(own.network, own.index) for own in addresses}
    routed = []
    for route in routes:
        if _is_default(route) or _around_ipv4(route.destination):
            continue
        if route.gateway or not tunnels.isdisjoint(route.interfaces):
            code = Where.REMOTE if uplinks.issuperset(route.interfaces) else Where.LAN
            routed.append((route.destination, code))
        else:
            connected.update((route.destination, interface) for interface in route.interfaces)
    found = [(network, False, Where.UPLINK if index in uplinks else Where.LAN) for network, index in connected]
    found += ((network, True, code) for network, code in routed)
    # at equal length: what is routed first, then LAN, and UPLINK last
    found.sort(key=lambda one: (one[0].bits, not one[1], one[2]))
    return [_Coat(network.first, network.last, code, private) for network, private, code in found]


def _is_default(route: Route) -> bool:
    return route.destination.bits <= _DEFAULTS[route.family]


def _around_ipv4(destination: Prefix) -> bool:
    """Whether it is an IPv6 prefix in which the mapped addresses are: it says nothing of IPv4."""
    return destination.bits < V4_BITS and destination.first <= MAPPED <= destination.last


def _broadcasts(addresses: Iterable[OwnAddress]) -> Iterable[_Coat]:
    for own in addresses:
        if own.broadcast is not None:
            yield _one(own.broadcast, Where.GROUP)
        # the kernel takes the last one for broadcast also where it was given no address for it (fib_add_ifaddr)
        if prefix(own.address, V4_BITS) == _IPV4 and own.network.bits < _NO_BROADCAST:
            yield _Coat(own.network.last, own.network.last, Where.GROUP)


def _one(address: Address, code: Where) -> _Coat:
    number = address[0] << 64 | address[1]
    return _Coat(number, number, code)


def _paint(coats: Sequence[_Coat]) -> tuple[list[int], list[Where]]:
    """Return where each range begins, and its code; neighbours differ."""
    points = sorted({edge for coat in coats for edge in (coat.first, coat.last + 1)} - {_END})
    codes = np.zeros(len(points), np.uint8)
    private = np.zeros(len(points), np.bool_)
    for one in (*_PRIVATE[uapi.AF_INET], *_PRIVATE[uapi.AF_INET6]):
        private[bisect_left(points, one.first) : bisect_left(points, one.last + 1)] = True
    for coat in coats:
        within = slice(bisect_left(points, coat.first), bisect_left(points, coat.last + 1))
        if coat.private:
            codes[within][private[within]] = coat.code
        else:
            codes[within] = coat.code
    kept = np.flatnonzero(np.diff(codes, prepend=codes[0] ^ 1))
    return [points[at] for at in kept.tolist()], [Where(code) for code in codes[kept].tolist()]
