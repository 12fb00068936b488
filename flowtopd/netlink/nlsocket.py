"""The netlink socket: requests out, dumps in, through two buffers that are used in turn.

The kernel answers a dump with reads of at most 32 KiB (netlink_dump in net/netlink/af_netlink.c). One recvmmsg(2) takes
up to SLOTS of them, without the interpreter's lock from the first to the last, so that another thread can decode a
block while the kernel writes the next one. The reads are then moved together, because a message begins where the one
before it ends. A block stays valid while the next one is read; the one after that overwrites it.

The kernel ends a dump with NLMSG_DONE as the last message of a read, and answers a refused one with NLMSG_ERROR as
the first. ENOBUFS, a short or cut read, and silence raise; the socket is then closed and made anew at the next dump,
because the rest of the old answer may still be in it.
"""

import contextlib
import os
import random
import socket
import struct
from collections.abc import Callable, Generator
from types import TracebackType
from typing import Final, NamedTuple, Self

from flowtopd.netlink.nlmsg import NLMSGHDR, MalformedMessage, NetlinkError
from flowtopd.netlink.recvmmsg import Slots
from flowtopd.netlink.uapi import NETLINK_NETFILTER, NETLINK_ROUTE, NETLINK_SOCK_DIAG, NLMSG_DONE, NLMSG_ERROR

SLOT: Final = 32 * 1024
"""Bytes of the longest read."""

SLOTS: Final = 64
"""Reads of one block. Measured at 100 000 flows and 2 MiB of L2 cache a core: blocks of 512 KiB cost 1.7 times as much
to decode as these 2 MiB (calls into numpy), 4 MiB cost 1.3 times as much (cache misses)."""

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
    return _open(NETLINK_NETFILTER)


def open_sock_diag() -> socket.socket:
    """Open a socket for sock_diag in the network namespace of this thread."""
    return _open(NETLINK_SOCK_DIAG)


def open_route() -> socket.socket:
    """Open a socket for rtnetlink in the network namespace of this thread."""
    return _open(NETLINK_ROUTE)


def _open(family: int) -> socket.socket:
    opened = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, family)
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
        self._buffers = (Slots(SLOTS, SLOT), Slots(SLOTS, SLOT))
        self._expected_reads = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the socket; the next dump opens another."""
        if self._socket is not None:
            with contextlib.suppress(OSError):  # the descriptor may have been lost
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
            reads, done = 0, False
            while not done:
                count = buffer.receive(self._socket.fileno(), self._share(reads))
                used, done = _pack(buffer, count, seq)
                reads += count
                yield Block(buffer.view[:used], seq, done)
                buffer, other = other, buffer
            self._expected_reads = reads
            finished = True
        except OSError as error:
            raise NetlinkError(error.errno, error.strerror or str(error)) from error
        finally:
            if not finished:
                self.close()

    def _share(self, reads: int) -> int:
        """How many reads the next block may take after so many: towards the end of a long dump, never all that is left.

        What comes last is decoded when the kernel has nothing more to do, so let it be little. A short dump comes in
        one block: to decode it costs less than to wake a thread.
        """
        left = self._expected_reads - reads
        return SLOTS if self._expected_reads <= SLOTS else min(SLOTS, max(1, left * 3 // 4))


def _pack(buffer: Slots, count: int, seq: int) -> tuple[int, bool]:
    """Move the reads of a block together; return the bytes used, without NLMSG_DONE, and whether that came."""
    view = buffer.view
    used = 0
    for index, size in enumerate(buffer.sizes(count)):
        start = index * SLOT
        if size > SLOT:
            raise MalformedMessage(used, f"a read of {size} bytes was cut to {SLOT}")
        if size < _DONE_SIZE or size % 4:
            raise MalformedMessage(used, f"a read of {size} bytes")
        _length, kind, _flags, first_seq, _pid = NLMSGHDR.unpack_from(view, start)
        if kind == NLMSG_ERROR and first_seq == seq:
            raise_code(view, start + NLMSGHDR.size)
        length, kind, _flags, last_seq, _pid = NLMSGHDR.unpack_from(view, start + size - _DONE_SIZE)
        done = (length, kind, last_seq) == (_DONE_SIZE, NLMSG_DONE, seq)
        if done:
            raise_code(view, start + size - _CODE.size)
            size -= _DONE_SIZE  # noqa: PLW2901
        if used != start:
            view[used : used + size] = view[start : start + size]
        used += size
        if done:
            return used, True
    return used, False


def raise_code(view: memoryview, at: int) -> None:
    """Raise the error whose negative number stands there; 0 is none."""
    (code,) = _CODE.unpack_from(view, at)
    if code < 0:
        raise OSError(-code, os.strerror(-code))
