"""Interfaces, addresses, routes and neighbours: requests for rtnetlink, and the decoder of its answers. Bytes, no I/O.

    ifinfomsg  ┌ family u8 ┬ pad u8  ┬ type u16 ┬ index i32 ┬ flags u32 ┬ change u32 ┐
    ifaddrmsg  ┌ family u8 ┬ prefixlen u8 ┬ flags u8 ┬ scope u8 ┬ index u32 ┐
    rtmsg      ┌ family u8 ┬ dst_len u8 ┬ src_len, tos, table, protocol, scope, type u8 ┬ flags u32 ┐
    ndmsg      ┌ family u8 ┬ pad 3 ┬ ifindex i32 ┬ state u16 ┬ flags u8 ┬ type u8 ┐      then attributes

Rules: addresses are 128 bits as two halves, IPv4 as IPv4-mapped IPv6, so that a prefix of IPv4 is 96 bits longer than
it is written. Messages of families other than these two are passed over, but for links, which have none. A message
that lies about a length raises MalformedMessage. Sources: linux/rtnetlink.h, if_link.h, if_addr.h, neighbour.h.

Plain Python, 3 to 5 µs a message: a host has few of these.
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Generic, NamedTuple, TypeVar

import numpy as np

from flowtopd.netlink import uapi
from flowtopd.netlink.nlmsg import NLMSGHDR, MalformedMessage, attribute, attributes, split
from flowtopd.netlink.nlmsg import request as message

Address = tuple[int, int]
"""The high and the low half of 128 bits."""

MAPPED: Final = 0xFFFF_0000_0000
HALF: Final = (1 << 64) - 1
V4_BITS: Final = 96
"""By how much the prefix of an IPv4-mapped address is longer."""

_IFINFOMSG: Final = struct.Struct("=BxHiII")
_IFADDRMSG: Final = struct.Struct("=BBBBI")
_RTMSG: Final = struct.Struct("=BBBBBBBBI")
_NDMSG: Final = struct.Struct("=BxxxiHBB")
_U32: Final = struct.Struct("=I")
_NEXTHOP: Final = struct.Struct("=HBBi")  # struct rtnexthop: len, flags, hops, ifindex; then attributes
_SIZES: Final = {uapi.AF_INET: 4, uapi.AF_INET6: 16}

Head = tuple[int, ...]


class Prefix(NamedTuple):
    """A network: its first address, and how many of the 128 bits are fixed."""

    high: int
    low: int
    bits: int

    @property
    def first(self) -> int:
        """The first address, as one number."""
        return self.high << 64 | self.low

    @property
    def last(self) -> int:
        """The last address, as one number."""
        return self.first | (1 << 128 - self.bits) - 1


@dataclass(frozen=True, slots=True)
class Link:
    """An interface. `mac`: its link-layer address, of whatever length; `flags`: IFF_*."""

    index: int
    name: str
    mac: bytes
    flags: int


@dataclass(frozen=True, slots=True)
class OwnAddress:
    """An address of an interface, and the network (or the one peer) that is connected by it."""

    index: int
    address: Address
    network: Prefix
    broadcast: Address | None


@dataclass(frozen=True, slots=True)
class Route:
    """Where packets to `destination` go. `kind`: RTN_*; `gateway`: whether by way of another machine."""

    family: int
    destination: Prefix
    table: int
    kind: int
    interfaces: tuple[int, ...]
    gateway: bool


@dataclass(frozen=True, slots=True)
class Neighbour:
    """What is known of an address on a link. `state`: NUD_*; `mac` may be empty."""

    index: int
    address: Address
    mac: bytes
    state: int


Record = TypeVar("Record")


@dataclass(frozen=True, slots=True)
class Kind(Generic[Record]):
    """One kind of dump: types of question and answer, the header of both, and how one answer is read."""

    get: int
    new: int
    head: struct.Struct
    read: Callable[[Any, Head, int, int], Record | None]


@dataclass(frozen=True, slots=True)
class Part(Generic[Record]):
    """What a block of a dump holds; whether the kernel says that it changed meanwhile."""

    records: list[Record]
    interrupted: bool


def dump_request(kind: Kind[Any], family: int, seq: int) -> bytes:
    """Build the request for everything of one kind and family (AF_UNSPEC, 0: of all)."""
    payload = bytes((family,)) + bytes(kind.head.size - 1)
    if kind.get == uapi.RTM_GETLINK:
        payload += attribute(uapi.IFLA_EXT_MASK, _U32.pack(uapi.RTEXT_FILTER_SKIP_STATS))
    return message(kind.get, uapi.NLM_F_REQUEST | uapi.NLM_F_DUMP, seq, payload)


def decode_dump(kind: Kind[Record], block: Any, seq: int, most: int) -> Part[Record]:
    """Decode a block (bytes-like, 4-byte aligned, whole messages), at most so many. Raises MalformedMessage."""
    words = np.frombuffer(block, np.uint32)
    if not words.size:
        return Part([], interrupted=False)
    found = split(words, kind.new, uapi.NLM_F_MULTI, seq)
    records = []
    for start, length in zip(found.offsets[:most].tolist(), found.lengths[:most].tolist(), strict=True):
        body = start + NLMSGHDR.size
        if length < NLMSGHDR.size + kind.head.size:
            raise MalformedMessage(start, f"message {kind.new} of {length} bytes")
        record = kind.read(block, kind.head.unpack_from(block, body), body + kind.head.size, start + length)
        if record is not None:
            records.append(record)
    return Part(records, found.interrupted)


def prefix(address: Address, bits: int) -> Prefix:
    """The network of so many bits in which an address is."""
    free = 128 - bits
    number = (address[0] << 64 | address[1]) >> free << free
    return Prefix(number >> 64, number & HALF, bits)


def _link(block: Any, head: Head, at: int, end: int) -> Link:
    _family, _type, index, flags, _change = head
    name, mac = "", b""
    for kind, start, stop in attributes(block, at, end):
        if kind == uapi.IFLA_IFNAME:
            name = bytes(block[start:stop]).rstrip(b"\0").decode(errors="replace")
        elif kind == uapi.IFLA_ADDRESS:
            mac = bytes(block[start:stop])
    return Link(index, name, mac, flags)


def _own_address(block: Any, head: Head, at: int, end: int) -> OwnAddress | None:
    family, length, _flags, _scope, index = head
    if family not in _SIZES:
        return None
    found: dict[int, Address] = {}
    for kind, start, stop in attributes(block, at, end):
        if kind in (uapi.IFA_LOCAL, uapi.IFA_ADDRESS, uapi.IFA_BROADCAST):
            found[kind] = _address(block, family, start, stop)
    # on a link to one peer IFA_ADDRESS is the peer's; IPv6 has no IFA_LOCAL where both are the same
    peer = found.get(uapi.IFA_ADDRESS) or found.get(uapi.IFA_LOCAL)
    if peer is None:
        return None
    network = prefix(peer, _bits(family, length, at - _IFADDRMSG.size + 1))
    return OwnAddress(index, found.get(uapi.IFA_LOCAL, peer), network, found.get(uapi.IFA_BROADCAST))


def _route(block: Any, head: Head, at: int, end: int) -> Route | None:
    family, length, _src_len, _tos, table, _protocol, _scope, kind, _flags = head
    if family not in _SIZES:
        return None
    destination = (0, MAPPED if family == uapi.AF_INET else 0)
    interfaces: list[int] = []
    gateway = False
    for attr, start, stop in attributes(block, at, end):
        if attr == uapi.RTA_DST:
            destination = _address(block, family, start, stop)
        elif attr == uapi.RTA_TABLE:  # numbers over 255 do not fit into the header
            table = _u32(block, start, stop)
        elif attr == uapi.RTA_OIF:
            interfaces.append(_u32(block, start, stop))
        elif attr == uapi.RTA_MULTIPATH:
            gateway |= _hops(block, start, stop, interfaces)
        gateway |= attr in (uapi.RTA_GATEWAY, uapi.RTA_VIA)
    network = prefix(destination, _bits(family, length, at - _RTMSG.size + 1))
    return Route(family, network, table, kind, tuple(dict.fromkeys(interfaces)), gateway)


def _hops(block: Any, at: int, end: int, interfaces: list[int]) -> bool:
    """Add the interfaces of a route of several ways; return whether there is a gateway on one of them."""
    gateway = False
    while at < end:
        length = _NEXTHOP.unpack_from(block, at)[0] if end - at >= _NEXTHOP.size else 0
        if length < _NEXTHOP.size or at + length > end:
            raise MalformedMessage(at, f"rtnexthop of length {length}, {end - at} bytes left")
        interfaces.append(_NEXTHOP.unpack_from(block, at)[3])
        kinds = {kind for kind, _start, _stop in attributes(block, at + _NEXTHOP.size, at + length)}
        gateway |= not kinds.isdisjoint((uapi.RTA_GATEWAY, uapi.RTA_VIA))
        at += (length + 3) & ~3
    return gateway


def _neighbour(block: Any, head: Head, at: int, end: int) -> Neighbour | None:
    family, index, state, _flags, _type = head
    if family not in _SIZES:
        return None
    address, mac = None, b""
    for kind, start, stop in attributes(block, at, end):
        if kind == uapi.NDA_DST:
            address = _address(block, family, start, stop)
        elif kind == uapi.NDA_LLADDR:
            mac = bytes(block[start:stop])
    return None if address is None else Neighbour(index, address, mac, state)


def _address(block: Any, family: int, start: int, stop: int) -> Address:
    if stop - start != _SIZES[family]:
        raise MalformedMessage(start, f"an address of {stop - start} bytes in family {family}")
    if family == uapi.AF_INET:
        return 0, MAPPED | int.from_bytes(block[start:stop])
    return int.from_bytes(block[start : start + 8]), int.from_bytes(block[start + 8 : stop])


def _bits(family: int, length: int, at: int) -> int:
    if length > _SIZES[family] * 8:
        raise MalformedMessage(at, f"a prefix of {length} bits in family {family}")
    return length + V4_BITS if family == uapi.AF_INET else length


def _u32(block: Any, start: int, stop: int) -> int:
    if stop - start != _U32.size:
        raise MalformedMessage(start, f"a number of {stop - start} bytes, not 4")
    number: int = _U32.unpack_from(block, start)[0]
    return number


LINKS: Final = Kind(uapi.RTM_GETLINK, uapi.RTM_NEWLINK, _IFINFOMSG, _link)
ADDRESSES: Final = Kind(uapi.RTM_GETADDR, uapi.RTM_NEWADDR, _IFADDRMSG, _own_address)
ROUTES: Final = Kind(uapi.RTM_GETROUTE, uapi.RTM_NEWROUTE, _RTMSG, _route)
NEIGHBOURS: Final = Kind(uapi.RTM_GETNEIGH, uapi.RTM_NEWNEIGH, _NDMSG, _neighbour)
