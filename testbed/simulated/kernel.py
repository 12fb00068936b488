"""A kernel's table of arrays: flows that come, move and go, written as the messages that ctnetlink would send.

    one message of each layout, made once ─▶ a matrix of as many copies as flows ─▶ values put into their places

A dump of 1 000 flows takes 0.2 ms. Three layouts: TCP over IPv4, UDP over IPv6, and for a few flows TCP with an
attribute that nobody knows, whose length is another in every dump.
"""

import re
import struct
from collections.abc import Callable, Generator
from functools import cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from flowtopd.flows.names import TCP, UDP
from flowtopd.netlink import uapi
from flowtopd.netlink.nlmsg import NFGENMSG, Split, attribute, request
from flowtopd.netlink.nlsocket import Block
from testbed.simulated.clock import Clock

HOST: Final = 0x0A00_0001
"""The IPv4 address of this host. Every other flow is its own; the rest are of the 249 that follow."""

MOST_BYTES: Final = 1_500_000
"""That a flow moves in a second, in one direction."""

_NEW: Final = uapi.NFNL_SUBSYS_CTNETLINK << 8 | uapi.IPCTNL_MSG_CT_NEW
_DELETE: Final = uapi.NFNL_SUBSYS_CTNETLINK << 8 | uapi.IPCTNL_MSG_CT_DELETE
_UNKNOWN: Final = 60
"""An attribute that no kernel sends yet."""
_ODD: Final = 16
"""Flows that have it."""
_OTHER: Final = 4
"""Of so many flows one is UDP over IPv6."""
_STRIDE: Final = 2_654_435_761
"""From one address to the next, round and round: odd, so that all 2^30 come before one comes again."""
_IPV6: Final = bytes.fromhex("20010db8") + bytes(8)
_COUNTERS: Final = ("orig_packets", "orig_bytes", "reply_packets", "reply_bytes")
_DTYPES: Final = {
    **dict.fromkeys(("src", "dst"), ">u4"),  # of an IPv6 address the last 32 bits
    **dict.fromkeys(("sport", "dport"), ">u2"),
    **dict.fromkeys((*_COUNTERS, "start_ns"), ">u8"),
    "ctid": ">u4",
}
"""What is put into the messages."""
_MARKS: Final = {name: bytes((0xA0 + number,)) * int(dtype[-1]) for number, (name, dtype) in enumerate(_DTYPES.items())}
"""Values that stand nowhere else in a message, to find the places."""

_Flows = dict[str, NDArray[Any]]


class _Layout:
    """Messages of one kind: the bytes that all have, and where the others stand."""

    def __init__(self, family: int, proto: int, padding: int) -> None:
        message = _message(family, proto, padding)
        self.size = len(message)
        self._one = np.frombuffer(message, np.uint8)
        self._places = [
            (name, found.start()) for name, mark in _MARKS.items() for found in re.finditer(re.escape(mark), message)
        ]

    def write(self, flows: _Flows, kind: int, flags: int, seq: int) -> NDArray[np.uint8]:
        """The messages of these flows, a row each."""
        matrix = np.tile(self._one, (len(flows["ctid"]), 1))
        matrix[:, 4:12] = np.frombuffer(struct.pack("=HHI", kind, flags, seq), np.uint8)  # all of nlmsghdr but lengths
        for name, place in self._places:
            width = len(_MARKS[name])
            values = flows[name].astype(_DTYPES[name]).view(np.uint8)
            matrix[:, place : place + width] = values.reshape(-1, width)
        return matrix


@cache
def _layout(family: int, proto: int, padding: int = 0) -> _Layout:
    """Made once: that takes as long as to write 1 000 messages."""
    return _Layout(family, proto, padding)


def _message(family: int, proto: int, padding: int) -> bytes:
    """One entry, with marks for values."""
    first, prefix = (uapi.CTA_IP_V4_SRC, b"") if family == uapi.AF_INET else (uapi.CTA_IP_V6_SRC, _IPV6)

    def nest(kind: int, *values: bytes, begin: int = 1) -> bytes:
        """Attributes in one, numbered from `begin`."""
        return attribute(
            kind | uapi.NLA_F_NESTED, b"".join(attribute(begin + at, one) for at, one in enumerate(values))
        )

    def direction(kind: int, src: str, dst: str, sport: str, dport: str) -> bytes:
        ends = nest(uapi.CTA_TUPLE_IP, prefix + _MARKS[src], prefix + _MARKS[dst], begin=first)
        ports = nest(uapi.CTA_TUPLE_PROTO, bytes((proto,)), _MARKS[sport], _MARKS[dport])
        return attribute(kind | uapi.NLA_F_NESTED, ends + ports)

    attributes = [
        direction(uapi.CTA_TUPLE_ORIG, "src", "dst", "sport", "dport"),
        direction(uapi.CTA_TUPLE_REPLY, "dst", "src", "dport", "sport"),
        attribute(uapi.CTA_STATUS, (0xE).to_bytes(4)),
        attribute(uapi.CTA_TIMEOUT, (300).to_bytes(4)),
        nest(uapi.CTA_COUNTERS_ORIG, _MARKS["orig_packets"], _MARKS["orig_bytes"]),
        nest(uapi.CTA_COUNTERS_REPLY, _MARKS["reply_packets"], _MARKS["reply_bytes"]),
        nest(uapi.CTA_TIMESTAMP, _MARKS["start_ns"]),
        attribute(uapi.CTA_ID, _MARKS["ctid"]),
    ]
    if proto == TCP:
        established = nest(uapi.CTA_PROTOINFO_TCP, b"\x03")
        attributes.append(attribute(uapi.CTA_PROTOINFO | uapi.NLA_F_NESTED, established))
    if padding:
        attributes.append(attribute(_UNKNOWN, bytes(padding)))
    return request(_NEW, uapi.NLM_F_MULTI, 0, NFGENMSG.pack(family, 0, 0) + b"".join(attributes))


class Kernel:
    """In place of the NetlinkSocket: the flows that live. In every second `changed` of them end, and as many begin."""

    def __init__(self, clock: Clock, size: int, changed: int, seed: int) -> None:
        self.size, self.changed = size, changed
        self.inconsistent = 0
        """So many of the next dumps are called so."""
        self._clock = clock
        self._random = np.random.default_rng(seed)
        self._made = 0
        self._flows = self._new(size)

    @property
    def ids(self) -> NDArray[np.uint32]:
        """CTA_ID of the flows that live."""
        ids: NDArray[np.uint32] = self._flows["ctid"].astype(np.uint32)
        return ids

    def _new(self, count: int) -> _Flows:
        """Flows to addresses to which none has been before, all over the world."""
        numbers = np.arange(self._made + 1, self._made + 1 + count)
        self._made += count
        draw = self._random.integers
        return {
            "src": HOST + numbers % 2 * draw(1, 250, count),
            "dst": 0x8000_0000 + numbers * _STRIDE % 0x4000_0000,
            "sport": 1024 + numbers % 60_000,
            "dport": draw(1, 2000, count),
            "ctid": numbers,
            "start_ns": np.full(count, self._clock.wall_ns()),
        } | {name: draw(40, MOST_BYTES, count) for name in _COUNTERS}

    def second(self) -> tuple[memoryview, Split]:
        """Let flows move, end and begin; return the endings, as events."""
        flows, draw = self._flows, self._random.integers
        for name in ("orig", "reply"):
            moving = draw(0, 4, self.size) == 0
            moved = np.where(moving, draw(40, MOST_BYTES, self.size), 0)
            flows[f"{name}_bytes"] += moved
            flows[f"{name}_packets"] += (moved + 1499) // 1500
        ending = np.zeros(self.size, np.bool_)
        ending[self._random.choice(self.size, self.changed, replace=False)] = True
        block, lengths = self._written({name: values[ending] for name, values in flows.items()}, _DELETE, 0, 0)
        new = self._new(self.changed)
        self._flows = {name: np.concatenate((values[~ending], new[name])) for name, values in flows.items()}
        return block, Split(np.cumsum(lengths) - lengths, lengths, interrupted=False)

    def set_back(self) -> None:
        """Do what a reader with CTRZERO does."""
        for name in _COUNTERS:
            self._flows[name][:] = 0

    # what a NetlinkSocket does

    def dump(self, make_request: Callable[[int], bytes]) -> Generator[Block, None, None]:
        """Yield the whole table as one block."""
        seq = int(self._random.integers(1 << 16, 1 << 31))
        make_request(seq)
        flags = uapi.NLM_F_MULTI | (uapi.NLM_F_DUMP_INTR if self.inconsistent else 0)
        self.inconsistent = max(0, self.inconsistent - 1)
        yield Block(self._written(self._flows, _NEW, flags, seq, odd=_ODD)[0], seq, last=True)

    def close(self) -> None:
        """Nothing is open."""

    def _written(
        self, flows: _Flows, kind: int, flags: int, seq: int, odd: int = 0
    ) -> tuple[memoryview, NDArray[np.intp]]:
        """The messages, and their lengths. `odd`: so many have the attribute that nobody knows."""
        is_udp = flows["ctid"] % _OTHER == 0
        tcp, udp = np.flatnonzero(~is_udp), np.flatnonzero(is_udp)
        layouts = [(_layout(uapi.AF_INET, TCP), tcp[odd:]), (_layout(uapi.AF_INET6, UDP), udp)]
        if odd:
            padding = 4 * int(self._random.integers(1, 400))
            layouts.append((_layout(uapi.AF_INET, TCP, padding), tcp[:odd]))
        parts, lengths = [], []
        for layout, rows in layouts:
            found = layout.write({name: values[rows] for name, values in flows.items()}, kind, flags, seq)
            parts.append(found.reshape(-1))
            lengths.append(np.full(len(found), layout.size, np.intp))
        whole: Any = np.concatenate(parts)
        return memoryview(whole).cast("B"), np.concatenate(lengths)
