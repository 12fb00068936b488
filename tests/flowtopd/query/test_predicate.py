"""The filter on columns against a plain evaluation of one flow after the other, as JSON shows it."""

import fnmatch
import ipaddress
import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowtopd.flows.snapshot import Snapshot
from flowtopd.query.ends import rows_at
from flowtopd.query.predicate import asks_names, matches
from flowtopd.query.rows import address_text, render
from flowtopd.wire.fields import FLOW_FIELD_NAMES
from flowtopd.wire.filter_fields import FILTER_FIELDS, FLAGS, Of, Side
from flowtopd.wire.filter_parser import parse
from flowtopd.wire.filter_syntax import Both, Compare, Either, Flag, Network, Node, Not, Op, Search, Span
from tests.flowtopd.query.tables import table

Row = dict[str, Any]

_AT_THE_ENDS = ("name", "country", "city", "asn", "org")
_SUMS = {"rate": "rate", "bytes": "bytes", "packets": "packets"}
_SCOPES = ("remote", "host", "lan", "uplink", "group")


def rows(snapshot: Snapshot) -> list[Row]:
    everything = np.arange(snapshot.size)
    found = [dict(zip(FLOW_FIELD_NAMES, row, strict=True)) for row in render(snapshot, everything, FLOW_FIELD_NAMES)]
    addresses = snapshot.dimensions.addresses
    for side in (Side.LOCAL, Side.REMOTE):
        for row, at in zip(found, rows_at(snapshot, side).tolist(), strict=True):
            place = snapshot.dimensions.places[addresses["place"][at]]
            row[str(side)] = address_text(*addresses["address"][at].tolist()) if at else None
            row[f"{side}_name"] = snapshot.dimensions.names[addresses["name"][at]]
            row |= {f"{side}_{name}": getattr(place, name) for name in ("country", "city", "asn", "org")}
    for row in found:
        row["flows"] = 1
    for side in Side:
        for row, at in zip(found, rows_at(snapshot, side).tolist(), strict=True):
            row[f"{side}_scope"] = _SCOPES[addresses["where"][at]]
    for row, loopback in zip(found, snapshot.columns["loopback"].tolist(), strict=True):
        row["loopback"] = loopback
        if row["local"] == row["src"] or row["local"] is None:
            row["localport"], row["remoteport"] = row["reply_sport"], row["dport"]
            row["localport"] = row["sport"] if row["local"] else row["reply_sport"]
    return found


def values(row: Row, field: str, side: Side | None) -> list[Any]:
    """What the field has in this flow; unknown is left out."""
    found: list[Any]
    ends = [side] if side else [Side.SRC, Side.DST]
    if field in {"host", "net"}:
        found = [row[side]] if side else [row[name] for name in ("src", "dst", "reply_src", "reply_dst")]
    elif field in {*_AT_THE_ENDS, "scope"}:
        found = [row[f"{end}_{field}"] for end in ends]
    elif field == "port":
        names = [f"{side[0]}port"] if side else ["sport", "dport", "reply_sport", "reply_dport"]
        found = [row[name] for name in names]
    elif field in _SUMS:
        parts = [row[f"orig_{field}"], row[f"reply_{field}"]]
        found = [] if None in parts else [sum(parts)]
    elif field == "proto":
        numbers = {"tcp": "6", "udp": "17", "icmp": "1", "gre": "47"}
        found = [row["proto"], numbers[row["proto"]]]
    elif field == "status":
        found = row["status"]
    else:
        found = [row[{"mac": "device_mac", "vendor": "device_vendor"}.get(field, field)]]
    return [value for value in found if value is not None]


def compares(value: Any, op: Op, wanted: Any) -> bool:
    match wanted:
        case Network(address, bits):
            number = int(ipaddress.ip_address(value))
            number |= 0 if ":" in value else 0xFFFF << 32
            inside = number >> 128 - bits == address >> 128 - bits if bits else True
            return inside if op is Op.EQ else not inside
        case Span(low, high):
            inside = bool(low <= value <= high)
            return {
                Op.EQ: inside,
                Op.NE: not inside,
                Op.LT: bool(value < low),
                Op.LE: bool(value <= low),
                Op.GT: bool(value > low),
                Op.GE: bool(value >= low),
            }[op]
        case _ if op in {Op.MATCH, Op.MISMATCH}:
            return (re.search(wanted, value, re.IGNORECASE) is not None) == (op is Op.MATCH)
        case _:
            pattern = wanted.casefold().replace("[", "[[]")
            return bool(fnmatch.fnmatchcase(str(value).casefold(), pattern)) == (op is Op.EQ)


def plainly(node: Node, row: Row) -> bool:
    match node:
        case Both(parts):
            return all(plainly(part, row) for part in parts)
        case Either(parts):
            return any(plainly(part, row) for part in parts)
        case Not(part):
            return not plainly(part, row)
        case Flag(field, value):
            held = row[field]
            return value in held if isinstance(held, list) else bool(held) if not value else held == value
        case Search(text):
            return searched(row, text.casefold())
        case Compare(field, op, value, side):
            if field in {"host", "net"} and value == "*":
                return (side is None or row[side] is not None) == (op is Op.EQ)
            if field in {"host", "net"} and isinstance(value, str):
                field = "name"
            if field == "port" and isinstance(value, str):
                at_side = side is None or row[f"{side[0]}port"] == row["service_port"]
                return at_side and any(compares(said, op, value) for said in values(row, "service", None))
            return any(compares(said, op, value) for said in values(row, field, side))
    raise AssertionError(node)


def searched(row: Row, text: str) -> bool:
    inside = ("process", "user", "unit", "container", "device", "device_vendor", "service")
    ends = [f"{end}_{name}" for end in ("src", "dst") for name in ("name", "city", "org")]
    whole = ("src_country", "dst_country", "proto", "state")
    return any(text in (row[name] or "").casefold() for name in (*inside, *ends)) or any(
        text == (row[name] or "").casefold() for name in whole
    )


_TEXTS = ("DE", "us", "tcp", "17", "established", "one*", "*example.com", "tv", "a?b", "curl", "f*x", "ann", "nginx*")
_MORE = ("web", "snat", "both", "exact", "exited", "assured", "https", "CLOUDFLARENET", "outbound", "lan", "host", "*")
_REGEXES = (r"example\.com$", "^one", "GOOG", "[a-c]", "n.*x", "0.?0")
_NETWORKS = ("10.0.0.0/8", "192.168.", "1.1.1.1", "2606:4700::/32", "fd00::1", "0.0.0.0/0", "::/0")
_NUMBERS = ("443", "1-1024", "10", "11", "33", "13335", "0x7", "53", "50000", "*")
_SMALL = ("0", "3", "8", "1-128", "0x7", "255", "*")
_AMOUNTS = ("0", "100", "1k", "8Gi", "1Mbit", "200")
_TIMES = ("5", "10s", "2h", "1m", "500ms")


@st.composite
def conditions(draw: st.DrawFn) -> str:
    if draw(st.integers(0, 5)) == 0:
        return draw(st.sampled_from((*FLAGS, "nat", "example", "goog", '"one one"', "DE", "1.1.1.1")))
    field = draw(st.sampled_from(list(FILTER_FIELDS.values())))
    # the plain evaluation knows no ports of local and remote ends
    sides = (Side.SRC, Side.DST) if field.name == "port" else tuple(Side)
    side = draw(st.sampled_from(("", *(f"{side} " for side in sides)))) if field.sided else ""
    ordered = ("", "= ", "!= ", "< ", "<= ", "> ", ">= ")
    match field.of:
        case Of.ADDRESS if field.name == "net":
            rest = draw(st.sampled_from(("", "!= "))) + draw(st.sampled_from(_NETWORKS))
        case Of.ADDRESS:
            rest = draw(st.sampled_from((*_NETWORKS, "*", "example.com", r"~ ^one", r"!~ com$", "!= 10.0.0.0/8")))
        case Of.TEXT if draw(st.booleans()):
            # `nat host` are two conditions, and the second lacks its value
            bare = () if field.name == "nat" else ("",)
            rest = draw(st.sampled_from((*bare, "= ", "!= "))) + draw(st.sampled_from((*_TEXTS, *_MORE)))
        case Of.TEXT:
            rest = draw(st.sampled_from(("~ ", "!~ "))) + draw(st.sampled_from(_REGEXES))
        case Of.NUMBER:
            number = draw(st.sampled_from(_SMALL if field.most == 0xFF else _NUMBERS))
            rest = draw(st.sampled_from(("", "= ") if number == "*" or "-" in number else ordered)) + number
        case Of.AMOUNT:
            rest = draw(st.sampled_from(ordered)) + draw(st.sampled_from(_AMOUNTS))
        case Of.SECONDS:
            rest = draw(st.sampled_from(ordered)) + draw(st.sampled_from(_TIMES))
    return f"{side}{field.name} {rest}"


EXPRESSIONS = st.recursive(
    conditions(),
    lambda inner: st.one_of(
        inner.map(lambda part: f"not {part}"),
        st.tuples(inner, st.sampled_from(("and", "or", "")), inner).map(
            lambda parts: f"({parts[0]} {parts[1]} {parts[2]})"
        ),
    ),
    max_leaves=5,
)
TABLES = [table(seed, 60) for seed in range(5)]
ROWS = [rows(taken) for taken in TABLES]


@settings(max_examples=400, deadline=None)
@given(EXPRESSIONS, st.integers(0, len(TABLES) - 1))
def test_columns_and_a_plain_evaluation_mean_the_same_flows(text: str, number: int) -> None:
    node = parse(text)
    assert node is not None
    expected = [known(node, row) for row in ROWS[number]]
    assert matches(node, TABLES[number]).tolist() == expected, text


def known(node: Node, row: Row) -> bool:
    return plainly(_with_numbers_known(node), row)


def _with_numbers_known(node: Node) -> Node:
    """`pid *`: any number will do."""
    match node:
        case Both(parts):
            return Both(tuple(map(_with_numbers_known, parts)))
        case Either(parts):
            return Either(tuple(map(_with_numbers_known, parts)))
        case Not(part):
            return Not(_with_numbers_known(part))
        case Compare(field, op, "*", side) if FILTER_FIELDS[field].of is Of.NUMBER:
            return Compare(field, op, Span(float("-inf"), float("inf")), side)
    return node


@pytest.mark.parametrize("text", ["tcp", "country DE", "name ~ x", "rate > 1", "host 10.0.0.1", "foo", "id x", "pid *"])
def test_an_empty_table_has_no_matches(text: str) -> None:
    node = parse(text)
    assert node is not None
    assert matches(node, table(0, 0)).tolist() == []


@pytest.mark.parametrize(
    ("text", "asks"),
    [
        ("tcp", False),
        ("name example.com", True),
        ("host example.com", True),
        ("host 1.1.1.1", False),
        ("tcp and not (udp or name ~ x)", True),
        ("firefox", True),
        ("country DE", False),
    ],
)
def test_a_filter_asks_for_names_where_they_decide(text: str, asks: bool) -> None:
    node = parse(text)
    assert node is not None
    assert asks_names(node) is asks
