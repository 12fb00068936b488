"""One lease, and how the words of strangers become its fields. Pure.

A host name is what a device says of itself: control characters and what else cannot be shown is taken out, a label has
at most 63 characters and a name 253 (RFC 1035). What is no name, no address or no MAC is None.
"""

import ipaddress
import math
import re
from dataclasses import dataclass
from typing import Final

Address = tuple[int, int]
"""The high and the low half of 128 bits; IPv4 as IPv4-mapped IPv6."""

NEVER: Final = math.inf
"""When a lease without an end expires."""
ENDED: Final = 0.0
"""When one that was given back, or expired, did so. Later entries of a file may say so of earlier ones."""

_LABEL: Final = 63
_NAME: Final = 253
MAPPED: Final = 0xFFFF_0000_0000
_HALF: Final = (1 << 64) - 1
_MAC: Final = re.compile(r"[0-9a-fA-F]{1,2}(?:[:-][0-9a-fA-F]{1,2}){5}")
_NO_MAC: Final = "00:00:00:00:00:00"


@dataclass(frozen=True, slots=True)
class Lease:
    """Who has an address until when, in Unix seconds."""

    address: Address
    mac: str | None
    name: str | None
    expires_s: float


def address_in(text: str) -> Address | None:
    """The halves of an address."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    number = int(address) | (MAPPED if address.version == 4 else 0)
    return number >> 64, number & _HALF


def mac_in(text: str) -> str | None:
    """A MAC as six lower-case pairs with colons, from any of the ways to write it: `0:1e:...`, `00-1E-...`."""
    if not _MAC.fullmatch(text):
        return None
    mac = ":".join(octet.zfill(2) for octet in text.lower().replace("-", ":").split(":"))
    return None if mac == _NO_MAC else mac


def mac_of(octets: bytes) -> str | None:
    """A MAC from its six octets."""
    return octets.hex(":") if len(octets) == 6 and any(octets) else None


def name_in(text: str) -> str | None:
    """A host name that can be shown."""
    return ".".join(label[:_LABEL] for label in shown(text, 4 * _NAME).split("."))[:_NAME].strip(". ") or None


def shown(text: str, most: int) -> str:
    """What can be shown of so many characters."""
    return "".join(filter(str.isprintable, text[:most])).strip()
