"""Samples of a recording as the snapshots they were: the reverse of `query.rows`, numbers again and records again.

    values of flows ─▶ columns of flows.schema         texts ─▶ numbers, None ─▶ `Has` bits, NaN, id 0
    values of their ends, owners, … ─▶ Dimensions      equal ones become one record

What a recording does not have, because it was made with names or places off, or by a viewer of another version, is
unknown. Raises RecordingError on values that no flow can have.
"""

import socket
from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from flowtopd.flows.addresses import AddressTable
from flowtopd.flows.dimensions import Attribution, Device, Dimensions, Direction, Owner, Parent, Place, ServiceBy, Where
from flowtopd.flows.index import KeyIndex
from flowtopd.flows.interned import Interned
from flowtopd.flows.names import PROTOCOLS, STATES, STATUS_BITS
from flowtopd.flows.schema import COUNTERS, SCHEMA
from flowtopd.flows.snapshot import Moment, Snapshot
from flowtopd.flows.table import is_loopback
from flowtopd.netlink.ctrecord import Has
from flowtopd.query.select import FAMILIES
from flowtopd.wire.errors import RecordingError
from flowtopd.wire.samples import Sample

Array = NDArray[Any]
Columns = dict[str, Array]
Ids = NDArray[np.int32]

_PORTS: Final = ("sport", "dport", "reply_sport", "reply_dport")
_ICMP: Final = ("icmp_type", "icmp_code", "icmp_id")
_ADDRESSES: Final = ("src", "dst", "reply_src", "reply_dst")
_SCOPES: Final = ("src", "dst", "local")
_PLACE: Final = ("country", "city", "asn", "org")
_OWNER: Final = ("pid", "process", "command", "uid", "user", "unit", "container", "cgroup", "parent_pid", "parent")
_DEVICE: Final = ("device", "device_mac", "device_vendor")
_PLAIN: Final = ("timeout", "mark", "zone")
_OF_RECORDS: Final = ("pid", "parent_pid", "uid", "src_asn", "dst_asn")
"""Numbers that stand in records, and have 32 bits."""

_FAMILIES: Final = {str(family): number for family, number in FAMILIES.items()}
_PROTOCOLS: Final = {name: number for number, name in PROTOCOLS.items()}
_IPV4_MAPPED: Final = 0xFFFF << 32


class Snapshots:
    """Makes the snapshots of one recording, one after the other. Belongs to one thread."""

    def __init__(self) -> None:
        self._last: Snapshot | None = None
        self._seq = 0

    def make(self, sample: Sample, monotonic_s: float) -> Snapshot:
        """Return the snapshot of a sample that is shown at this time of the clock of today."""
        values = _Values(sample)
        columns = _flows(values)
        dimensions = _join(values, columns)
        index = KeyIndex(columns["key"])
        previous = None if self._last is None else self._last.rows_of(columns["key"])
        for column in columns.values():
            column.flags.writeable = False
        self._seq += 1
        self._last = Snapshot(
            self._seq,
            Moment(sample.time, monotonic_s),
            sample.interval,
            sample.size,
            columns,
            _number(sample.status, "resets"),
            index,
            np.full(sample.size, -1, np.intp) if previous is None else previous,
            dimensions,
        )
        return self._last


class _Values:
    """The columns of a sample; those that it does not have are unknown."""

    def __init__(self, sample: Sample) -> None:
        self._columns = sample.columns
        self.size = sample.size

    def __getitem__(self, name: str) -> list[Any]:
        return self._columns.get(name) or [None] * self.size

    def rows(self, names: Iterable[str]) -> Iterator[tuple[Any, ...]]:
        return zip(*(self[name] for name in names), strict=True)

    def known(self, name: str) -> Array:
        return np.array([value is not None for value in self[name]], np.bool_)


def _numbers(values: Iterable[Any], dtype: str) -> Array:
    """Whole numbers, 0 where unknown."""
    known = [0 if value is None else value for value in values]
    limit = np.iinfo(dtype)
    if known and not limit.min <= min(known) <= max(known) <= limit.max:
        raise RecordingError("a number that is too large")
    return np.array(known, dtype)


def _floats(values: Iterable[Any]) -> Array:
    return np.array([np.nan if value is None else value for value in values], "f8")


def _each(values: Iterable[Any], meaning: Callable[[Any], Any]) -> list[Any]:
    """What each value means; every different one is asked for once."""
    known = list(values)
    meant = {value: meaning(value) for value in dict.fromkeys(known)}
    return [meant[value] for value in known]


# what the kernel says of a flow


def _flows(values: _Values) -> Columns:
    columns: Columns = {"key": _numbers(_each(values["id"], _key), "u8")}
    for names in (COUNTERS, _PORTS, _ICMP, _PLAIN):
        columns |= {name: _numbers(values[name], SCHEMA[name]) for name in names}
    for name in _ADDRESSES:
        columns[name] = np.array(_each(values[name], _halves), "u8").reshape(values.size, 2)
    proto = _each(values["proto"], _protocol)
    columns["proto"] = _numbers(proto, "u1")
    columns["state"] = _numbers(_each(zip(proto, values["state"], strict=True), _state), "u1")
    columns["family"] = _numbers(_each(values["family"], _family), "u1")
    columns["status"] = _numbers(_each(map(tuple, (each or () for each in values["status"])), _status), "u4")
    columns["start_ns"] = _numbers((_nanoseconds(start) for start in values["start"]), "u8")
    columns |= {name: _floats(values[name]) for name in ("orig_rate", "reply_rate")}
    columns["sampled_s"] = np.nan_to_num(_floats(values["sampled"]))
    columns["first_seen_s"] = np.nan_to_num(_floats(values["first_seen"]))
    columns["ctid"] = np.zeros(values.size, "u4")
    columns["stop_ns"] = np.zeros(values.size, "u8")  # only flows that live are recorded
    columns["has"] = _has(values)
    columns["loopback"] = is_loopback(columns["src"]) | is_loopback(columns["dst"])
    return columns


def _has(values: _Values) -> Array:
    has = np.zeros(values.size, "u1")
    carried = (("sport", Has.PORTS), ("icmp_type", Has.ICMP), ("state", Has.STATE), ("start", Has.START))
    for name, bit in (*carried, ("orig_bytes", Has.COUNTERS)):
        has[values.known(name)] |= np.uint8(bit)
    return has


def _key(text: str | None) -> int:
    try:
        return int(text or "", 16)
    except ValueError:
        raise RecordingError(f"{text!r:.40} is no id of a flow") from None


def _halves(text: str | None) -> tuple[int, int]:
    """An address as two halves of 128 bits; IPv4 is mapped, as everywhere in the daemon."""
    try:
        if ":" not in (text or ""):
            return 0, _IPV4_MAPPED | int.from_bytes(socket.inet_aton(text or ""))
        number = int.from_bytes(socket.inet_pton(socket.AF_INET6, text or ""))
    except (OSError, ValueError):
        raise RecordingError(f"{text!r:.40} is no address") from None
    return number >> 64, number & 0xFFFF_FFFF_FFFF_FFFF


def _protocol(text: str | None) -> int:
    return _named(_PROTOCOLS, text, "protocol")


def _family(text: str | None) -> int:
    return _named(_FAMILIES, text, "family")


def _named(numbers: dict[str, int], text: str | None, what: str) -> int:
    """The number of a name, or of a number as text."""
    if text in numbers:
        return numbers[text]
    if text is None or not text.isdecimal() or len(text) > 3:
        raise RecordingError(f"{text!r:.40} is no {what}")
    return int(text)


def _state(pair: tuple[int, str | None]) -> int:
    proto, text = pair
    if text is None:
        return 0
    return _named({name: number for number, name in enumerate(STATES.get(proto, ()))}, text, "state")


def _status(names: tuple[str, ...]) -> int:
    return sum(1 << STATUS_BITS[name] for name in set(names) & STATUS_BITS.keys())


def _nanoseconds(start: float | None) -> int:
    """Whole nanoseconds that are this number of seconds again when they are divided."""
    if start is None:
        return 0
    if not 0 < start < 1e10:
        raise RecordingError("a flow that began at no time")
    return int(start * 1e9)


# what a flow points at


def _join(values: _Values, columns: Columns) -> Dimensions:
    """Add the joined columns; return the records that they point at."""
    for name in _OF_RECORDS:
        _numbers(values[name], "u4")
    owners = _records(Owner(), _owner, values.rows(_OWNER))
    services = _records(None, lambda row: row[0], values.rows(("service",)))
    columns["owner"], columns["service"] = owners[1], services[1]
    columns["service_port"] = _numbers(values["service_port"], "u2")
    for name, enum in (("attribution", Attribution), ("service_by", ServiceBy), ("direction", Direction)):
        columns[name] = _codes(values[name], enum)
    columns["own"] = np.array([bool(value) for value in values["own"]], np.bool_)
    table = AddressTable()
    for end in _ADDRESSES:
        columns[f"{end}_at"] = table.add(columns[end])
    columns["local_at"] = _local(values, table)
    names, places = _put_ends(values, columns, table)
    devices = _records(Device(), lambda row: Device(*row), values.rows(_DEVICE))
    _put(table, "device", columns["local_at"], devices[1])
    return Dimensions(table.columns, names, places, devices[0], owners[0], services[0])


def _owner(row: tuple[Any, ...]) -> Owner:
    pid, process, command, uid, user, unit, container, cgroup, parent_pid, parent = row
    above = None if parent_pid is None else Parent(parent_pid, parent)
    return Owner(pid, None, process, command, uid, user, unit, container, cgroup, above)


def _local(values: _Values, table: AddressTable) -> Ids:
    known = values.known("local")
    at = np.zeros(values.size, np.int32)
    if known.any():
        halves = _each((text for text in values["local"] if text is not None), _halves)
        at[known] = table.add(np.array(halves, "u8").reshape(-1, 2))
    return at


def _put_ends(values: _Values, columns: Columns, table: AddressTable) -> tuple[Any, Any]:
    """Write what is known of addresses into their rows: names, places, and what they are to the host."""
    names: Interned[str | None] = Interned(None)
    places = Interned(Place())
    for end in ("src", "dst"):
        at = columns[f"{end}_at"]
        _put(table, "name", at, names.ids(values[f"{end}_name"]))
        rows = values.rows(f"{end}_{attribute}" for attribute in _PLACE)
        _put(table, "place", at, places.ids(Place(*row) for row in rows))
    for end in _SCOPES:
        _put(table, "where", columns[f"{end}_at"], _codes(values[f"{end}_scope"], Where))
    return names.values, places.values


def _put(table: AddressTable, name: str, at: Ids, found: Array) -> None:
    known = np.flatnonzero(found)
    table.put(name, at[known], found[known])


def _records(unknown: Any, make: Callable[[tuple[Any, ...]], Hashable], rows: Iterable[Any]) -> tuple[Any, Ids]:
    """The different records, and for each row the id of its own."""
    interned: Interned[Any] = Interned(unknown)
    return interned.values, interned.ids(_each(rows, make))


def _codes(values: Iterable[Any], enum: type[Attribution | Direction | ServiceBy | Where]) -> Array:
    """Members of an enum by their texts, 0 where there is none or it is not known."""
    codes = {member.name.lower().replace("_", "-"): int(member) for member in enum}
    return np.array([codes.get(text, 0) for text in values], "u1")


def _number(status: dict[str, Any], name: str) -> int:
    value = status.get(name)
    return value if type(value) is int else 0
