"""A dump of many sockets against the raw kernel dump of the same, which is read into one buffer and thrown away.

Both in one thread: what the decoder costs is not hidden behind the kernel's work. The two alternate and the ratio is
the median of the pairs.
"""

import socket
import struct
import time
from dataclasses import dataclass
from functools import partial
from typing import Final

from bench.report import median
from flowtopd.netlink import sock_diag
from flowtopd.netlink.nlsocket import NetlinkSocket, open_sock_diag
from flowtopd.netlink.sock_diag import LIVE, Columns
from testbed.connections import connections
from testbed.netns import Namespace

TCP: Final = 6
LIMIT: Final = 2.0
CONNECTIONS: Final = 9_900
"""Their two ends are one process, which may have 20 000 descriptors on most machines."""

_HEADER: Final = struct.Struct("=IHHII")
_NLMSG_DONE: Final = 3
_BUFFER: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class Dumps:
    """Medians in seconds, and the median of the ratios of the pairs."""

    sockets: int
    floor_s: float
    ours_s: float
    ratio: float


def measure(namespace: Namespace, connected: int = CONNECTIONS, pairs: int = 15) -> Dumps:
    """Measure with two sockets a connection, and the one that listens."""
    floors, ours, sockets = [], [], 0
    with (
        connections(namespace, connected),
        namespace.entered(),
        open_sock_diag() as raw,
        NetlinkSocket(open_sock_diag) as netlink,
    ):
        for _ in range(pairs):
            began_s = time.perf_counter()
            _floor(raw)
            between_s = time.perf_counter()
            sockets = len(_dump(netlink)["inode"])
            floors.append(between_s - began_s)
            ours.append(time.perf_counter() - between_s)
    ratio = median(mine / floor for mine, floor in zip(ours, floors, strict=True))
    return Dumps(sockets, median(floors), median(ours), ratio)


def _dump(netlink: NetlinkSocket) -> Columns:
    blocks = netlink.dump(partial(sock_diag.dump_request, socket.AF_INET, TCP, LIVE))
    return sock_diag.joined(sock_diag.decode_dump(block.data, block.seq, TCP) for block in blocks)


def _floor(raw: socket.socket) -> None:
    raw.send(sock_diag.dump_request(socket.AF_INET, TCP, LIVE, 1))
    buffer = bytearray(_BUFFER)
    while True:
        size = raw.recv_into(buffer)
        kinds = {_HEADER.unpack_from(buffer, at)[1] for at in (0, size - 20)}
        if _NLMSG_DONE in kinds:
            return
