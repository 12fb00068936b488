"""Netlink datagrams of one message each: answers to single questions, and events of flows that begin and end.

    Questioner    many requests in one send ─▶ one recvmmsg ─▶ an answer or an error for each
    Subscription  recvmmsg of all events that are there, never waiting

Each datagram stays in its slot of the buffer; a `Split` says where the messages are. A datagram that has another length
than its message raises MalformedMessage. ENOBUFS says that events were lost, nothing else: the subscription goes on,
and the kernel's own count of what it dropped for a socket (SO_MEMINFO) says how many.
"""

import contextlib
import errno
import os
import random
import socket
import struct
from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from flowtopd.netlink import uapi
from flowtopd.netlink.nlmsg import NLMSGHDR, Indices, MalformedMessage, NetlinkError, Split
from flowtopd.netlink.nlsocket import open_netfilter, open_sock_diag, raise_code
from flowtopd.netlink.recvmmsg import Slots

SLOT: Final = 2048
"""Bytes of the longest message. A flow with every attribute that there is has under 700."""

QUESTIONS: Final = 64
"""Questions of one turn."""

EVENTS: Final = 256
"""Events of one read."""

EVENT_BUFFER: Final = 8 * 1024 * 1024
"""Bytes that the kernel may keep for us, doubled by it: 13 000 events of 1 280 bytes, all their overhead counted. At
20 000 flows a second, each of which begins and ends, that is a third of a second; nothing is used while it is empty."""

_MEMINFO: Final = struct.Struct("=9I")
_MEMINFO_DROPS: Final = 8  # SK_MEMINFO_DROPS of linux/sock_diag.h

_NEW_FLOW: Final = uapi.NFNL_SUBSYS_CTNETLINK << 8 | uapi.IPCTNL_MSG_CT_NEW
_ENDED_FLOW: Final = uapi.NFNL_SUBSYS_CTNETLINK << 8 | uapi.IPCTNL_MSG_CT_DELETE


def open_new_flows() -> socket.socket:
    """Open a socket, not blocking, that gets the events of new flows in the network namespace of this thread."""
    return _open_events(uapi.NFNLGRP_CONNTRACK_NEW)


def open_all_flows() -> socket.socket:
    """Open one that gets those of flows that end too: what they had moved by then."""
    return _open_events(uapi.NFNLGRP_CONNTRACK_NEW, uapi.NFNLGRP_CONNTRACK_DESTROY)


def _open_events(*groups: int) -> socket.socket:
    opened = open_netfilter()
    try:
        opened.setblocking(False)
        with contextlib.suppress(PermissionError):  # without CAP_NET_ADMIN the default of the host has to do
            opened.setsockopt(socket.SOL_SOCKET, uapi.SO_RCVBUFFORCE, EVENT_BUFFER)
        for group in groups:
            opened.setsockopt(uapi.SOL_NETLINK, uapi.NETLINK_ADD_MEMBERSHIP, group)
    except OSError:
        opened.close()
        raise
    return opened


class Questioner:
    """Asks for single things. The socket is opened at the first question, so that making this object never fails."""

    def __init__(self, open_socket: Callable[[], socket.socket] = open_sock_diag) -> None:
        self._open_socket = open_socket
        self._socket: socket.socket | None = None
        self._slots = Slots(QUESTIONS, SLOT)
        self._seq = random.randrange(1 << 31)

    def close(self) -> None:
        """Close the socket; the next question opens another."""
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.close()
            self._socket = None

    def ask(self, make_requests: Sequence[Callable[[int], bytes]], message_type: int) -> tuple[memoryview, Split]:
        """Send up to QUESTIONS requests, each made for a sequence number; return where the answers are.

        Answers are of `message_type`; a question that the kernel answers with ENOENT has none. The memory is
        overwritten by the next questions. Raises NetlinkError and MalformedMessage.
        """
        self._seq = (self._seq + QUESTIONS) & 0x7FFF_FFFF
        finished = False
        try:
            sizes = self._exchange([make(self._seq + index) for index, make in enumerate(make_requests)])
            answers = _answers(self._slots.view, sizes, message_type, self._seq)
            finished = True
        except OSError as error:
            raise NetlinkError(error.errno, error.strerror or str(error)) from error
        finally:
            if not finished:
                self.close()
        return self._slots.view, answers

    def _exchange(self, requests: list[bytes]) -> list[int]:
        if self._socket is None:
            self._socket = self._open_socket()
        self._socket.send(b"".join(requests))
        # the kernel has answered all of them when send() returns (netlink_rcv_skb in net/netlink/af_netlink.c)
        count = self._slots.receive(self._socket.fileno(), len(requests))
        if count < len(requests):
            raise OSError(errno.ENOBUFS, os.strerror(errno.ENOBUFS))
        return self._slots.sizes(count)


class Subscription:
    """Gets the events of flows, from its making to `close`. Making it raises OSError where there are none."""

    def __init__(self, open_socket: Callable[[], socket.socket] = open_new_flows) -> None:
        self._socket = open_socket()
        self._slots = Slots(EVENTS, SLOT)
        self._drops = 0
        self.lost = 0
        """How many events the kernel had to drop, known after every `receive`."""

    def close(self) -> None:
        """Unsubscribe."""
        with contextlib.suppress(OSError):  # the descriptor may have been lost
            self._socket.close()

    def mute(self) -> None:
        """Have the kernel make no more events for us; those that are there can still be read."""
        for group in (uapi.NFNLGRP_CONNTRACK_NEW, uapi.NFNLGRP_CONNTRACK_DESTROY):
            with contextlib.suppress(OSError):
                self._socket.setsockopt(uapi.SOL_NETLINK, uapi.NETLINK_DROP_MEMBERSHIP, group)

    def fileno(self) -> int:
        """The descriptor to wait on."""
        return self._socket.fileno()

    def receive(self) -> tuple[memoryview, Split, Split]:
        """Read the events that are there, at most EVENTS; return where those of new and of ended flows are.

        The next call overwrites them. Raises MalformedMessage, and OSError where the socket is of no use any more.
        """
        said = False
        try:
            count = self._slots.receive(self._socket.fileno(), EVENTS)
        except OSError as error:
            if error.errno not in {errno.ENOBUFS, errno.EAGAIN}:
                raise
            count = 0
            said = error.errno == errno.ENOBUFS
        # from ENOBUFS on the kernel drops events, and says nothing more, until all that is there was read
        self._count_lost(said=said)
        return self._slots.view, *_events(self._slots.view, self._slots.lengths(count))

    def _count_lost(self, *, said: bool) -> None:
        """Bring `lost` up to date. `said`: the kernel says that events were lost."""
        drops = self._drops
        with contextlib.suppress(OSError, struct.error):  # a kernel before 4.12
            counts = self._socket.getsockopt(socket.SOL_SOCKET, uapi.SO_MEMINFO, _MEMINFO.size)
            drops = _MEMINFO.unpack(counts)[_MEMINFO_DROPS]
        # one that could not even be made, for want of memory, is in no count of the kernel's (nfnetlink_set_err)
        self.lost += (drops - self._drops) & 0xFFFF_FFFF or said
        self._drops = drops


def _answers(view: memoryview, sizes: list[int], message_type: int, first_seq: int) -> Split:
    """Find the datagrams that answer the questions with these sequence numbers. Raises OSError, MalformedMessage."""
    found = []
    for index, size in enumerate(sizes):
        at = index * SLOT
        kind, seq = _header(view, at, size)
        if not first_seq <= seq < first_seq + len(sizes) or kind not in {message_type, uapi.NLMSG_ERROR}:
            raise MalformedMessage(at, f"unexpected message {kind}, sequence {seq}")
        if kind == uapi.NLMSG_ERROR:
            with contextlib.suppress(FileNotFoundError):  # ENOENT
                raise_code(view, at + NLMSGHDR.size)
        else:
            found.append((at, size))
    return _split(found)


def _events(view: memoryview, sizes: Indices) -> tuple[Split, Split]:
    """Find the datagrams that are events of new and of ended flows: all, as long as the kernel sends nothing else."""
    heads: NDArray[np.uint32] = np.ndarray((len(sizes), 2), np.uint32, view, 0, (SLOT, 4))
    lying = (sizes < NLMSGHDR.size) | (sizes > SLOT) | (heads[:, 0] != sizes)
    if lying.any():
        first = int(lying.argmax())
        _header(view, first * SLOT, int(sizes[first]))  # which says why
    kinds: NDArray[np.uint16] = np.ndarray((len(sizes),), np.uint16, view, 4, (SLOT,))  # nlmsg_type
    new, ended = ((kinds == kind).nonzero()[0] for kind in (_NEW_FLOW, _ENDED_FLOW))
    return Split(new * SLOT, sizes[new], interrupted=False), Split(ended * SLOT, sizes[ended], interrupted=False)


def _header(view: memoryview, at: int, size: int) -> tuple[int, int]:
    """Return type and sequence number of the one message of a datagram. Raises MalformedMessage."""
    if not NLMSGHDR.size <= size <= SLOT:
        raise MalformedMessage(at, f"a datagram of {size} bytes")
    length, kind, _flags, seq, _pid = NLMSGHDR.unpack_from(view, at)
    if length != size:
        raise MalformedMessage(at, f"message length {length} in a datagram of {size} bytes")
    return kind, seq


def _split(found: list[tuple[int, int]]) -> Split:
    places = np.array(found, np.intp).reshape(len(found), 2)
    return Split(places[:, 0], places[:, 1], interrupted=False)
