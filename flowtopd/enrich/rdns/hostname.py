"""Which addresses may have a name, how they are written for the resolver, and which answers are names.

A name is what the owner of an address says about it, so it may be anything. It is either shown as it came, or not at
all: letters, digits, hyphens and underscores in labels (RFC 1123, and what is seen in the wild), 253 bytes at most.
Rubbish is not repaired: what is left of it would be a name that nobody has given, perhaps that of somebody else.

    web.example.                     ─▶ web.example
    xn--80ak6aa92e.com               ─▶ the same: punycode is never decoded, its letters may look like others
    ESC[31mred, grün, 255 bytes 0x07 ─▶ no name
    192.0.2.1, 1.2.0.192.in-addr.arpa ─▶ no name: that is an address again, and perhaps another's
"""

import ipaddress
import re
from typing import Final

Address = tuple[int, int]
"""Halves of 128 bits, high and low; IPv4 as ::ffff:a.b.c.d."""

_V4: Final = 0xFFFF
_LONGEST: Final = 253
_LABEL: Final = r"[A-Za-z0-9_][A-Za-z0-9_-]{0,62}"
_NAME: Final = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_ADDRESS: Final = re.compile(
    r"(?:.*\.)?(?:[0-9]+|0x[0-9a-f]*)"  # no top-level domain is a number, but inet_aton takes it: 127.1, 0x7f000001
    r"|.*\.(?:in-addr|ip6)\.arpa",
    re.IGNORECASE,
)


def may_have_name(address: Address) -> bool:
    """Whether it is worth asking: not for unset, multicast and broadcast ones. Private ones may well have a name."""
    high, low = address
    if high == 0 and low >> 32 == _V4:
        v4 = low & 0xFFFF_FFFF
        return v4 >> 24 != 0 and v4 >> 28 != 0xE and v4 != 0xFFFF_FFFF
    return address != (0, 0) and high >> 56 != 0xFF


def address_text(address: Address) -> str:
    """The address as the resolver takes it."""
    high, low = address
    if high == 0 and low >> 32 == _V4:
        return str(ipaddress.IPv4Address(low & 0xFFFF_FFFF))
    return str(ipaddress.IPv6Address(high << 64 | low))


def host_name(text: str) -> str | None:
    """The name in an answer, without the dot at its end; None where it is none."""
    name = text.removesuffix(".")
    if len(name) > _LONGEST or not _NAME.fullmatch(name) or _ADDRESS.fullmatch(name):
        return None
    return name
