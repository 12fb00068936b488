"""Closing the sockets of others: which sockets of a dump are meant, and the request for each. Bytes only, no I/O.

    dump of sockets ─▶ those with these very ends ─▶ struct inet_diag_sockid, as the kernel wrote it ─▶ SOCK_DESTROY

A request that names a tuple alone would also find who listens on the port (inet_diag_find_one_icsk in
net/ipv4/inet_diag.c). The id of a dump has the cookie of the socket beside its tuple, and the device that it is bound
to: it means this one socket, and no other that has come since. Needs CONFIG_INET_DIAG_DESTROY and CAP_NET_ADMIN.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from flowtopd.netlink import uapi
from flowtopd.netlink.nlmsg import NLMSGHDR, request, split
from flowtopd.netlink.sock_diag import REQUEST, Columns, decode

_ID_AT: Final = NLMSGHDR.size + 4
_ID_SIZE: Final = 48

Address = tuple[int, int]
"""Halves of 128 bits."""


@dataclass(frozen=True, slots=True)
class Ends:
    """The ends of one connection, as a socket sees them."""

    local: Address
    local_port: int
    remote: Address
    remote_port: int


@dataclass(frozen=True, slots=True)
class SocketId:
    """One socket: its family, and struct inet_diag_sockid of linux/inet_diag.h."""

    family: int
    raw: bytes


def connected(block: Any, seq: int, protocol: int, wanted: Collection[Ends]) -> list[SocketId]:
    """Find the sockets with these ends in a block of a dump. Raises MalformedMessage."""
    words = np.frombuffer(block, np.uint32)
    if not words.size:
        return []
    found = split(words, uapi.SOCK_DIAG_BY_FAMILY, uapi.NLM_F_MULTI, seq)
    sockets = decode(block, found, protocol)
    is_wanted = np.zeros(len(found.offsets), np.bool_)
    for ends in wanted:
        is_wanted |= _have(sockets, ends)
    return [
        SocketId(family, bytes(block[offset + _ID_AT : offset + _ID_AT + _ID_SIZE]))
        for family, offset in zip(sockets["family"][is_wanted].tolist(), found.offsets[is_wanted].tolist(), strict=True)
    ]


def _have(sockets: Columns, ends: Ends) -> NDArray[np.bool_]:
    same: NDArray[np.bool_] = sockets["local_port"] == ends.local_port
    same &= sockets["remote_port"] == ends.remote_port
    for name, address in (("local", ends.local), ("remote", ends.remote)):
        same &= (sockets[name] == np.array(address, np.uint64)).all(axis=1)
    return same


def destroy_request(socket: SocketId, protocol: int, seq: int) -> bytes:
    """Build the request that closes this socket."""
    payload = REQUEST.pack(socket.family, protocol, 0, 0) + socket.raw
    return request(uapi.SOCK_DESTROY, uapi.NLM_F_REQUEST | uapi.NLM_F_ACK, seq, payload)
