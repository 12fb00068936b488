"""Addresses as tests write them."""

import ipaddress

from flowtopd.enrich.rdns.hostname import Address


def at(text: str) -> Address:
    """The halves of an address; IPv4 as mapped."""
    address = ipaddress.ip_address(text)
    number = int(address) if address.version == 6 else 0xFFFF << 32 | int(address)
    return number >> 64, number & (1 << 64) - 1


def numbered(number: int) -> Address:
    """One of many addresses."""
    return at(f"10.0.{number >> 8}.{number & 0xFF}")
