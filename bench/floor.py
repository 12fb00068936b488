"""The kernel floor: what a conntrack dump costs before anybody looks at a byte of it.

One request, then `recv_into` the same small buffer until the kernel is done. No reader of the dump can be
faster; how much slower ours is, is the ratio that the benchmark is about.
"""

import socket
import struct
from types import TracebackType
from typing import Final, Self

from testbed.inject import NETLINK_NETFILTER

_REQUEST: Final = struct.pack("=IHHIIBBH", 20, 1 << 8 | 1, 0x301, 1, 0, 0, 0, 0)  # IPCTNL_MSG_CT_GET, REQUEST|DUMP
_HEADER: Final = struct.Struct("=IHHII")
_DONE_BYTES: Final = 20
_NLMSG_ERROR: Final = 2
_NLMSG_DONE: Final = 3


class Floor:
    """A netlink socket in the network namespace of the calling thread, and a buffer."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER)
        self._buffer = bytearray(64 * 1024)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()

    def dump(self) -> int:
        """Read one whole dump, throw it away; its size in bytes."""
        self._socket.send(_REQUEST)
        total = 0
        while True:
            size = self._socket.recv_into(self._buffer)
            total += size
            # NLMSG_DONE is the last message of the last read (netlink_dump in net/netlink/af_netlink.c)
            length, kind, *_ = _HEADER.unpack_from(self._buffer, size - _DONE_BYTES)
            if kind == _NLMSG_DONE and length == _DONE_BYTES:
                return total
            if size <= 2 * _DONE_BYTES and _HEADER.unpack_from(self._buffer)[1] == _NLMSG_ERROR:
                raise OSError(f"the kernel refuses to dump: {self._buffer[:size].hex()}")
