"""What the kernel says of the local network: four small dumps, read at every look.

A dump that changed while it was read is read again, and the third time taken as it is: what it lacks comes with the
next look. Of each kind no more than so many messages are read. A router with the whole Internet in its table has the
default routes first in it (the kernel walks prefixes in order), and its connected networks are known by its addresses.
"""

import contextlib
import socket
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final, TypeVar

from flowtopd.netlink import uapi
from flowtopd.netlink.nlsocket import NetlinkSocket, open_route
from flowtopd.netlink.rtnetlink import (
    ADDRESSES,
    LINKS,
    NEIGHBOURS,
    ROUTES,
    Kind,
    Link,
    Neighbour,
    OwnAddress,
    Route,
    decode_dump,
    dump_request,
)

MOST: Final = 16_384
"""Messages of one kind and family: 80 ms of decoding."""

_ATTEMPTS: Final = 3
_USABLE: Final = uapi.NUD_REACHABLE | uapi.NUD_STALE | uapi.NUD_DELAY | uapi.NUD_PROBE | uapi.NUD_PERMANENT

Record = TypeVar("Record")


@dataclass(frozen=True, slots=True)
class Wiring:
    """Interfaces, their addresses, and the unicast routes of the main table."""

    links: tuple[Link, ...] = ()
    addresses: tuple[OwnAddress, ...] = ()
    routes: tuple[Route, ...] = ()


class Kernel:
    """Asks the kernel of one network namespace. For one thread at a time."""

    def __init__(self, open_socket: Callable[[], socket.socket] = open_route) -> None:
        self._netlink = NetlinkSocket(open_socket)

    def close(self) -> None:
        """Close the socket; the next question opens another."""
        self._netlink.close()

    def wiring(self) -> Wiring:
        """Raises NetlinkError and MalformedMessage."""
        routes = [
            route
            for family in (uapi.AF_INET, uapi.AF_INET6)
            for route in self._dump(ROUTES, family)
            # a kernel without IPv6 answers for the families that it has
            if (route.family, route.table, route.kind) == (family, uapi.RT_TABLE_MAIN, uapi.RTN_UNICAST)
        ]
        return Wiring(tuple(self._dump(LINKS)), tuple(self._dump(ADDRESSES)), tuple(routes))

    def neighbours(self) -> list[Neighbour]:
        """Those that have or lately had an address of the link layer. Raises NetlinkError and MalformedMessage."""
        return [one for one in self._dump(NEIGHBOURS) if one.state & _USABLE and one.mac]

    def _dump(self, kind: Kind[Record], family: int = 0) -> list[Record]:
        records: list[Record] = []
        for _attempt in range(_ATTEMPTS):
            records, interrupted = [], False
            # closed half-way the generator closes the socket, and with it the rest of the dump
            with contextlib.closing(self._netlink.dump(partial(dump_request, kind, family))) as blocks:
                for block in blocks:
                    part = decode_dump(kind, block.data, block.seq, MOST - len(records))
                    records += part.records
                    interrupted |= part.interrupted
                    if len(records) >= MOST:
                        break
            if not interrupted:
                break
        return records
