"""The netlink socket: requests out, dumps in, through two buffers that are used in turn.

A dump is read in blocks of up to BLOCK bytes: the kernel answers each recv with at most 32 KiB (netlink_dump in
net/netlink/af_netlink.c), and whole messages are packed one after the other until the block is full. A block
stays valid while the next one is read, so that it can be decoded meanwhile; the one after that overwrites it. The
kernel ends a dump with NLMSG_DONE as the last message of a read, and answers a refused one with NLMSG_ERROR as the
first.

EINTR is retried by Python (PEP 475). ENOBUFS, a short or cut read, and silence raise; the socket is then closed
and made anew at the next dump, because the rest of the old answer may still be in it.
"""

import os
import random
import socket
import struct
from collections.abc import Callable, Generator
from types import TracebackType
from typing import Final, NamedTuple, Self

from flowtopd.netlink.nlmsg import NLMSGHDR, MalformedMessage, NetlinkError
from flowtopd.netlink.uapi import NETLINK_NETFILTER, NLMSG_DONE, NLMSG_ERROR

BLOCK: Final = 2 * 1024 * 1024
"""Bytes of one block. Measured at 100 000 flows and 2 MiB of L2 cache a core: blocks of 512 KiB cost 1.7 times as much
to decode (calls into numpy), of 4 MiB 1.3 times (cache misses)."""

MAX_SKB: Final = 64 * 1024
"""Room that must be left for one more read: twice what the kernel fills."""

SILENCE_S: Final = 30
"""A dump never waits for anything; a kernel that says nothing for so long will not."""

_DONE_SIZE: Final = NLMSGHDR.size + 4
_CODE: Final = struct.Struct("=i")
_TIMEVAL: Final = struct.Struct("@ll")


class Block(NamedTuple):
    """Whole messages, as the kernel wrote them, without NLMSG_DONE."""

    data: memoryview
    seq: int
    last: bool
    """Whether the dump ends here."""


def open_netfilter() -> socket.socket:
    """Open a socket for ctnetlink in the network namespace of this thread."""
    opened = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, NETLINK_NETFILTER)
    try:
        opened.bind((0, 0))
        # not settimeout(): that would cost a poll() before every recv()
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, _TIMEVAL.pack(SILENCE_S, 0))
    except OSError:
        opened.close()
        raise
    return opened


class NetlinkSocket:
    """Reads dumps. The socket is opened at the first one, so that making this object never fails."""

    def __init__(self, open_socket: Callable[[], socket.socket] = open_netfilter) -> None:
        self._open_socket = open_socket
        self._socket: socket.socket | None = None
        self._buffers = (memoryview(bytearray(BLOCK)), memoryview(bytearray(BLOCK)))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the socket; the next dump opens another."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def dump(self, make_request: Callable[[int], bytes]) -> Generator[Block, None, None]:
        """Send the request that `make_request` builds for a sequence number; yield the blocks of the answer.

        Raises NetlinkError (what the kernel refused; ENOBUFS: answers were lost; EAGAIN: silence) and
        MalformedMessage.
        """
        seq = random.randrange(1 << 16, 1 << 32)  # a number that payloads are unlikely to hold, see nlmsg.split
        finished = False
        try:
            if self._socket is None:
                self._socket = self._open_socket()
            self._socket.send(make_request(seq))
            buffer, other = self._buffers
            used, done = 0, False
            while not done:
                used, done = self._read(self._socket, buffer, used, seq)
                if done or used + MAX_SKB > len(buffer):
                    yield Block(buffer[:used], seq, done)
                    buffer, other = other, buffer
                    used = 0
            finished = True
        except OSError as error:
            raise NetlinkError(error.errno, error.strerror or str(error)) from error
        finally:
            if not finished:
                self.close()

    def _read(self, opened: socket.socket, buffer: memoryview, used: int, seq: int) -> tuple[int, bool]:
        """Read once behind `used` bytes; return the bytes used now, without NLMSG_DONE, and whether that came."""
        room = buffer[used:]
        size = opened.recv_into(room, 0, socket.MSG_TRUNC)  # MSG_TRUNC: the true size, also of what was cut
        if size > len(room):
            raise MalformedMessage(used, f"a read of {size} bytes was cut to {len(room)}")
        if size < _DONE_SIZE or size % 4:
            raise MalformedMessage(used, f"a read of {size} bytes")
        _length, kind, _flags, first_seq, _pid = NLMSGHDR.unpack_from(room)
        if kind == NLMSG_ERROR and first_seq == seq:
            _raise_code(room, NLMSGHDR.size)
        length, kind, _flags, last_seq, _pid = NLMSGHDR.unpack_from(room, size - _DONE_SIZE)
        if (length, kind, last_seq) == (_DONE_SIZE, NLMSG_DONE, seq):
            _raise_code(room, size - _CODE.size)
            return used + size - _DONE_SIZE, True
        return used + size, False


def _raise_code(room: memoryview, at: int) -> None:
    """Raise the error whose negative number stands there; 0 is none."""
    (code,) = _CODE.unpack_from(room, at)
    if code < 0:
        raise OSError(-code, os.strerror(-code))
