"""Which flows a filter means: its meaning (`wire.filter_parser`) and a snapshot in, a mask out. Pure.

    country DE      records of the dimensions ─▶ does this one fit? ─▶ table of yes and no ─▶ spread over the flows
    rate > 1M       columns ─▶ compared at once

A text is tested once for each different record, not once for each flow. What is unknown fits nothing but `not`.
"""

from collections.abc import Callable, Iterator
from functools import reduce
from operator import and_, ge, gt, le, lt, or_
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from flowtopd.flows.names import STATUS_BITS, nat_name, protocol_name, state_name
from flowtopd.flows.snapshot import Snapshot
from flowtopd.netlink.ctrecord import Has, carries
from flowtopd.query.ends import ports_at, rows_at
from flowtopd.query.joins import ADDRESS_JOINS, JOINS, Ids
from flowtopd.query.rows import flow_id
from flowtopd.query.select import FAMILIES
from flowtopd.query.sort import SORT_KEYS
from flowtopd.wire.filter_fields import FILTER_FIELDS, Of, Side
from flowtopd.wire.filter_syntax import Both, Compare, Either, Flag, Network, Node, Not, Op, Search, Span
from flowtopd.wire.messages import Family
from flowtopd.wire.regex import Regex, glob

MOST_STEPS: Final = 2_000_000
"""Of regular expressions in one filter, some 0.3 s: the like of it is not met by accident. See `wire.regex`."""

Mask = NDArray[np.bool_]
Test = Callable[[str], bool]
_Values = Callable[[int], Any]

_EITHER: Final = (Side.SRC, Side.DST)
_STATES: Final = 16
_JOINED: Final = {"mac": "device_mac", "vendor": "device_vendor"}
"""Fields that the wire calls otherwise."""

_SEARCHED: Final = ("process", "user", "unit", "container", "device", "device_vendor", "service")
_SEARCHED_ENDS: Final = ("name", "city", "org")
_COMPARED: Final = {Op.LT: lt, Op.LE: le, Op.GT: gt, Op.GE: ge}


class TooSlowError(Exception):
    """The regular expressions of a filter take too long on these flows."""


def matches(node: Node, snapshot: Snapshot) -> Mask:
    """Tell for every flow of the snapshot whether it is meant. Raises TooSlowError."""
    match node:
        case Both(parts):
            return reduce(and_, (matches(part, snapshot) for part in parts))
        case Either(parts):
            return reduce(or_, (matches(part, snapshot) for part in parts))
        case Not(part):
            return ~matches(part, snapshot)
        case Search(text):
            return _search(snapshot, text)
        case Flag(field, value):
            return _flag(snapshot, field, value)
        case Compare():
            return _compare(snapshot, node)


def asks_names(node: Node) -> bool:
    """Whether names from reverse DNS decide."""
    match node:
        case Both(parts) | Either(parts):
            return any(map(asks_names, parts))
        case Not(part):
            return asks_names(part)
        case Search():
            return True
        case Compare(field, _, value):
            return field == "name" or (field == "host" and isinstance(value, str))
        case _:
            return False


def _flag(snapshot: Snapshot, field: str, value: str) -> Mask:
    match field:
        case "family":
            mask: Mask = snapshot.columns["family"] == FAMILIES[Family(value)]
            return mask
        case "loopback":
            return snapshot.columns["loopback"].copy()
        case "closed":
            closed: Mask = snapshot.columns["stop_ns"] > 0
            return closed
        case _:
            return _compare(snapshot, Compare(field, Op.EQ, value))


def _compare(snapshot: Snapshot, node: Compare) -> Mask:
    if isinstance(node.value, Network):
        return _in_network(snapshot, node.value, node.side, negated=node.op is Op.NE)
    if isinstance(node.value, Span):
        mask = np.zeros(snapshot.size, np.bool_)
        for numbers in _numbers(snapshot, node.field, node.side):
            mask |= _fits(numbers, node.op, node.value)
        return mask
    if node.value == "*" and node.field in {"host", "net"}:
        known = rows_at(snapshot, node.side or Side.SRC) > 0
        return known if node.op is Op.EQ else np.zeros(snapshot.size, np.bool_)
    if FILTER_FIELDS[node.field].of in {Of.NUMBER, Of.AMOUNT, Of.SECONDS} and node.value == "*":
        known = reduce(or_, (~np.isnan(numbers) for numbers in _numbers(snapshot, node.field, node.side)))
        return known if node.op is Op.EQ else np.zeros(snapshot.size, np.bool_)
    if node.field == "port":
        return _named_port(snapshot, node)
    field = "name" if node.field == "host" else node.field
    return _texts(snapshot, field, node.side, _test(node.op, node.value))


# texts


def _test(op: Op, wanted: str) -> Test:
    """The test of one text."""
    if op in {Op.MATCH, Op.MISMATCH}:
        search = _searching(Regex(wanted))
        return search if op is Op.MATCH else lambda text: not search(text)
    fits = _like(wanted.casefold())
    return (lambda text: fits(text.casefold())) if op is Op.EQ else lambda text: not fits(text.casefold())


def _like(wanted: str) -> Test:
    """Equal, where * stands for anything and ? for one character."""
    return _searching(glob(wanted)) if set(wanted) & set("*?") else wanted.__eq__


def _searching(regex: Regex) -> Test:
    def search(text: str) -> bool:
        found = regex.search(text)
        if regex.steps > MOST_STEPS:
            raise TooSlowError
        return found

    return search


def _texts(snapshot: Snapshot, field: str, side: Side | None, test: Test) -> Mask:
    match field:
        case "proto":
            table = np.array([test(protocol_name(number)) or test(str(number)) for number in range(256)])
            mask: Mask = table[snapshot.columns["proto"]]
        case "state":
            mask = _state(snapshot, test)
        case "status":
            bits = sum(1 << bit for name, bit in STATUS_BITS.items() if test(name))
            mask = snapshot.columns["status"] & np.uint32(bits) > 0
        case "nat":
            status = snapshot.columns["status"]
            snat, dnat = (1 << STATUS_BITS[name] for name in ("snat", "dnat"))
            table = np.array([test(nat_name(first | second)) for second in (0, dnat) for first in (0, snat)])
            mask = table[(status & np.uint32(snat) > 0) + 2 * (status & np.uint32(dnat) > 0)]
        case "id":
            mask = np.fromiter((test(flow_id(key)) for key in snapshot.columns["key"].tolist()), np.bool_)
        case _:
            mask = np.zeros(snapshot.size, np.bool_)
            for ids, value in _records(snapshot, field, side):
                mask |= _spread(ids, value, test)
    return mask


def _state(snapshot: Snapshot, test: Test) -> Mask:
    columns = snapshot.columns
    kinds = columns["proto"].astype(np.intp) * _STATES + np.minimum(columns["state"], _STATES - 1)
    table = np.zeros(256 * _STATES, np.bool_)
    for kind in np.unique(kinds).tolist():
        name = state_name(*divmod(kind, _STATES))
        table[kind] = name is not None and test(name)
    mask: Mask = table[kinds] & carries(columns["has"], Has.STATE)
    return mask


def _records(snapshot: Snapshot, field: str, side: Side | None) -> Iterator[tuple[Ids, _Values]]:
    """Yield for the ends that are meant which record each flow has there, and what a record says."""
    dimensions = snapshot.dimensions
    if field in ADDRESS_JOINS:
        kind, value = ADDRESS_JOINS[field]
        for end in _EITHER if side is None else (side,):
            yield dimensions.addresses[kind][rows_at(snapshot, end)], lambda number: value(dimensions, number)
        return
    join = JOINS[_JOINED.get(field, field)]
    yield join.ids(snapshot, np.arange(snapshot.size)), lambda number: join.value(dimensions, number)


def _spread(ids: Ids, value: _Values, test: Test) -> Mask:
    """Test each record that occurs, and spread the answers over the flows."""
    if not len(ids):
        return np.zeros(0, np.bool_)
    table = np.zeros(int(ids.max()) + 1, np.bool_)
    table[ids] = True
    for number in np.flatnonzero(table).tolist():
        text = value(number)
        table[number] = text is not None and test(str(text))
    mask: Mask = table[ids]
    return mask


def _search(snapshot: Snapshot, text: str) -> Mask:
    """A text anywhere: in the middle of names and descriptions, whole where it is a code or a keyword."""
    wanted = text.casefold()

    def inside(said: str) -> bool:
        return wanted in said.casefold()

    mask = np.zeros(snapshot.size, np.bool_)
    for field in (*_SEARCHED, *_SEARCHED_ENDS):
        mask |= _texts(snapshot, _WIRE_TO_FILTER.get(field, field), None, inside)
    # a number alone is no protocol to a person
    for field in ("country", "state") if wanted.isdigit() else ("country", "proto", "state"):
        mask |= _texts(snapshot, field, None, lambda said: said.casefold() == wanted)
    return mask


_WIRE_TO_FILTER: Final = {wire: name for name, wire in _JOINED.items()}


def _named_port(snapshot: Snapshot, node: Compare) -> Mask:
    """A port by the name of its service."""
    assert isinstance(node.value, str)
    mask = _texts(snapshot, "service", None, _test(node.op, node.value))
    if node.side is not None:
        mask &= ports_at(snapshot, node.side) == snapshot.columns["service_port"]
    return mask


# addresses


def _in_network(snapshot: Snapshot, network: Network, side: Side | None, *, negated: bool) -> Mask:
    """Tell where an address of the side is in the network; without a side, also those after NAT."""
    if side is None:
        ends = [snapshot.columns[name] for name in ("src", "dst", "reply_src", "reply_dst")]
    else:
        ends = [snapshot.dimensions.addresses["address"][rows_at(snapshot, side)]]
    known = [end.any(axis=1) if side is Side.LOCAL else None for end in ends]
    mask = np.zeros(snapshot.size, np.bool_)
    for end, is_known in zip(ends, known, strict=True):
        inside = _within(end, network)
        fits = ~inside if negated else inside
        mask |= fits if is_known is None else fits & is_known
    return mask


def _within(addresses: NDArray[np.uint64], network: Network) -> Mask:
    mask: Mask = np.ones(len(addresses), np.bool_)
    for column, shift in ((0, 64), (1, 0)):
        bits = network.mask >> shift & 0xFFFF_FFFF_FFFF_FFFF
        if bits:
            wanted = np.uint64(network.address >> shift & bits)
            mask &= addresses[:, column] & np.uint64(bits) == wanted
    return mask


# numbers


def _numbers(snapshot: Snapshot, field: str, side: Side | None) -> Iterator[NDArray[np.float64]]:
    """Yield the numbers of the ends that are meant, NaN where unknown."""
    everything = np.arange(snapshot.size)
    match field:
        case "port":
            has = carries(snapshot.columns["has"], Has.PORTS)
            if side is not None:
                yield np.where(has, ports_at(snapshot, side), np.nan)
            else:
                for name in ("sport", "dport", "reply_sport", "reply_dport"):
                    yield np.where(has, snapshot.columns[name], np.nan)
        case "flows":
            yield np.ones(snapshot.size)
        case "service_port":
            yield np.where(snapshot.columns["service_by"] > 0, snapshot.columns["service_port"], np.nan)
        case "asn" | "pid" | "uid":
            for ids, value in _records(snapshot, field, side):
                yield _spread_numbers(ids, value)
        case _:
            yield SORT_KEYS[field](snapshot, everything)


def _spread_numbers(ids: Ids, value: _Values) -> NDArray[np.float64]:
    if not len(ids):
        return np.zeros(0)
    used = np.zeros(int(ids.max()) + 1, np.bool_)
    used[ids] = True
    table = np.full(len(used), np.nan)
    for number in np.flatnonzero(used).tolist():
        said = value(number)
        table[number] = np.nan if said is None else said
    numbers: NDArray[np.float64] = table[ids]
    return numbers


def _fits(numbers: NDArray[np.float64], op: Op, span: Span) -> Mask:
    if op in _COMPARED:
        compared: Mask = _COMPARED[op](numbers, span.low)
        return compared
    inside: Mask = (numbers >= span.low) & (numbers <= span.high)
    return inside if op is Op.EQ else ~inside & ~np.isnan(numbers)
