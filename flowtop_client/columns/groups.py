"""The columns of the grouped views: each view's own, which name a group, then what all views have.

    PROCESS                  PID USER     FLOWS %RATE       BYTES  RATE▼ →RATE  ←RATE  UNIT            COMMAND
    total                                   200 100% ██████ 60.3M  95.7M 4.66M  91.0M
    firefox                 4711 alice       33  62% ███▊   23.0M  59.3M 1.20M  58.1M  app-firef.scope firefox -P
    (forwarded for others)     - -           12   2% ▏      1.00M  1.91M 12.0k  1.90M  -               -

Rules: a group of what is not known says so in words, in brackets. A row without a key is the total. A share is one of
the rate, or of the bytes where those are sorted by, of all flows that are shown.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any, Final

from flowtop_client.columns.cells import (
    HOST,
    device,
    known_sum,
    network,
    number_column,
    shy_column,
    summed,
    summed_rate,
    text,
)
from flowtop_client.columns.column import Align, Cell, Column, Cut, Row, Units
from flowtop_client.humanize import UNKNOWN, clean
from flowtopd.wire.messages import Snapshot, Totals, View

TOTAL: Final = "total"

NOBODY: Final = {
    "forwarded": "(forwarded for others)",
    "exited": "(exited)",
    "kernel": "(the kernel)",
    "other-netns": "(in another namespace)",
    "no-permission": "(not to be seen)",
    "ambiguous": "(shared by several)",
}
"""Why a group of flows has no process, by the wire's `attribution`."""

_PENDING: Final = "(not known yet)"
_THIS_HOST: Final = "(this host)"
_NO_ADDRESS: Final = "::"
_NOTHING: Final = {
    View.PROCESSES: _PENDING,
    View.DEVICES: "(no local end)",
    View.HOSTS: "(no address)",
    View.COUNTRIES: "(no country known)",
    View.NETWORKS: "(no network known)",
    View.SERVICES: "(no service port)",
    View.CONTAINERS: "(no container or unit)",
}
"""What a group is called of which nothing is known."""

UNKNOWN_GROUPS: Final = frozenset({*NOBODY.values(), *_NOTHING.values()})

BYTES_SORTS: Final = frozenset({"bytes", "orig_bytes", "reply_bytes"})
_BAR: Final = 6
_EIGHTHS: Final = " ▏▎▍▌▋▊▉█"


def _or_total(cell: Cell) -> Cell:
    """A cell that names a group; its last value is the key."""
    return lambda units, values: TOTAL if values[-1] is None else cell(units, values[:-1])


def _named(view: View, cell: Cell = text) -> Cell:
    nothing = _NOTHING[view]

    def name(units: Units, values: Row) -> str:
        said = cell(units, values)
        return nothing if said == UNKNOWN else said

    return _or_total(name)


def _process(units: Units, values: Row) -> str:
    """The program, else its container or unit, else why there is none."""
    *names, attribution = values
    said = text(units, names)
    return said if said != UNKNOWN else NOBODY.get(attribution, UNKNOWN)


def _device(units: Units, values: Row) -> str:
    name, mac, vendor, address, key = values
    if key is None:
        return TOTAL
    if key == _THIS_HOST:
        return f"{clean(name)} {_THIS_HOST}" if name else "this host"
    said = device(units, (name, mac, vendor))
    return said if said != UNKNOWN else text(units, (address, _NOTHING[View.DEVICES]))


def _host(units: Units, values: Row) -> str:
    *names, address = values
    return text(units, (*names, None if address == _NO_ADDRESS else address))


def _service(units: Units, values: Row) -> str:
    service, proto, port = values
    return UNKNOWN if port is None else text(units, (service, f"{proto}/{port}"))


def _kind(_units: Units, values: Row) -> str:
    container, unit = values
    return "container" if container else "unit" if unit else UNKNOWN


def share(units: Units, values: Row) -> str:
    """A part of the whole: ` 62%`, and on a screen ` 62% ███▊`."""
    part = known_sum(values)
    if part is None or not units.whole:
        return UNKNOWN
    ratio = min(1.0, part / units.whole)
    said = f"{'<1' if 0 < ratio < 0.005 else f'{ratio * 100:.0f}'}%"
    return f"{said:>4} {_bar(ratio):<{_BAR}}" if units.bars else said  # all as wide, so that all have a bar or none


def _bar(ratio: float) -> str:
    """A part of a line, in steps of an eighth of a cell; what is there is never nothing."""
    eighths = max(round(ratio * 8 * _BAR), int(ratio > 0))
    return "█" * (eighths // 8) + _EIGHTHS[eighths % 8].strip()


def _main(title: str, fields: tuple[str, ...], sort: str, cell: Cell, widths: tuple[int, int]) -> Column:
    """The column that names a group; its least and its most useful width."""
    return Column("group", title, (*fields, "key"), sort, cell, *widths, 100, cut=Cut.MIDDLE)


def _geo(title: str = "GEO") -> Column:
    return shy_column(title, ("country",), 4, 4, 50)


def _number(title: str, field: str, least: int, most: int, keep: int) -> Column:
    return Column(field, title, (field,), field, text, least, most, keep, Align.RIGHT, Cut.NEVER, shy=True)


_Own = tuple[Column, ...]


def _processes() -> tuple[_Own, _Own]:
    fields = ("process", "container", "unit", "attribution")
    return (
        _main("PROCESS", fields, "process", _named(View.PROCESSES, _process), (10, 22)),
        _number("PID", "pid", 5, 7, 85),
        shy_column("USER", ("user",), 5, 10, 60),
    ), (
        shy_column("UNIT", ("unit",), 5, 24, 18),
        shy_column("CONTAINER", ("container",), 10, 15, 19),
        shy_column("COMMAND", ("command",), 12, 40, 17),
    )


def _devices() -> tuple[_Own, _Own]:
    return (
        _main("DEVICE", ("device", "mac", "vendor", "address"), "device", _device, (15, 24)),
        shy_column("MAC", ("mac",), 17, 17, 38),
        shy_column("VENDOR", ("vendor",), 8, 24, 37),
    ), ()


def _hosts(*, names: bool, geoip: bool, hosts: bool) -> tuple[_Own, _Own]:
    title = "OTHER END" if hosts else "HOST"
    main = _main(title, ("name", "address"), "name", _named(View.HOSTS, _host), (15, 39))
    if not names:
        main = _main(title, ("address",), "address", _named(View.HOSTS, _host), (15, 39))
    places = (
        _geo(),
        shy_column("CITY", ("city",), 6, 16, 19),
        Column("network", "NETWORK", ("org", "asn"), "org", network, 9, 20, 36, shy=True),
        _number("ASN", "asn", 6, 10, 18),
    )
    address = Column("address", "ADDRESS", ("address",), "address", text, 15, 39, 17, cut=Cut.MIDDLE)
    return (main, *(places if geoip else ())), ((address,) if names else ())


def _countries() -> tuple[_Own, _Own]:
    return (_main("COUNTRY", ("country",), "country", _named(View.COUNTRIES), (8, 18)),), ()


def _networks() -> tuple[_Own, _Own]:
    return (
        _main("NETWORK", ("org", "asn"), "org", _named(View.NETWORKS, network), (15, 32)),
        _number("ASN", "asn", 6, 10, 60),
    ), ()


def _services() -> tuple[_Own, _Own]:
    return (
        _main("SERVICE", ("service", "proto", "port"), "service", _named(View.SERVICES, _service), (10, 17)),
        Column("proto", "PROTO", ("proto",), "proto", text, 6, 7, 85),
        _number("PORT", "port", 6, 6, 80),
    ), ()


def _containers() -> tuple[_Own, _Own]:
    return (
        _main("NAME", ("container", "unit"), "key", _named(View.CONTAINERS), (15, 32)),
        Column("kind", "KIND", ("container", "unit"), "", _kind, 9, 9, 60),
    ), ()


_VIEWS: Final[Mapping[View, Callable[[], tuple[_Own, _Own]]]] = {
    View.PROCESSES: _processes,
    View.DEVICES: _devices,
    View.COUNTRIES: _countries,
    View.NETWORKS: _networks,
    View.SERVICES: _services,
    View.CONTAINERS: _containers,
}
"""What a view has before and behind the sums."""

_RATE: Final = ("orig_rate", "reply_rate")
_BYTES: Final = ("orig_bytes", "reply_bytes")
_FLOWS: Final = Column("flows", "FLOWS", ("flows",), "flows", summed, 6, 6, 90, Align.RIGHT, Cut.NEVER)
_SUMS: Final = (
    number_column("BYTES", _BYTES, "bytes", summed, 92),
    number_column("→BYTES", ("orig_bytes",), "orig_bytes", summed, 30),
    number_column("←BYTES", ("reply_bytes",), "reply_bytes", summed, 30),
    number_column("RATE", _RATE, "rate", summed_rate, 95),
    number_column("→RATE", ("orig_rate",), "orig_rate", summed_rate, 39),
    number_column("←RATE", ("reply_rate",), "reply_rate", summed_rate, 39),
)


def _share(sort: str) -> Column:
    of_bytes = sort in BYTES_SORTS
    title, fields = ("%BYTES", _BYTES) if of_bytes else ("%RATE", _RATE)
    return Column("share", title, fields, "", share, 6, 11, 70, cut=Cut.BAR)


def group_columns(
    view: View, sort: str, *, names: bool = True, geoip: bool = True, hosts: bool = False
) -> tuple[Column, ...]:
    """The columns of a grouped view in their order, without what is switched off; with the host, of several `hosts`."""
    before, behind = _hosts(names=names, geoip=geoip, hosts=hosts) if view is View.HOSTS else _VIEWS[view]()
    return (*((HOST,) if hosts else ()), *before, _FLOWS, _share(sort), *_SUMS, *behind)


def whole_of(totals: Totals, sort: str) -> float | None:
    """What a share is of, where the groups are sorted by this."""
    return known_sum([getattr(totals, name) for name in (_BYTES if sort in BYTES_SORTS else _RATE)])


def total_row(snapshot: Snapshot) -> list[Any]:
    """The row of the total. How many flows it has is known where all groups are here: each flow is in one of them."""
    values = asdict(snapshot.totals)
    if "flows" in snapshot.fields and len(snapshot.rows) == snapshot.status.matched:
        at = snapshot.fields.index("flows")
        values["flows"] = sum(row[at] for row in snapshot.rows)
    return [values.get(field) for field in snapshot.fields]
