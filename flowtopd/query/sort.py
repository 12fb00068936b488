"""In which order: a number for every row and sort field, and the first or last k rows by it.

Every field becomes float64, so that one way of sorting serves all: names by the rank of their text, unknown as NaN,
which comes last in both directions. Equal rows stand in the order of their keys, which is the same at every tick:
rows that are equal never change places.
"""

from collections.abc import Callable, Iterable
from enum import Enum
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from flowtopd.flows.names import STATUS_BITS, nat_name, protocol_name, state_name, status_names
from flowtopd.flows.snapshot import Snapshot
from flowtopd.netlink.ctrecord import Has, carries
from flowtopd.query.joins import JOINS, Join
from flowtopd.wire.fields import SORT_SUMS

Rows = NDArray[np.intp]
Values = NDArray[np.float64]
_Key = Callable[[Snapshot, Rows], Values]


class End(Enum):
    """Which end of the order."""

    FIRST = "first"
    LAST = "last"


def order(snapshot: Snapshot, rows: Rows, field: str, *, descending: bool, end: End, count: int) -> Rows:
    """Return the first or the last `count` of `rows` in the order of a sort field, all when there are fewer.

    Raises KeyError when there is no such field.
    """
    values, keys = SORT_KEYS[field](snapshot, rows), snapshot.columns["key"][rows]
    return rows[in_order(values, keys, descending=descending, end=end, count=count)]


def place(snapshot: Snapshot, rows: Rows, field: str, at: int, *, descending: bool) -> int:
    """Return how many of `rows` stand before the one at index `at`, in the order of a sort field."""
    values, keys = _ascending(SORT_KEYS[field](snapshot, rows), descending=descending), snapshot.columns["key"][rows]
    return int(np.count_nonzero((values < values[at]) | ((values == values[at]) & (keys < keys[at]))))


def _ascending(values: Values, *, descending: bool) -> Values:
    """The values so that the first of the order is the smallest."""
    if descending:
        values = -values
    return np.where(np.isnan(values), np.inf, values)  # no field is ever infinite


def in_order(values: Values, ties: NDArray[Any], *, descending: bool, end: End, count: int) -> Rows:
    """Return where the first or the last `count` of the values stand, in their order; equal ones in that of `ties`."""
    values = _ascending(values, descending=descending)
    chosen = np.arange(len(values))
    if count < len(values):
        chosen = _outermost(values, ties, end, count)
    return chosen[np.lexsort((ties[chosen], values[chosen]))]


def _outermost(values: Values, keys: NDArray[Any], end: End, count: int) -> Rows:
    """Indices of the `count` smallest or largest by (value, key), unsorted: a few passes instead of a sort of all."""
    if count <= 0:
        return np.zeros(0, np.intp)
    at = count - 1 if end is End.FIRST else len(values) - count
    threshold = np.partition(values, at)[at]
    sure = np.flatnonzero(values < threshold if end is End.FIRST else values > threshold)
    tied = np.flatnonzero(values == threshold)
    wanted = count - len(sure)
    if wanted < len(tied):
        by_key = np.argpartition(keys[tied], wanted - 1 if end is End.FIRST else -wanted)
        tied = tied[by_key[:wanted] if end is End.FIRST else by_key[-wanted:]]
    return np.concatenate((sure, tied))


def _number(name: str, has: Has | None = None) -> _Key:
    def key(snapshot: Snapshot, rows: Rows) -> Values:
        values = snapshot.columns[name][rows].astype(np.float64)
        if has is not None:
            values[~carries(snapshot.columns["has"][rows], has)] = np.nan
        return values

    return key


def _sum(first: _Key, second: _Key) -> _Key:
    return lambda snapshot, rows: first(snapshot, rows) + second(snapshot, rows)


def ranks(values: Iterable[Any]) -> Values:
    """The rank of each value among all, all texts or all numbers; NaN for None."""
    listed = list(values)
    known = sorted({value for value in listed if value is not None})
    rank = {value: float(position) for position, value in enumerate(known)}
    return np.array([np.nan if value is None else rank[value] for value in listed])


_STATES_RANKED: Final = 16
"""States of a protocol that are told apart; the longest list has ten."""

_PROTOCOL_RANKS: Final = ranks(protocol_name(number) for number in range(256))
_STATE_RANKS: Final = ranks(state_name(proto, state) for proto in range(256) for state in range(_STATES_RANKED))
_NAT_BITS: Final = 1 << STATUS_BITS["snat"] | 1 << STATUS_BITS["dnat"]


def _protocol(snapshot: Snapshot, rows: Rows) -> Values:
    places: Values = _PROTOCOL_RANKS[snapshot.columns["proto"][rows]]
    return places


def _state(snapshot: Snapshot, rows: Rows) -> Values:
    columns = snapshot.columns
    states = np.minimum(columns["state"][rows], _STATES_RANKED - 1)
    places: Values = _STATE_RANKS[columns["proto"][rows].astype(np.intp) * _STATES_RANKED + states]
    places[~carries(columns["has"][rows], Has.STATE)] = np.nan
    return places


def _by_text(name: str, text: Callable[[int], str], mask: int = -1) -> _Key:
    """Sort by a text that is made of an integer with few different values."""

    def key(snapshot: Snapshot, rows: Rows) -> Values:
        values, inverse = np.unique(snapshot.columns[name][rows] & np.uint32(mask & 0xFFFF_FFFF), return_inverse=True)
        return ranks(text(int(value)) for value in values)[inverse] if len(values) else np.zeros(0)

    return key


def address_ranks(addresses: NDArray[np.uint64]) -> Values:
    """The rank of each address, shape (n, 2), among all."""
    high, low = addresses[:, 0], addresses[:, 1]
    by_address = np.lexsort((low, high))
    changes = (high[by_address][1:] != high[by_address][:-1]) | (low[by_address][1:] != low[by_address][:-1])
    places = np.zeros(len(addresses))
    places[by_address[1:]] = np.cumsum(changes)
    return places


def _address(name: str) -> _Key:
    return lambda snapshot, rows: address_ranks(snapshot.columns[name][rows])


def _joined(join: Join) -> _Key:
    def key(snapshot: Snapshot, rows: Rows) -> Values:
        values, which = join.distinct(snapshot, rows)
        return ranks(values)[which] if len(values) else np.zeros(0)

    return key


def _closed(snapshot: Snapshot, rows: Rows) -> Values:
    return (snapshot.columns["stop_ns"][rows] > 0).astype(np.float64)


def _duration(snapshot: Snapshot, rows: Rows) -> Values:
    columns = snapshot.columns
    start, stop = columns["start_ns"][rows], columns["stop_ns"][rows]
    now = snapshot.at.wall_s
    until = np.where(stop > 0, stop * 1e-9, now)
    # as in query.rows
    since = np.where(start * 1e-9 <= now, start * 1e-9, columns["first_seen_s"][rows])
    return np.where(start > 0, np.maximum(until - since, 0.0), np.nan)


def _timeout(snapshot: Snapshot, rows: Rows) -> Values:
    return np.where(snapshot.columns["stop_ns"][rows] > 0, np.nan, snapshot.columns["timeout"][rows])


def _sort_keys() -> dict[str, _Key]:
    counters = {
        name: _number(name, Has.COUNTERS) for name in ("orig_packets", "orig_bytes", "reply_packets", "reply_bytes")
    }
    keys: dict[str, _Key] = {field: _joined(join) for field, join in JOINS.items()}
    keys |= counters
    keys |= {name: _number(name, Has.PORTS) for name in ("sport", "dport", "reply_sport", "reply_dport")}
    keys |= {name: _number(name, Has.ICMP) for name in ("icmp_type", "icmp_code", "icmp_id")}
    keys |= {name: _number(name) for name in ("orig_rate", "reply_rate", "mark", "zone")}
    keys |= {name: _address(name) for name in ("src", "dst", "reply_src", "reply_dst")}
    keys |= {
        "id": _number("key"),
        "family": _number("family"),
        "proto": _protocol,
        "state": _state,
        "status": _by_text("status", lambda status: "|".join(status_names(status))),
        "nat": _by_text("status", nat_name, _NAT_BITS),
        "start": _number("start_ns", Has.START),
        "duration": _duration,
        "timeout": _timeout,
        "closed": _closed,
    }
    return keys | {name: _sum(keys[first], keys[second]) for name, (first, second) in SORT_SUMS.items()}


SORT_KEYS: Final = _sort_keys()
"""For every sort field of `wire.fields`, the function that makes its numbers."""
