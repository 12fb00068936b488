"""What a flow points at, by field: from rows to ids of records, from records to values.

    dst_country   rows ─▶ dst_at ─▶ place ─▶ Place.country        process   rows ─▶ owner ─▶ Owner.process

A field is evaluated once for each different record, not once for each flow.
"""

from collections.abc import Callable
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from flowtopd.flows.dimensions import Attribution, Dimensions, Direction, ServiceBy, Where
from flowtopd.flows.snapshot import Snapshot

Rows = NDArray[np.intp]
Ids = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Join:
    """`ids`: which record each row points at. `value`: what a record has for the field, None where it is unknown."""

    ids: Callable[[Snapshot, Rows], Ids]
    value: Callable[[Dimensions, int], Any]

    def values(self, snapshot: Snapshot, rows: Rows) -> list[Any]:
        """Return the value of every row."""
        dimensions = snapshot.dimensions
        return [self.value(dimensions, number) for number in self.ids(snapshot, rows).tolist()]

    def distinct(self, snapshot: Snapshot, rows: Rows) -> tuple[list[Any], Ids]:
        """Return the values of the records that occur, and for each row which of them it has."""
        numbers, which = np.unique(self.ids(snapshot, rows), return_inverse=True)
        return [self.value(snapshot.dimensions, number) for number in numbers.tolist()], which


def _column(name: str) -> Callable[[Snapshot, Rows], Ids]:
    return lambda snapshot, rows: snapshot.columns[name][rows]


def _of_address(at: str, name: str) -> Callable[[Snapshot, Rows], Ids]:
    """The record of kind `name` of the address that a flow has in column `at`."""
    return lambda snapshot, rows: snapshot.dimensions.addresses[name][snapshot.columns[at][rows]]


def _record(kind: str, attribute: str) -> Callable[[Dimensions, int], Any]:
    get = attrgetter(attribute)
    return lambda dimensions, number: get(getattr(dimensions, kind)[number])


def _code(enum: type[Attribution | Direction | ServiceBy | Where]) -> Callable[[Dimensions, int], Any]:
    """The members of an enum by their code, in the words of the contract; its 0 is nothing known, but for `Where`."""
    known = 0 if enum is Where else 1
    texts = {int(member): member.name.lower().replace("_", "-") if member >= known else None for member in enum}
    return lambda _dimensions, number: texts[number]


ADDRESS_JOINS: Final[dict[str, tuple[str, Callable[[Dimensions, int], Any]]]] = {
    "name": ("name", lambda dimensions, number: dimensions.names[number]),
    **{attribute: ("place", _record("places", attribute)) for attribute in ("country", "city", "asn", "org")},
    "scope": ("where", _code(Where)),
}
"""What an address has: the column of the address table, and what a record of that kind says."""


def _joins() -> dict[str, Join]:
    joins = {}
    for end in ("src", "dst"):
        for attribute in ("name", "country", "city", "asn", "org"):
            kind, value = ADDRESS_JOINS[attribute]
            joins[f"{end}_{attribute}"] = Join(_of_address(f"{end}_at", kind), value)
    for attribute in ("process", "pid", "uid", "user", "unit", "container"):
        joins[attribute] = Join(_column("owner"), _record("owners", attribute))
    for field, attribute in (("device", "name"), ("device_mac", "mac"), ("device_vendor", "vendor")):
        joins[field] = Join(_of_address("local_at", "device"), _record("devices", attribute))
    return joins | {
        "service": Join(_column("service"), lambda dimensions, number: dimensions.services[number]),
        "service_port": Join(_service_port, lambda _dimensions, number: number if number >= 0 else None),
        "service_by": Join(_column("service_by"), _code(ServiceBy)),
        "attribution": Join(_column("attribution"), _code(Attribution)),
        "direction": Join(_column("direction"), _code(Direction)),
    }


def _service_port(snapshot: Snapshot, rows: Rows) -> Ids:
    """The port itself, -1 where no side of the flow is the service."""
    columns = snapshot.columns
    return np.where(columns["service_by"][rows] > 0, columns["service_port"][rows].astype(np.intp), -1)


JOINS: Final = _joins()
"""For every field that an enricher fills."""

NAME_FIELDS: Final = {"src_name": "src_at", "dst_name": "dst_at"}
"""Fields that ask the resolver, and the addresses that they ask for."""

PLACE_FIELDS: Final = tuple(
    f"{end}_{attribute}" for end in ("src", "dst") for attribute in ("country", "city", "asn", "org")
)
"""Fields that come from GeoIP files."""
