"""The columns of the flows view: every display column once, in its order.

    on an end host     PROCESS  PID DIR PROTO  STATE        TIME ADDRESS         PORT GEO NETWORK  BYTES  RATE
                       firefox 4711 out tcp    ESTABLISHED  1h4m example.com    https US  EDGECAST 1.23M 45.6k
                       (exited)   - out tcp    TIME_WAIT      2m example.net     ssh? DE  HETZNER  98.1k     0

    on a router        DEVICE          DIR PROTO  STATE        TIME ADDRESS      PORT GEO   BYTES  RATE
                       living-room-tv  fwd tcp    ESTABLISHED  1h4m example.com https US    1.23M 45.6k
                       Apple 4f:1a:22  fwd udp    -              2m 192.0.2.7    4500 DE    98.1k     0

`→` is conntrack's original direction (from the source to ADDRESS), `←` the reply.

Rules: what is not known says so. A service that is only guessed ends with `?`. Without a process, PROCESS says why, in
brackets; a socket of which only the control group is known shows its container or unit there. DIR has words, since the
arrows already mean something else and some locales have none.
"""

from typing import Final

from flowtop_client.columns.cells import HOST, device, network, number_column, shy_column, summed, summed_rate, text
from flowtop_client.columns.column import Align, Column, Cut, Row, Units
from flowtop_client.humanize import UNKNOWN, clean, duration

NO_PROCESS: Final = {
    # in at most 8 characters: the least width of the column
    "forwarded": ("(fwd)", "Forwarded for others"),
    "exited": ("(exited)", "Its socket is gone"),
    "kernel": ("(kernel)", "The kernel itself"),
    "other-netns": ("(netns)", "In another namespace"),
    "no-permission": ("(denied)", "Not to be seen by flowtopd"),
    "ambiguous": ("(shared)", "Several could be it"),
}
"""Why a process is not known, by the wire's `attribution`: as the column says it, and in words."""

GUESSED: Final = "?"
"""Ends the name of a service that is only the lower one of two ports."""

_DIRECTIONS: Final = {"outbound": "out", "inbound": "in", "forwarded": "fwd", "local": "loc"}


def _process(_units: Units, values: Row) -> str:
    process, attribution, container, unit = values
    if attribution == "cgroup":
        process = process or container or unit
    if process:
        return clean(process)
    return NO_PROCESS[attribution][0] if attribution in NO_PROCESS else UNKNOWN


def _direction(_units: Units, values: Row) -> str:
    return _DIRECTIONS.get(values[0], UNKNOWN)


def _port(_units: Units, values: Row) -> str:
    """The number, or the service where it is this side that offers it."""
    port, service, service_port, service_by = values
    if port is None:
        return UNKNOWN
    if not service or port != service_port:
        return str(port)
    return clean(service) + (GUESSED if service_by == "lower" else "")


def _duration(_units: Units, values: Row) -> str:
    return duration(values[0])


_PROCESS: Final = Column(
    "process",
    "PROCESS",
    ("process", "attribution", "container", "unit"),
    "process",
    _process,
    least=8,
    most=15,
    keep=70,
    stand_in="device",
    blank=frozenset({UNKNOWN, *(said for said, _ in NO_PROCESS.values())}),
)
_PID: Final = Column("pid", "PID", ("pid",), "pid", text, 5, 7, 38, Align.RIGHT, Cut.NEVER, stand_in="device")
_DEVICE: Final = Column(
    "device",
    "DEVICE",
    ("device", "device_mac", "device_vendor"),
    "device",
    device,
    least=10,
    most=17,
    keep=65,
    cut=Cut.MIDDLE,
    shy=True,
)
_PROTO: Final = Column("proto", "PROTO", ("proto",), "proto", text, 6, 7, 85)
_STATE: Final = Column("state", "STATE", ("state",), "state", text, 11, 17, 75)
_TIME: Final = Column("time", "TIME", ("duration",), "duration", _duration, 5, 5, 60, Align.RIGHT, Cut.NEVER)
_EXPIRES: Final = Column("expires", "EXPIRES", ("timeout",), "timeout", _duration, 8, 8, 10, Align.RIGHT, Cut.NEVER)
_NAT: Final = Column("nat", "NAT", ("nat",), "nat", text, 4, 4, 15, blank=frozenset({UNKNOWN, "none"}))

_WHO: Final = (
    _PROCESS,
    _PID,
    shy_column("USER", ("user", "uid"), 5, 10, 28),
    shy_column("UNIT", ("unit",), 5, 20, 26),
    shy_column("CONTAINER", ("container",), 10, 15, 36),
    _DEVICE,
    shy_column("DIR", ("direction",), 4, 4, 37, cell=_direction),
    _PROTO,
    _STATE,
    _TIME,
    _EXPIRES,
)

_TRAFFIC: Final = (
    _NAT,
    number_column("BYTES", ("orig_bytes", "reply_bytes"), "bytes", summed, 80),
    number_column("→BYTES", ("orig_bytes",), "orig_bytes", summed, 20),
    number_column("←BYTES", ("reply_bytes",), "reply_bytes", summed, 20),
    number_column("→PKTS", ("orig_packets",), "orig_packets", summed, 12),
    number_column("←PKTS", ("reply_packets",), "reply_packets", summed, 12),
    number_column("RATE", ("orig_rate", "reply_rate"), "rate", summed_rate, 95),
    number_column("→RATE", ("orig_rate",), "orig_rate", summed_rate, 30),
    number_column("←RATE", ("reply_rate",), "reply_rate", summed_rate, 30),
)


def _end(prefix: str, side: str, title: str, keep: tuple[int, int], *, names: bool) -> tuple[Column, ...]:
    """Address and port of one end; `keep` of both."""
    address = (f"{side}_name", side) if names else (side,)
    port = f"{side[0]}port"
    service = (port, "service", "service_port", "service_by")
    return (
        Column(title.lower(), title, address, side, text, 15, 39, keep[0], cut=Cut.MIDDLE),
        Column(f"{prefix}port", "PORT", service, port, _port, 6, 12, keep[1], Align.RIGHT),
    )


def _place(prefix: str, side: str, keep: tuple[int, int, int, int]) -> tuple[Column, ...]:
    """Where in the world one end is, and in whose network; `keep` of country, city, network and its number."""
    organisation, number = f"{side}_org", f"{side}_asn"
    return (
        Column(f"{prefix}geo", "GEO", (f"{side}_country",), f"{side}_country", text, 4, 4, keep[0]),
        Column(f"{prefix}city", "CITY", (f"{side}_city",), f"{side}_city", text, 6, 16, keep[1], shy=True),
        Column(f"{prefix}network", "NETWORK", (organisation, number), organisation, network, 9, 20, keep[2], shy=True),
        Column(f"{prefix}asn", "ASN", (number,), number, text, 6, 10, keep[3], Align.RIGHT, Cut.NEVER, shy=True),
    )


def flow_columns(
    *, source: bool = False, names: bool = True, geoip: bool = True, hosts: bool = False
) -> tuple[Column, ...]:
    """The columns of the flows view in their order, with or without the source side, names, places, and the host.

    What is switched off is not read: it is gone from the screen at once, although the rows that are here still have it.
    """
    from_where: tuple[Column, ...] = ()
    if source:
        from_where = _end("s", "src", "SOURCE", (72, 55), names=names)
        from_where += _place("s", "src", (41, 16, 34, 11)) if geoip else ()
    to_where = _end("", "dst", "ADDRESS", (100, 90), names=names)
    to_where += _place("", "dst", (50, 18, 35, 13)) if geoip else ()
    return ((HOST,) if hosts else ()) + _WHO + from_where + to_where + _TRAFFIC
