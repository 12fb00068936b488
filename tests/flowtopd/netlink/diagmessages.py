"""sock_diag messages as the kernel writes them, and what a slow and obvious reader makes of them."""

import ipaddress
import struct
from dataclasses import dataclass
from typing import Any

SEQ = 0x5BD1E995
MULTI = 2
AF_INET = 2
AF_INET6 = 10

Row = tuple[int, int, int, str, int, str, int, int, int, int, int, int]
"""Protocol, family, state, local address and port, remote address and port, ifindex, uid, inode, cgroup, v6only."""


def attr(kind: int, payload: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(payload), kind) + payload + bytes(-len(payload) % 4)


def cgroup(number: int) -> bytes:
    return attr(21, struct.pack("=Q", number))


def v6only(value: int) -> bytes:
    return attr(11, bytes((value,)))


@dataclass(frozen=True, slots=True)
class Sock:
    local: str = "10.0.0.1"
    local_port: int = 40000
    remote: str = "1.1.1.1"
    remote_port: int = 443
    state: int = 1
    inode: int = 4711
    uid: int = 1000
    ifindex: int = 0
    attributes: tuple[bytes, ...] = (attr(8, b"\0"), attr(15, bytes(4)), cgroup(77), attr(22, b"\x52\0"))

    @property
    def family(self) -> int:
        return AF_INET6 if ":" in self.local else AF_INET

    def message(self, seq: int = SEQ, flags: int = MULTI) -> bytes:
        packed = [ipaddress.ip_address(end).packed.ljust(16, b"\0") for end in (self.local, self.remote)]
        body = struct.pack("=BBBB", self.family, self.state, 0, 0)
        body += struct.pack(">HH", self.local_port, self.remote_port) + b"".join(packed)
        body += struct.pack("=IIIIIIII", self.ifindex, 1, 2, 0, 0, 0, self.uid, self.inode)
        body += b"".join(self.attributes)
        return struct.pack("=IHHII", 16 + len(body), 20, flags, seq, 0) + body

    def row(self, protocol: int = 6) -> Row:
        """What a decoder has to make of it."""
        values = {11: 0, 21: 0}
        for one in self.attributes:
            length, kind = struct.unpack_from("=HH", one)
            values[kind] = int.from_bytes(one[4:length], "little")
        ends = (unmapped(self.local), self.local_port, unmapped(self.remote), self.remote_port)
        return (protocol, self.family, self.state, *ends, self.ifindex, self.uid, self.inode, values[21], values[11])


def unmapped(address: str) -> str:
    parsed = ipaddress.ip_address(address)
    return str(getattr(parsed, "ipv4_mapped", None) or parsed)


def text(halves: Any) -> str:
    high, low = halves
    return unmapped(str(ipaddress.IPv6Address(high << 64 | low)))


def rows(columns: dict[str, Any]) -> list[Row]:
    """A table of sockets, a tuple a row, in its order. Mapped addresses are written as IPv4."""
    named = {name: column.tolist() for name, column in columns.items()}
    return [
        (
            *(named[name][at] for name in ("protocol", "family", "state")),
            *(text(named["local"][at]), named["local_port"][at], text(named["remote"][at]), named["remote_port"][at]),
            *(named[name][at] for name in ("ifindex", "uid", "inode", "cgroup", "v6only")),
        )
        for at in range(len(named["inode"]))
    ]
