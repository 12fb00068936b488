"""What a flow points at: addresses, processes, services, devices, as frozen records. Made by `enrich`, read by `query`.

    flow  src_at, dst_at, reply_…_at ─▶ row of the address table ─▶ name, place, device
          owner ─▶ Owner        service ─▶ text        attribution, direction, service_by: codes of the enums below

Unknown is None here, and id 0 wherever a flow or an address points at a record.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

from numpy.typing import NDArray

from flowtopd.flows.addresses import empty


class Attribution(IntEnum):
    """How the process of a flow was found, or why it is missing. `name.lower()` with hyphens is its text."""

    PENDING = 0
    """Nobody has looked yet."""
    EXACT = 1
    """A connected socket has this very tuple."""
    LISTENER = 2
    """The one socket that is bound to the local address and port and has no peer (a server, or UDP not connected)."""
    CGROUP = 3
    """A socket has the tuple; of its holder only the cgroup is known: unit or container, no process."""
    FORWARDED = 4
    """Neither end is on this host."""
    EXITED = 5
    """No socket has the tuple any more."""
    KERNEL = 6
    """The kernel itself talks: an answered ping, or a socket that belongs to no process."""
    OTHER_NETNS = 7
    """The end is in another network namespace of this host, where no socket matched."""
    NO_PERMISSION = 8
    """A socket matched, but /proc does not let us see who holds it."""
    AMBIGUOUS = 9
    """Several processes could be it; none is named."""


class Direction(IntEnum):
    """Which way a flow was opened, seen from this host."""

    UNKNOWN = 0
    OUTBOUND = 1
    INBOUND = 2
    FORWARDED = 3
    LOCAL = 4


class ServiceBy(IntEnum):
    """How the service side of a flow was told."""

    NONE = 0
    LISTENING = 1
    """A socket of this host listens on the port."""
    KNOWN = 2
    """Only one of the ports has a name."""
    LOWER = 3
    """Both or neither have a name: the lower one."""


class Where(IntEnum):
    """What an address is to this host."""

    REMOTE = 0
    HOST = 1
    """One of this host's own, loopback included."""
    LAN = 2
    """In a network that is connected to an interface without a default route, or private and not the uplink's own."""
    UPLINK = 3
    """In the connected network of an interface with a default route."""
    GROUP = 4
    """Multicast or broadcast."""


@dataclass(frozen=True, slots=True)
class Parent:
    """The process that another one is the child of. `uid`: whose it is, None where that is not known."""

    pid: int
    process: str | None
    uid: int | None = None


@dataclass(frozen=True, slots=True)
class Owner:
    """A process, or what is known of it. `started_s`: Unix seconds. `uid`, `user`: of the socket's owner."""

    pid: int | None = None
    started_s: float | None = None
    process: str | None = None
    command: str | None = None
    uid: int | None = None
    user: str | None = None
    unit: str | None = None
    container: str | None = None
    cgroup: str | None = None
    parent: Parent | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """Where an address is, and whose network it is in. `country`: ISO 3166-1 alpha-2."""

    country: str | None = None
    city: str | None = None
    asn: int | None = None
    org: str | None = None


@dataclass(frozen=True, slots=True)
class Device:
    """A machine of the local network; `mac` as six lower-case pairs with colons."""

    name: str | None = None
    mac: str | None = None
    vendor: str | None = None


@dataclass(frozen=True, slots=True)
class Attached:
    """What rules have attached to a flow: a helper, and labels by their names or numbers."""

    helper: str | None
    labels: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Dimensions:
    """The tables of one snapshot. `addresses`: the columns of `flows.addresses`, read-only; the others by id.

    Id 0 is the unknown. The sequences may grow after this was made; nothing in them ever changes, and no id of this
    snapshot is beyond what they held.
    """

    addresses: dict[str, NDArray[Any]] = field(default_factory=empty)
    names: Sequence[str | None] = (None,)
    places: Sequence[Place] = (Place(),)
    devices: Sequence[Device] = (Device(),)
    owners: Sequence[Owner] = (Owner(),)
    services: Sequence[str | None] = (None,)
