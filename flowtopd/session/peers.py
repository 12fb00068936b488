"""Who is at the other end of a connection, and what they may: as the kernel says, never as they say.

    standing    who                                            sees                    may
    ROOT        root, and the daemon's own user                everything              everything
    MEMBER      in the group of the socket, or the admin group everything              update, act: each by its group
    OUTSIDER    everybody else                                 own flows, or nothing   nothing

Rules: credentials are those at the time of the connection. Whoever the mode of the socket lets through is looked at
again: it may have been made by somebody else.
"""

import contextlib
import ctypes
import errno
import grp
import os
import socket
import struct
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from enum import Enum
from typing import Final

from flowtopd.wire.messages import Right

SO_PEERGROUPS: Final = 59  # asm-generic/socket.h; Linux 4.13
_UCRED: Final = struct.Struct("=iII")  # linux/socket.h: pid, uid, gid
_USUAL_BYTES: Final = 1024  # as much as Python asks for: 256 groups
_MOST_BYTES: Final = 65_536 * 4  # NGROUPS_MAX of linux/limits.h

GROUPS_S: Final = 10.0
"""How long the number of a group is remembered: looking it up may read files, or ask the network."""

_libc: Final = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True, slots=True)
class Peer:
    """Who is at the other end of a connection, as they were when they connected."""

    pid: int
    uid: int
    groups: frozenset[int]

    def __str__(self) -> str:
        """For the log."""
        return f"uid {self.uid}, pid {self.pid}"


def peer(connected: socket.socket) -> Peer:
    """Ask the kernel who is at the other end of a Unix socket. Raises OSError."""
    pid, uid, gid = _UCRED.unpack(connected.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size))
    groups = {gid}
    with contextlib.suppress(OSError):  # ENOPROTOOPT of an older kernel
        groups.update(number for (number,) in struct.iter_unpack("=I", _groups(connected)))
    return Peer(pid, uid, frozenset(groups))


def _groups(connected: socket.socket) -> bytes:
    try:
        return connected.getsockopt(socket.SOL_SOCKET, SO_PEERGROUPS, _USUAL_BYTES)
    except OSError as error:
        if error.errno != errno.ERANGE:
            raise
    room, length = ctypes.create_string_buffer(_MOST_BYTES), ctypes.c_uint(_MOST_BYTES)
    if _libc.getsockopt(connected.fileno(), socket.SOL_SOCKET, SO_PEERGROUPS, room, ctypes.byref(length)):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return room.raw[: length.value]


class Standing(Enum):
    """What kind of peer it is."""

    ROOT = "root"
    MEMBER = "member"
    OUTSIDER = "outsider"


class Policy:
    """Which groups may what. Of "" there are no members. With `acting` off nobody may act, not even root."""

    def __init__(
        self, group: str, admin_group: str = "", *, acting: bool = True, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.group = group
        self.admin_group = admin_group
        self._acting = acting
        self._clock = clock
        self._known: dict[str, tuple[float, int | None]] = {}

    def standing(self, who: Peer) -> Standing:
        """Tell what kind of peer this is."""
        if _is_root(who):
            return Standing.ROOT
        return Standing.MEMBER if self._is_in(who, (self.group, self.admin_group)) else Standing.OUTSIDER

    def rights(self, who: Peer) -> tuple[Right, ...]:
        """Tell what this peer may do beyond looking."""
        groups = {Right.UPDATE: self.group} | ({Right.ACT: self.admin_group} if self._acting else {})
        return tuple(right for right, group in groups.items() if _is_root(who) or self._is_in(who, (group,)))

    def _is_in(self, who: Peer, groups: Collection[str]) -> bool:
        return any(self._gid(group) in who.groups for group in groups)

    def _gid(self, group: str) -> int | None:
        """The number of a group, None where there is none; of "" there is none."""
        until_s, gid = self._known.get(group, (0.0, None))
        now_s = self._clock()
        if now_s >= until_s:
            try:
                gid = grp.getgrnam(group).gr_gid if group else None
            except KeyError:
                gid = None
            self._known[group] = now_s + GROUPS_S, gid
        return gid


def _is_root(who: Peer) -> bool:
    return who.uid in {0, os.geteuid()}
