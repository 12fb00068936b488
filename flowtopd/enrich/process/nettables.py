"""The socket tables of a network namespace: /proc/PID/net to the columns of `sock_diag`. Pure.

    sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
     0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 31337 1 …

An address is printed as one 32-bit word, or four, each as the processor reads it: on a little-endian one the octets of
a word come in reverse. Ports are numbers. All tables have these fields; `icmp` has the echo id in place of a port.

What the tables do not tell: `ifindex` and `cgroup` are 0. `v6only` is set where an IPv4 socket has the same port on all
addresses: beside it an IPv6 socket gets no IPv4, whether it was bound so or not.
"""

import socket
from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from flowtopd.netlink.sock_diag import Columns, joined

TABLES: Final[dict[str, tuple[int, int]]] = {
    "tcp": (socket.AF_INET, socket.IPPROTO_TCP),
    "tcp6": (socket.AF_INET6, socket.IPPROTO_TCP),
    "udp": (socket.AF_INET, socket.IPPROTO_UDP),
    "udp6": (socket.AF_INET6, socket.IPPROTO_UDP),
    "udplite": (socket.AF_INET, socket.IPPROTO_UDPLITE),
    "udplite6": (socket.AF_INET6, socket.IPPROTO_UDPLITE),
    "icmp": (socket.AF_INET, socket.IPPROTO_ICMP),
    "icmp6": (socket.AF_INET6, socket.IPPROTO_ICMPV6),
}
"""Names of the files; address family and protocol of what is in them."""

_MAPPED: Final = np.uint64(0xFFFF_0000_0000)
_LOCAL, _REMOTE, _STATE, _UID, _INODE, _FIELDS = 1, 2, 3, 7, 9, 10


def parse(tables: Mapping[str, bytes]) -> Columns:
    """Put the tables into columns, one below the other. A line that is too short is skipped."""
    return _without_ipv4(joined(_parse_table(text, *TABLES[name]) for name, text in tables.items()))


def _parse_table(text: bytes, family: int, protocol: int) -> Columns:
    # a loop a socket, 2 µs each; numbers are read in bulk
    width = 13 if family == socket.AF_INET else 37
    rows = [row for line in text.splitlines()[1:] if _whole(row := line.split(None, _FIELDS), width)]
    size = len(rows)
    local, local_port = _endpoints([row[_LOCAL] for row in rows], family)
    remote, remote_port = _endpoints([row[_REMOTE] for row in rows], family)
    return {
        "family": np.full(size, family, "u1"),
        "protocol": np.full(size, protocol, "u1"),
        "state": np.frombuffer(bytes.fromhex(b"".join(row[_STATE] for row in rows).decode()), "u1"),
        "local": local,
        "remote": remote,
        "local_port": local_port,
        "remote_port": remote_port,
        "ifindex": np.zeros(size, "u4"),
        "uid": np.array([int(row[_UID]) for row in rows], "u4"),
        "inode": np.array([int(row[_INODE]) for row in rows], "u4"),
        "cgroup": np.zeros(size, "u8"),
        "v6only": np.zeros(size, "u1"),
    }


def _whole(row: list[bytes], width: int) -> bool:
    return len(row) > _INODE and len(row[_LOCAL]) == len(row[_REMOTE]) == width and row[_INODE].isdigit()


def _endpoints(texts: list[bytes], family: int) -> tuple[NDArray[np.uint64], NDArray[np.uint16]]:
    """Addresses, shape (n, 2), and ports of `WORDS:PORT` texts."""
    octets = np.frombuffer(bytes.fromhex(b"".join(texts).replace(b":", b"").decode()), np.uint8)
    rows = octets.reshape(len(texts), -1 if texts else 1)
    if not texts:
        return np.zeros((0, 2), np.uint64), np.zeros(0, np.uint16)
    ports = np.ascontiguousarray(rows[:, -2:]).view(">u2").reshape(-1).astype(np.uint16)
    # the words as numbers, laid out as this processor does: those bytes are in network order
    words = np.ascontiguousarray(rows[:, :-2]).view(">u4").astype("=u4")
    if family == socket.AF_INET:
        addresses = np.zeros((len(texts), 2), np.uint64)
        addresses[:, 1] = words.view(">u4").reshape(-1).astype(np.uint64) | _MAPPED
        return addresses, ports
    return words.view(">u8").astype(np.uint64), ports


def _without_ipv4(columns: Columns) -> Columns:
    """Set `v6only` where it must be."""
    families, local = columns["family"], columns["local"]
    bound = columns["protocol"].astype(np.uint32) << np.uint32(16) | columns["local_port"]
    unconnected = columns["remote_port"] == 0
    ipv4 = unconnected & (families == socket.AF_INET) & (local[:, 1] == _MAPPED)
    ipv6 = unconnected & (families == socket.AF_INET6) & ~local.any(axis=1)
    columns["v6only"] = (ipv6 & np.isin(bound, bound[ipv4])).astype(np.uint8)
    return columns
