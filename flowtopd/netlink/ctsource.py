"""Who opened a flow, read from the bytes of its message and nothing else: to leave alone what concerns nobody here.

    word  0 … 4                  5           6             7                8
        ┌ nlmsghdr, nfgenmsg ┬ tuple_orig ┬ tuple_ip ┬ ip_v4_src, 8  ┬ address, 1 word  ┬ …
        └                    ┴            ┴          ┴ ip_v6_src, 20 ┴ address, 4 words ┴ …

The kernel writes the original tuple first and its source first of that (ctnetlink_conntrack_event and
ctnetlink_dump_tuples in net/netfilter/nf_conntrack_netlink.c). A message that begins in another way is said to be not
known, and is to be decoded. To look so costs 15 µs for any number of messages; to decode one, ten times that.
"""

import struct
import sys
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from flowtopd.netlink import uapi
from flowtopd.netlink.nlmsg import NFGENMSG, NLATTR, NLMSGHDR, Split

_HEADERS_AT: Final = (NLMSGHDR.size + NFGENMSG.size) // 4
_WORDS: Final = np.arange(_HEADERS_AT, _HEADERS_AT + 7)
"""The three headers, and four words of address."""

_KIND: Final = np.uint32(int.from_bytes(struct.pack("=HH", 0, 0xFFFF), sys.byteorder))
"""The type in an attribute's header, without its length."""


def _header(length: int, kind: int) -> np.uint32:
    return np.uint32(int.from_bytes(struct.pack("=HH", length, kind), sys.byteorder))


_TUPLE: Final = _header(0, uapi.CTA_TUPLE_ORIG | uapi.NLA_F_NESTED)


def _ip(kind: int, size: int) -> NDArray[np.uint32]:
    """The headers of both addresses together, and of the source."""
    length = NLATTR.size + size
    return np.array([_header(NLATTR.size + 2 * length, uapi.CTA_TUPLE_IP | uapi.NLA_F_NESTED), _header(length, kind)])


_IPV4: Final = _ip(uapi.CTA_IP_V4_SRC, 4)
_IPV6: Final = _ip(uapi.CTA_IP_V6_SRC, 16)
_NEEDED: Final = 4 * (_HEADERS_AT + 3) + 2 * 16
"""Bytes that a message has which has one of these beginnings: what an IPv4 one is short of, its reply tuple has."""

_MAPPED: Final = np.uint64(0xFFFF << 32)
_HALF: Final = np.uint64(32)


def sources(block: Any, found: Split) -> tuple[NDArray[np.uint64], NDArray[np.bool_]]:
    """Return the original sources of the messages in a block, shape (n, 2), and which of them are known."""
    words = np.frombuffer(block, np.uint32)
    # those that are too short are not known, wherever the block ends
    heads = words.take((found.offsets >> 2)[:, None] + _WORDS, mode="clip")
    ipv4, ipv6 = ((heads[:, 1:3] == expected).all(axis=1) for expected in (_IPV4, _IPV6))
    known = (heads[:, 0] & _KIND == _TUPLE) & (ipv4 | ipv6) & (found.lengths >= _NEEDED)
    address = heads[:, 3:].astype(np.uint64) if sys.byteorder == "big" else heads[:, 3:].byteswap().astype(np.uint64)
    pairs = address[:, 0::2] << _HALF | address[:, 1::2]
    pairs[ipv4, 0] = 0
    pairs[ipv4, 1] = address[ipv4, 0] | _MAPPED
    return pairs, known
