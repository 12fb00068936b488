"""The views: how each numbers flows, so that those with equal numbers are one group, and what a number means.

A number is the first record that says the same (an owner, a device, a place), a row of the address table, a port; what
has no record has numbers below 0. With its meaning comes a filter that means the very same flows.
"""

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from flowtopd.flows.dimensions import Attribution, Dimensions, Owner, Where
from flowtopd.flows.names import protocol_name
from flowtopd.flows.snapshot import Snapshot
from flowtopd.query.ends import rows_at
from flowtopd.query.rows import address_text
from flowtopd.wire.filter_fields import Side
from flowtopd.wire.messages import View

Rows = NDArray[np.intp]
Numbers = NDArray[np.int64]
Values = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Grouping:
    """A view: `number` numbers rows, `values` says what a number means, from it and a row that has it."""

    number: Callable[[Snapshot, Rows], Numbers]
    values: Callable[[Snapshot, int, int], Values]


def _firsts(ids: NDArray[Any], said: Callable[[int], Hashable]) -> Numbers:
    """Give every row the smallest id whose record says the same as that of its own."""
    if not len(ids):
        return np.zeros(0, np.int64)
    used = np.zeros(int(ids.max()) + 1, np.bool_)
    used[ids] = True
    first: dict[Hashable, int] = {}
    table = np.zeros(len(used), np.int64)
    for number in np.flatnonzero(used).tolist():
        table[number] = first.setdefault(said(number), number)
    numbers: Numbers = table[ids]
    return numbers


def quoted(text: str) -> str:
    """A text as the filter language takes it literally."""
    # * and ? would stand for others
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _same(field: str, text: str | None) -> str:
    """The condition that a field has this text, or none at all."""
    if text is None:
        return f"not {field} *"
    return f"{field} {quoted(text)}" if not set(text) & set("*?") else f"{field} ~ {_exactly(text)}"


def _exactly(text: str) -> str:
    escaped = "".join(char if char.isalnum() else f"\\{char}" for char in text)
    return '"^' + escaped.replace('\\"', "\\x22") + '$"'


# processes


def _process_of(owner: Owner) -> Hashable:
    return owner.pid, owner.process, *(() if owner.pid else (owner.unit, owner.container))


def _processes(snapshot: Snapshot, rows: Rows) -> Numbers:
    """The first owner that is the same process; where there is none, why, below 0."""
    owners = snapshot.dimensions.owners
    ids = snapshot.columns["owner"][rows]
    return np.where(
        ids > 0,
        _firsts(ids, lambda number: _process_of(owners[number])),
        -1 - snapshot.columns["attribution"][rows].astype(np.int64),
    )


def _process(snapshot: Snapshot, number: int, _row: int) -> Values:
    if number < 0:
        why = Attribution(-1 - number)
        said = None if why is Attribution.PENDING else why.name.lower().replace("_", "-")
        nobody = "not process * not unit * not container *"
        return {
            "key": f"({said or 'pending'})",
            "filter": f"{nobody} {_same('attribution', said)}",
            "attribution": said,
        }
    owner = snapshot.dimensions.owners[number]
    values = {name: getattr(owner, name) for name in ("process", "pid", "command", "user", "unit", "container")}
    if owner.pid is None:
        where = f"{_same('unit', owner.unit)} {_same('container', owner.container)}"
        return {**values, "key": owner.container or owner.unit or "-", "filter": f"not pid * {where}"}
    return {
        **values,
        "key": f"{owner.process}[{owner.pid}]",
        "filter": f"pid {owner.pid} {_same('process', owner.process)}",
    }


# devices


_THIS_HOST: Final = -(1 << 40)


def _devices(snapshot: Snapshot, rows: Rows) -> Numbers:
    """The first device that is the same, this host with all its interfaces one; without any the address, below 0."""
    dimensions = snapshot.dimensions
    at = rows_at(snapshot, Side.LOCAL, rows)
    ids = dimensions.addresses["device"][at]
    numbers = np.where(
        ids > 0,
        _firsts(ids, lambda number: (dimensions.devices[number].name, dimensions.devices[number].mac)),
        -1 - at.astype(np.int64),
    )
    return np.where(dimensions.addresses["where"][at] == Where.HOST, _THIS_HOST, numbers)


def _device(snapshot: Snapshot, number: int, _row: int) -> Values:
    dimensions = snapshot.dimensions
    if number == _THIS_HOST:
        own = dimensions.addresses["device"][dimensions.addresses["where"] == Where.HOST]
        name = next((dimensions.devices[device].name for device in np.unique(own).tolist() if device), None)
        return {"key": "(this host)", "filter": "local scope host", "device": name}
    if number == -1:
        return {"key": "(none)", "filter": "not local host *"}
    elsewhere = "not local scope host"
    if number < 0:
        address = _address(dimensions, -1 - number)
        return {
            "key": address,
            "filter": f"{elsewhere} local host {address} not device * not mac *",
            "address": address,
        }
    device = dimensions.devices[number]
    return {
        "key": " ".join(filter(None, (device.name, device.mac))),
        "filter": f"{elsewhere} {_same('device', device.name)} {_same('mac', device.mac)}",
        "device": device.name,
        "mac": device.mac,
        "vendor": device.vendor,
    }


def _address(dimensions: Dimensions, number: int) -> str:
    high, low = dimensions.addresses["address"][number].tolist()
    return address_text(high, low)


# the other end


def _hosts(snapshot: Snapshot, rows: Rows) -> Numbers:
    return rows_at(snapshot, Side.REMOTE, rows).astype(np.int64)


def _host(snapshot: Snapshot, number: int, _row: int) -> Values:
    dimensions = snapshot.dimensions
    address = _address(dimensions, number)
    place = dimensions.places[int(dimensions.addresses["place"][number])]
    return {
        "key": address,
        "filter": f"remote host {address}",
        "address": address,
        "name": dimensions.names[int(dimensions.addresses["name"][number])],
        "country": place.country,
        "city": place.city,
        "asn": place.asn,
        "org": place.org,
    }


def _places(snapshot: Snapshot, rows: Rows, said: Callable[[int], Hashable]) -> Numbers:
    return _firsts(snapshot.dimensions.addresses["place"][rows_at(snapshot, Side.REMOTE, rows)], said)


def _countries(snapshot: Snapshot, rows: Rows) -> Numbers:
    places = snapshot.dimensions.places
    return _places(snapshot, rows, lambda number: places[number].country)


def _country(snapshot: Snapshot, number: int, _row: int) -> Values:
    country = snapshot.dimensions.places[number].country
    return {"key": country or "(unknown)", "filter": _same_end("country", country), "country": country}


def _networks(snapshot: Snapshot, rows: Rows) -> Numbers:
    places = snapshot.dimensions.places
    return _places(snapshot, rows, lambda number: (places[number].asn, places[number].org))


def _network(snapshot: Snapshot, number: int, _row: int) -> Values:
    place = snapshot.dimensions.places[number]
    by_number = f"remote asn {place.asn}" if place.asn else "not remote asn *"
    return {
        "key": " ".join(filter(None, (f"AS{place.asn}" if place.asn else None, place.org))) or "(unknown)",
        "filter": f"{by_number} {_same_end('org', place.org)}",
        "asn": place.asn,
        "org": place.org,
    }


def _same_end(field: str, text: str | None) -> str:
    return f"not remote {field} *" if text is None else f"remote {_same(field, text)}"


# services


def _services(snapshot: Snapshot, rows: Rows) -> Numbers:
    """Protocol, whether there is a service, and its port."""
    columns = snapshot.columns
    there = columns["service_by"][rows] > 0
    return (
        columns["proto"][rows].astype(np.int64) << 17
        | there.astype(np.int64) << 16
        | np.where(there, columns["service_port"][rows], 0)
    )


def _service(snapshot: Snapshot, number: int, row: int) -> Values:
    proto, port = protocol_name(number >> 17), number & 0xFFFF
    if not number >> 16 & 1:
        return {"key": proto, "filter": f"proto {proto} not service_port *", "proto": proto}
    return {
        "key": f"{proto}/{port}",
        "filter": f"proto {proto} service_port {port}",
        "service": snapshot.dimensions.services[int(snapshot.columns["service"][row])],
        "proto": proto,
        "port": port,
    }


# containers and units


def _containers(snapshot: Snapshot, rows: Rows) -> Numbers:
    owners = snapshot.dimensions.owners
    return _firsts(
        snapshot.columns["owner"][rows],
        lambda number: (owners[number].container, None if owners[number].container else owners[number].unit),
    )


def _container(snapshot: Snapshot, number: int, _row: int) -> Values:
    owner = snapshot.dimensions.owners[number]
    if owner.container is not None:
        return {
            "key": owner.container,
            "filter": _same("container", owner.container),
            "container": owner.container,
        }
    return {
        "key": owner.unit or "(none)",
        "filter": f"not container * {_same('unit', owner.unit)}",
        "unit": owner.unit,
    }


VIEWS: Final = {
    View.PROCESSES: Grouping(_processes, _process),
    View.DEVICES: Grouping(_devices, _device),
    View.HOSTS: Grouping(_hosts, _host),
    View.COUNTRIES: Grouping(_countries, _country),
    View.NETWORKS: Grouping(_networks, _network),
    View.SERVICES: Grouping(_services, _service),
    View.CONTAINERS: Grouping(_containers, _container),
}
