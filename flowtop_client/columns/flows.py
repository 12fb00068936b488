"""The columns of the flows view: every display column once, in its order.

    on an end host     PROCESS  PID DIR PROTO  STATE        TIME ADDRESS         PORT GEO NETWORK  BYTES  RATE
                       firefox 4711 out tcp    ESTABLISHED  1h4m example.com    https US  EDGECAST 1.23M 45.6k
                       (exited)   - out tcp    TIME_WAIT      2m example.net     ssh? DE  HETZNER  98.1k     0

    on a router        DEVICE          DIR PROTO  STATE        TIME ADDRESS      PORT GEO   BYTES  RATE
                       living-room-tv  fwd tcp    ESTABLISHED  1h4m example.com https US    1.23M 45.6k
                       Apple 4f:1a:22  fwd udp    -              2m 192.0.2.7    4500 DE    98.1k     0

`→` is conntrack's original direction (from the source to ADDRESS), `←` the reply.

Rules: what is not known says so. A service that is only guessed ends with `?`. Without a process, PROCESS says why, in
brackets; a socket of which only the control group is known shows its container or unit there. A device without a
name is called as Wireshark does, by its vendor and the end of its MAC address. DIR has words, since the arrows
already mean something else and some locales have none.
"""

from typing import Final

from flowtop_client.columns.column import Align, Cell, Column, Cut, Row, Units
from flowtop_client.humanize import UNKNOWN, amount, clean, duration, rate

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


def _text(_units: Units, values: Row) -> str:
    """The first value that is known: a name before an address, a user before a number."""
    for value in values:
        if value is not None and value != "":
            return clean(str(value))
    return UNKNOWN


def _process(_units: Units, values: Row) -> str:
    process, attribution, container, unit = values
    if attribution == "cgroup":
        process = process or container or unit
    if process:
        return clean(process)
    return NO_PROCESS[attribution][0] if attribution in NO_PROCESS else UNKNOWN


def _device(_units: Units, values: Row) -> str:
    name, mac, vendor = values
    if name or not mac:
        return clean(name) if name else UNKNOWN
    words = (vendor or "").split()
    return clean(f"{words[0].rstrip(',')} {mac[-8:]}" if words else mac)


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


def _network(_units: Units, values: Row) -> str:
    organisation, number = values
    if organisation:
        return clean(organisation)
    return UNKNOWN if number is None else f"AS{number}"


def _known_sum(values: Row) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def _amount(_units: Units, values: Row) -> str:
    return amount(_known_sum(values))


def _rate(units: Units, values: Row) -> str:
    return rate(_known_sum(values), bits=units.bits)


def _duration(_units: Units, values: Row) -> str:
    return duration(values[0])


def _number(title: str, fields: tuple[str, ...], sort: str, cell: Cell, keep: int) -> Column:
    """A right-aligned column of amounts, with room for the mark of the sorted column."""
    width = len(title) + 1
    return Column(sort, title, fields, sort, cell, width, width, keep, Align.RIGHT, Cut.NEVER)


def _shy(title: str, fields: tuple[str, ...], least: int, most: int, keep: int, *, cell: Cell = _text) -> Column:
    """A column of text that many hosts have nothing for."""
    return Column(title.lower(), title, fields, fields[0], cell, least, most, keep, shy=True)


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
_PID: Final = Column("pid", "PID", ("pid",), "pid", _text, 5, 7, 38, Align.RIGHT, Cut.NEVER, stand_in="device")
_DEVICE: Final = Column(
    "device",
    "DEVICE",
    ("device", "device_mac", "device_vendor"),
    "device",
    _device,
    least=10,
    most=17,
    keep=65,
    cut=Cut.MIDDLE,
    shy=True,
)
_PROTO: Final = Column("proto", "PROTO", ("proto",), "proto", _text, 6, 7, 85)
_STATE: Final = Column("state", "STATE", ("state",), "state", _text, 11, 17, 75)
_TIME: Final = Column("time", "TIME", ("duration",), "duration", _duration, 5, 5, 60, Align.RIGHT, Cut.NEVER)
_EXPIRES: Final = Column("expires", "EXPIRES", ("timeout",), "timeout", _duration, 8, 8, 10, Align.RIGHT, Cut.NEVER)
_NAT: Final = Column("nat", "NAT", ("nat",), "nat", _text, 4, 4, 15, blank=frozenset({UNKNOWN, "none"}))

_WHO: Final = (
    _PROCESS,
    _PID,
    _shy("USER", ("user", "uid"), 5, 10, 28),
    _shy("UNIT", ("unit",), 5, 20, 26),
    _shy("CONTAINER", ("container",), 10, 15, 36),
    _DEVICE,
    _shy("DIR", ("direction",), 4, 4, 37, cell=_direction),
    _PROTO,
    _STATE,
    _TIME,
    _EXPIRES,
)

_TRAFFIC: Final = (
    _NAT,
    _number("BYTES", ("orig_bytes", "reply_bytes"), "bytes", _amount, 80),
    _number("→BYTES", ("orig_bytes",), "orig_bytes", _amount, 20),
    _number("←BYTES", ("reply_bytes",), "reply_bytes", _amount, 20),
    _number("→PKTS", ("orig_packets",), "orig_packets", _amount, 12),
    _number("←PKTS", ("reply_packets",), "reply_packets", _amount, 12),
    _number("RATE", ("orig_rate", "reply_rate"), "rate", _rate, 95),
    _number("→RATE", ("orig_rate",), "orig_rate", _rate, 30),
    _number("←RATE", ("reply_rate",), "reply_rate", _rate, 30),
)


def _end(prefix: str, side: str, title: str, keep: tuple[int, int], *, names: bool) -> tuple[Column, ...]:
    """Address and port of one end; `keep` of both."""
    address = (f"{side}_name", side) if names else (side,)
    port = f"{side[0]}port"
    service = (port, "service", "service_port", "service_by")
    return (
        Column(title.lower(), title, address, side, _text, 15, 39, keep[0], cut=Cut.MIDDLE),
        Column(f"{prefix}port", "PORT", service, port, _port, 6, 12, keep[1], Align.RIGHT),
    )


def _place(prefix: str, side: str, keep: tuple[int, int, int, int]) -> tuple[Column, ...]:
    """Where in the world one end is, and in whose network; `keep` of country, city, network and its number."""
    network, number = f"{side}_org", f"{side}_asn"
    return (
        Column(f"{prefix}geo", "GEO", (f"{side}_country",), f"{side}_country", _text, 4, 4, keep[0]),
        Column(f"{prefix}city", "CITY", (f"{side}_city",), f"{side}_city", _text, 6, 16, keep[1], shy=True),
        Column(f"{prefix}network", "NETWORK", (network, number), network, _network, 9, 20, keep[2], shy=True),
        Column(f"{prefix}asn", "ASN", (number,), number, _text, 6, 10, keep[3], Align.RIGHT, Cut.NEVER, shy=True),
    )


def flow_columns(*, source: bool = False, names: bool = True, geoip: bool = True) -> tuple[Column, ...]:
    """The columns of the flows view in their order, with or without the source side, names and places.

    What is switched off is not read: it is gone from the screen at once, although the rows that are here still have it.
    """
    from_where: tuple[Column, ...] = ()
    if source:
        from_where = _end("s", "src", "SOURCE", (72, 55), names=names)
        from_where += _place("s", "src", (41, 16, 34, 11)) if geoip else ()
    to_where = _end("", "dst", "ADDRESS", (100, 90), names=names)
    to_where += _place("", "dst", (50, 18, 35, 13)) if geoip else ()
    return _WHO + from_where + to_where + _TRAFFIC
