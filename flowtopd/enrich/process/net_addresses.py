"""The addresses of a network namespace, as /proc/PID/net prints them. Pure.

    fib_trie   "|-- 10.0.0.2", and below it what is routed there: "/32 host LOCAL" is an address of this namespace
    if_inet6   "fd000000000000000000000000000002 04 40 00 82     eth0"

Loopback and link-local addresses are left out: every namespace has them, they tell none apart.
"""

import ipaddress
from collections.abc import Iterator
from typing import Final

Address = tuple[int, int]
"""The high and the low half of 128 bits; IPv4 as IPv4-mapped IPv6."""

_MAPPED: Final = 0xFFFF_0000_0000
_HALF: Final = (1 << 64) - 1


def in_fib_trie(text: bytes) -> Iterator[Address]:
    """Addresses in fib_trie; some come twice, once for each routing table."""
    address = b""
    for line in text.splitlines():
        words = line.split()
        match words:
            case [b"|--", address]:
                pass
            case [b"/32", b"host", b"LOCAL"]:
                found = ipaddress.IPv4Address(address.decode())
                if not (found.is_loopback or found.is_link_local):
                    yield 0, _MAPPED | int(found)


def in_if_inet6(text: bytes) -> Iterator[Address]:
    """Addresses in if_inet6."""
    for line in text.splitlines():
        found = ipaddress.IPv6Address(int(line.split(b" ", 1)[0], 16))
        if not (found.is_loopback or found.is_link_local):
            yield int(found) >> 64, int(found) & _HALF
