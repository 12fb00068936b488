"""Rows of a snapshot as the values of the JSON contract: numbers to names, addresses to text, unknown to None.

Every wire field has one function here that makes a whole column of values for the rows of a window.
"""

import re
import socket
from collections.abc import Callable, Container
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from flowtopd.flows.dimensions import Owner
from flowtopd.flows.names import nat_name, protocol_name, state_name, status_names
from flowtopd.flows.snapshot import Snapshot
from flowtopd.netlink.ctrecord import Has, carries
from flowtopd.query.joins import ADDRESS_JOINS, JOINS, Join
from flowtopd.query.select import FAMILIES

Rows = NDArray[np.intp]
_Render = Callable[[Snapshot, Rows], list[Any]]

_FAMILY_NAMES: Final = {number: str(family) for family, number in FAMILIES.items()}
_IPV4_MAPPED: Final = 0xFFFF
_FLOW_ID: Final = re.compile(r"[0-9a-f]{16}")  # int() also takes signs, blanks and underscores


def render(
    snapshot: Snapshot, rows: Rows, fields: tuple[str, ...], hidden: Container[str] = frozenset()
) -> list[list[Any]]:
    """Return one list of values for each of `rows`, in the order of `fields`; those that are `hidden` are all None.

    Raises KeyError on an unknown field.
    """
    columns = render_columns(snapshot, rows, fields, hidden)
    return [list(values) for values in zip(*columns, strict=True)] if columns else [[] for _row in rows]


def render_columns(
    snapshot: Snapshot, rows: Rows, fields: tuple[str, ...], hidden: Container[str] = frozenset()
) -> list[list[Any]]:
    """Return the same as `render`, a list of values for each field."""
    makers = (_unknown if field in hidden else RENDERERS.get(field) or EXTRAS[field] for field in fields)
    return [make(snapshot, rows) for make in makers]


def address_text(high: int, low: int) -> str:
    """An address, given as two halves of 128 bits, as inet_ntop(3) writes it; IPv4-mapped ones as IPv4."""
    if not high and low >> 32 == _IPV4_MAPPED:
        return socket.inet_ntoa((low & 0xFFFF_FFFF).to_bytes(4))
    return socket.inet_ntop(socket.AF_INET6, high.to_bytes(8) + low.to_bytes(8))


def flow_id(key: int) -> str:
    """A flow's key as it is written: 16 hexadecimal digits."""
    return f"{key:016x}"


def parse_flow_id(text: str) -> int | None:
    """The key of a flow, None where the text cannot be one."""
    return int(text, 16) if _FLOW_ID.fullmatch(text) else None


def row_of(snapshot: Snapshot, flow_id: str) -> int | None:
    """Return the row of the flow with this id, None where there is none."""
    key = parse_flow_id(flow_id)
    row = -1 if key is None else int(snapshot.rows_of(np.array([key], np.uint64))[0])
    return row if row >= 0 else None


def _value(name: str, has: Has | None = None) -> _Render:
    def values(snapshot: Snapshot, rows: Rows) -> list[Any]:
        plain: list[Any] = snapshot.columns[name][rows].tolist()
        if has is None:
            return plain
        known = (snapshot.columns["has"][rows] & has).tolist()
        return [value if is_known else None for value, is_known in zip(plain, known, strict=True)]

    return values


def _text(name: str, text: Callable[[int], Any]) -> _Render:
    return lambda snapshot, rows: [text(value) for value in snapshot.columns[name][rows].tolist()]


def _rate(name: str) -> _Render:
    # NaN is the only value that differs from itself
    return lambda snapshot, rows: [rate if rate == rate else None for rate in snapshot.columns[name][rows].tolist()]  # noqa: PLR0124


def _address(name: str) -> _Render:
    return lambda snapshot, rows: [address_text(high, low) for high, low in snapshot.columns[name][rows].tolist()]


def _state(snapshot: Snapshot, rows: Rows) -> list[Any]:
    columns = snapshot.columns
    known = carries(columns["has"][rows], Has.STATE).tolist()
    pairs = zip(known, columns["proto"][rows].tolist(), columns["state"][rows].tolist(), strict=True)
    return [state_name(proto, state) if is_known else None for is_known, proto, state in pairs]


def _start(snapshot: Snapshot, rows: Rows) -> list[Any]:
    return [ns / 1e9 if ns else None for ns in snapshot.columns["start_ns"][rows].tolist()]


def _duration(snapshot: Snapshot, rows: Rows) -> list[Any]:
    now, stops = snapshot.at.wall_s, snapshot.columns["stop_ns"][rows].tolist()
    # where the clock was set back since a flow began, it lasts for as long as we have seen it, and never below 0
    return [
        None if start is None else max(0.0, (stop / 1e9 if stop else now) - (start if start <= now else seen))
        for start, stop, seen in zip(
            _start(snapshot, rows), stops, snapshot.columns["first_seen_s"][rows].tolist(), strict=True
        )
    ]


def _unknown(_snapshot: Snapshot, rows: Rows) -> list[Any]:
    return [None] * len(rows)


def _timeout(snapshot: Snapshot, rows: Rows) -> list[Any]:
    pairs = zip(_closed(snapshot, rows), snapshot.columns["timeout"][rows].tolist(), strict=True)
    return [None if closed else seconds for closed, seconds in pairs]


def _closed(snapshot: Snapshot, rows: Rows) -> list[Any]:
    closed: list[Any] = (snapshot.columns["stop_ns"][rows] > 0).tolist()
    return closed


def _renderers() -> dict[str, _Render]:
    renderers: dict[str, _Render] = {field: join.values for field, join in JOINS.items()}
    renderers |= {name: _value(name, Has.PORTS) for name in ("sport", "dport", "reply_sport", "reply_dport")}
    renderers |= {name: _value(name, Has.ICMP) for name in ("icmp_type", "icmp_code", "icmp_id")}
    renderers |= {
        name: _value(name, Has.COUNTERS) for name in ("orig_packets", "orig_bytes", "reply_packets", "reply_bytes")
    }
    renderers |= {name: _value(name) for name in ("mark", "zone")}
    renderers |= {name: _rate(name) for name in ("orig_rate", "reply_rate")}
    renderers |= {name: _address(name) for name in ("src", "dst", "reply_src", "reply_dst")}
    return renderers | {
        "id": _text("key", flow_id),
        "family": _text("family", lambda number: _FAMILY_NAMES.get(number, str(number))),
        "proto": _text("proto", protocol_name),
        "state": _state,
        "status": _text("status", status_names),
        "nat": _text("status", nat_name),
        "start": _start,
        "duration": _duration,
        "timeout": _timeout,
        "closed": _closed,
    }


RENDERERS: Final = _renderers()
"""For every flow field of `wire.fields`, the function that makes its values."""


def _local(snapshot: Snapshot, rows: Rows) -> list[Any]:
    at = snapshot.columns["local_at"][rows]
    pairs = zip(at.tolist(), snapshot.dimensions.addresses["address"][at].tolist(), strict=True)
    return [address_text(high, low) if number else None for number, (high, low) in pairs]


def _of_owner(told: Callable[[Owner], Any]) -> _Render:
    def values(snapshot: Snapshot, rows: Rows) -> list[Any]:
        owners = snapshot.dimensions.owners
        return [told(owners[number]) for number in snapshot.columns["owner"][rows].tolist()]

    return values


def _scope(at: str) -> _Render:
    kind, value = ADDRESS_JOINS["scope"]
    return Join(lambda snapshot, rows: snapshot.dimensions.addresses[kind][snapshot.columns[at][rows]], value).values


EXTRAS: Final[dict[str, _Render]] = {
    "sampled": _value("sampled_s"),
    "first_seen": _value("first_seen_s"),
    "command": _of_owner(lambda owner: owner.command),
    "parent": _of_owner(lambda owner: owner.parent and owner.parent.process),
    "parent_pid": _of_owner(lambda owner: owner.parent and owner.parent.pid),
    "cgroup": _of_owner(lambda owner: owner.cgroup),
    "local": _local,
    "own": _value("own"),
    **{f"{end}_scope": _scope(f"{end}_at") for end in ("local", "src", "dst")},
}
"""For every one of `wire.fields.EXTRA_FIELDS`, the function that makes its values."""
