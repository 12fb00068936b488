"""The values of the filter language: a word in, a number, a span of numbers or a network out; None where it is none.

`value_of` reads one for a field; `wanted` and `several` say what is wrong where there is none.
"""

import ipaddress
import re
from collections.abc import Callable
from typing import Final

from flowtopd.wire.filter_fields import FilterField, Of, Side
from flowtopd.wire.filter_syntax import Network, Op, Span, Value

# compiled where they are used: most starts need none
_DOTTED: Final = r"(?:\d{1,3}\.){1,3}"


def network(text: str) -> Network | None:
    """An address or a network, None where it is none. `192.168.` and `10.1.` are networks too."""
    if re.fullmatch(_DOTTED, text):
        known = text.count(".")
        text = text + ".".join(["0"] * (4 - known)) + f"/{8 * known}"
    elif not re.match(r"[0-9a-fA-F:]", text) or not ("." in text or ":" in text):
        return None
    try:
        network = ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None
    if network.version == 6:
        return Network(int(network.network_address), network.prefixlen)
    return Network(0xFFFF << 32 | int(network.network_address), 96 + network.prefixlen)


# what could only be an address or a network: no name ends in a number (RFC 3696, 2), or has a colon
_LIKE_IPV4: Final = r"[0-9]+(?:\.[0-9]*)+(?:[/:].*)?|[0-9]+/[0-9]+"
_LIKE_IPV6: Final = r"[0-9a-fA-F]*:[0-9a-fA-F]*:[0-9a-fA-F:.]*(?:[/%].*)?"


def _host(text: str) -> Value | None:
    if (found := network(text)) is not None:
        return found
    return None if re.fullmatch(f"{_LIKE_IPV4}|{_LIKE_IPV6}", text) else text or None


_NUMBER: Final = r"(0[xX][0-9a-fA-F]+|\d+)(?:-(0[xX][0-9a-fA-F]+|\d+))?"


def _number(text: str) -> Span | None:
    found = re.fullmatch(_NUMBER, text)
    if found is None or len(text) > 40:
        return None
    low, high = (float(int(part, 0 if part[:2] in {"0x", "0X"} else 10)) for part in (found[1], found[2] or found[1]))
    return Span(low, high) if low <= high else None


def highest(value: Value) -> float:
    """The highest number that is meant, -1 where none is."""
    if isinstance(value, Span):
        return value.high
    return int(value) if isinstance(value, str) and value.isdecimal() else -1


_AMOUNT: Final = r"(\d{1,20}(?:\.\d{1,20})?)([kKMGTP]?)(i?)(b|B|bit|bits|bps)?(?:/s)?"
_PREFIXES: Final = {prefix: power for power, prefix in enumerate(("", "k", "M", "G", "T", "P"))} | {"K": 1}


def _amount(text: str) -> Span | None:
    found = re.fullmatch(_AMOUNT, text)
    if found is None or (found[3] and not found[2]):
        return None
    value = float(found[1]) * (1024 if found[3] else 1000) ** _PREFIXES[found[2]]
    value /= 8 if found[4] in {"bit", "bits", "bps"} else 1
    return Span(value, value)


_SECONDS: Final = r"(\d{1,12}(?:\.\d{1,9})?)(ms|s|m|min|h|d|w)?"
_UNITS_S: Final = {None: 1.0, "ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}


def _seconds(text: str) -> Span | None:
    found = re.fullmatch(_SECONDS, text)
    if found is None:
        return None
    value = float(found[1]) * _UNITS_S[found[2]]
    return Span(value, value)


EQUAL: Final = frozenset({Op.EQ, Op.NE})
_TEXTUAL: Final = EQUAL | {Op.MATCH, Op.MISMATCH}
_ORDERED: Final = EQUAL | {Op.LT, Op.LE, Op.GT, Op.GE}
OPERATORS: Final = {
    Of.ADDRESS: _TEXTUAL,
    Of.TEXT: _TEXTUAL,
    Of.NUMBER: _ORDERED,
    Of.AMOUNT: _ORDERED,
    Of.SECONDS: _ORDERED,
}
_VALUES: Final[dict[Of, Callable[[str], Value | None]]] = {
    Of.ADDRESS: _host,
    Of.TEXT: lambda text: text,
    Of.NUMBER: _number,
    Of.AMOUNT: _amount,
    Of.SECONDS: _seconds,
}
_WANTED: Final = {
    "net": "a network, as 10.0.0.0/8 or 192.168.",
    "asn": "a whole number, as 13335 or AS13335",
    Of.ADDRESS: "an address, a network as 10.0.0.0/8 or 192.168., or a name",
    Of.TEXT: "a text",
    Of.NUMBER: "a whole number, or two as 1-1024",
    Of.AMOUNT: "an amount, as 10k or 1.5M",
    Of.SECONDS: "a time, as 90s or 5m",
}


def value_of(field: FilterField, op: Op, text: str) -> Value | None:
    """What is meant by this text as a value of the field, None where it is none."""
    if field.name == "asn":
        text = re.sub(r"(?i)\bAS(?=\d)", "", text)
    found = _VALUES[field.of](text)
    if found is None and field.name == "port" and op in EQUAL and re.fullmatch(r"[a-zA-Z*][^,]*", text):
        return text  # the name of a service
    return None if field.name == "net" and not isinstance(found, Network) else found


def wanted(field: FilterField) -> str:
    """What its values are."""
    return _WANTED[field.name if field.name in _WANTED else field.of]


def several(field: FilterField, op: Op, text: str, side: Side | None) -> str:
    """How to ask for several values, where this text is that with commas; else empty."""
    parts = text.split(",")
    if op not in EQUAL or len(parts) == 1 or not re.fullmatch(r"[\w.,*-]{1,40}", text, re.ASCII):
        return ""
    if any(value_of(field, op, part) is None for part in parts):
        return ""
    begin = f"{side} {field.name}" if side else field.name
    asked, between = (f"{begin} != ", " and ") if op is Op.NE else (f"{begin} ", " or ")
    return f"; for several write {between.join(asked + part for part in parts)}"
