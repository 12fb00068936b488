"""Single packets of protocols that need no more than one: echo requests, GRE, SCTP. Sent by this process."""

import itertools
import os
import socket
import struct
import time
from typing import Final

from testbed.netns import Namespace

_idents: Final = itertools.count(os.getpid())


def ping(namespace: Namespace, address: str, *, ident: int | None = None, timeout: float = 3.0) -> int:
    """Send an echo request and wait for the answer; the identifier it had. Asks again every 50 ms."""
    v6 = ":" in address
    request, answer = (128, 129) if v6 else (8, 0)
    chosen = next(_idents) & 0xFFFF if ident is None else ident
    family, proto = (socket.AF_INET6, socket.IPPROTO_ICMPV6) if v6 else (socket.AF_INET, socket.IPPROTO_ICMP)
    deadline = time.monotonic() + timeout
    with namespace.socket(family, socket.SOCK_RAW, proto) as sock:
        sock.settimeout(0.05)
        for sequence in itertools.count():
            packet = struct.pack(">BBHHH", request, 0, 0, chosen, sequence & 0xFFFF) + b"flowtop!"
            if not v6:  # the kernel fills in the checksum of ICMPv6 only
                packet = packet[:2] + struct.pack(">H", _checksum(packet)) + packet[4:]
            sock.sendto(packet, (address, 0))
            if _answered(sock, 0 if v6 else 20, answer, chosen):
                return chosen
            if time.monotonic() > deadline:
                raise TimeoutError(f"{address} does not answer in {namespace.name}")
    raise AssertionError


def _answered(sock: socket.socket, skip: int, answer: int, ident: int) -> bool:
    """Whether the answer comes before the socket's timeout."""
    try:
        while True:
            data = sock.recv(2048)
            if len(data) >= skip + 8:
                kind, _, _, found, _ = struct.unpack_from(">BBHHH", data, skip)
                if kind == answer and found == ident:
                    return True
    except TimeoutError:
        return False


def _checksum(data: bytes) -> int:
    """RFC 1071."""
    total = sum(int.from_bytes(data[at : at + 2], "big") for at in range(0, len(data), 2))
    total = (total >> 16) + (total & 0xFFFF)
    total = (total >> 16) + (total & 0xFFFF)
    return 0xFFFF - total


def gre(namespace: Namespace, address: str, *, call_id: int = 0) -> None:
    """Send a GRE packet: plain version 0, or with a `call_id` the version 1 of PPTP, whose key conntrack keeps."""
    if call_id:
        packet = struct.pack(">HHHHI", 0x3001, 0x880B, 4, call_id, 1) + b"\0\0\0\0"  # RFC 2637 4.1
    else:
        packet = struct.pack(">HH", 0, 0x0800) + b"\x45" + bytes(19)
    _send_raw(namespace, address, 47, packet)


def sctp_init(namespace: Namespace, address: str, sport: int, dport: int) -> None:
    """Send the first packet of an SCTP association (RFC 9260 3.3.2)."""
    chunk = struct.pack(">BBHIIHHI", 1, 0, 20, 0x1234_5678, 65_536, 1, 1, 1)
    header = struct.pack(">HHI", sport, dport, 0)
    checksum = struct.pack("<I", crc32c(header + bytes(4) + chunk))
    _send_raw(namespace, address, 132, header + checksum + chunk)


def crc32c(data: bytes) -> int:
    """The checksum of SCTP (RFC 9260 appendix A), bit by bit: packets here are few and short."""
    crc = 0xFFFF_FFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F6_3B78 if crc & 1 else 0)
    return crc ^ 0xFFFF_FFFF


def _send_raw(namespace: Namespace, address: str, proto: int, packet: bytes) -> None:
    with namespace.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_RAW, proto) as sock:
        sock.sendto(packet, (address, 0))
