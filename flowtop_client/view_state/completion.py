"""What can stand at a place in a filter: words of the language, and values of fields that were seen in rows.

    coun          ─▶ country                     behind a condition also `and` and `or`
    remote c      ─▶ country, city               fields that have sides
    country D     ─▶ DE, DK                      from the rows, and the few values that always are
    process = "We ─▶ "Web Content"

Pure. Capitals do not matter; a value that the language would not read as one text is quoted.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from flowtopd.wire.filter_fields import FILTER_FIELDS, FLAGS, Side
from flowtopd.wire.filter_parser import Token, tokens
from flowtopd.wire.filter_syntax import FilterSyntaxError, Op

Seen = Mapping[str, tuple[str, ...]]
"""Values by the name of the filter field that takes them."""

_ROW_FIELDS: Final = {
    # a field of flows or of groups: the fields of the filter language that take its values
    **{
        name: (name,)
        for name in ("process", "pid", "user", "unit", "container", "attribution", "device", "mac", "vendor")
    },
    **{name: (name,) for name in ("proto", "state", "nat", "direction", "country", "city", "asn", "org")},
    **{f"{end}_{name}": (name,) for end in ("src", "dst") for name in ("country", "city", "asn", "org")},
    **dict.fromkeys(("name", "src_name", "dst_name"), ("name", "host")),
    **dict.fromkeys(("address", "src", "dst"), ("host",)),
    "device_mac": ("mac",),
    "device_vendor": ("vendor",),
    "service": ("service", "port"),
    "dport": ("port",),
    "port": ("port", "service_port"),
}

_ALWAYS: Final = {
    "proto": ("tcp", "udp", "icmp", "icmpv6", "sctp", "gre"),
    "state": ("ESTABLISHED", "SYN_SENT", "SYN_RECV", "FIN_WAIT", "CLOSE_WAIT", "LAST_ACK", "TIME_WAIT", "CLOSE"),
    "status": ("assured", "seen_reply", "snat", "dnat", "offload", "hw_offload", "dying", "helper"),
    "direction": ("outbound", "inbound", "forwarded", "local"),
    "nat": ("none", "snat", "dnat", "both"),
    "scope": ("host", "lan", "uplink", "remote", "group"),
    "attribution": ("exact", "listener", "cgroup", "forwarded", "exited", "kernel", "other-netns", "no-permission"),
}

# compiled where they are used: most starts need none
_UNFINISHED: Final = r'"(?:[^"\\]|\\.)*\Z|[^\s()"<>=~!&|]*\Z'
_PLAIN: Final = r"[\w:.*-][^\s()\"<>=~!&|]*"
_JOINS: Final = ("and", "or", "not")
_NO_VALUES: Final = frozenset({"and", "or", "*"})
"""What stands behind a field without being its value, or its text."""


def values_seen(fields: Sequence[str], rows: Iterable[Sequence[Any]]) -> Seen:
    """The values in these rows, each once and in their order."""
    seen: dict[str, dict[str, None]] = {}
    taken = [(place, _ROW_FIELDS[name]) for place, name in enumerate(fields) if name in _ROW_FIELDS]
    for row in rows:
        for place, names in taken:
            if row[place] not in {None, ""}:
                for name in names:
                    seen.setdefault(name, {})[str(row[place])] = None
    return {name: tuple(values) for name, values in seen.items()}


def offers(text: str, at: int, seen: Seen) -> tuple[int, tuple[str, ...]]:
    """Where the unfinished word before `at` begins, and the words that it may become."""
    found = re.compile(_UNFINISHED, re.DOTALL).search(text, 0, at)
    start = found.start() if found else at
    begun = text[start:at].lstrip('"').lower()
    try:
        before = list(tokens(text[:start]))
    except FilterSyntaxError:
        return at, ()
    words = dict.fromkeys(word for word in _possible(before, seen) if word.lower().lstrip('"').startswith(begun))
    return start, tuple(words)


def _possible(before: list[Token], seen: Seen) -> Iterable[str]:
    """What may follow these tokens."""
    last = _word(before, 1)
    field = _word(before, 2) if last in list(Op) else last
    if field in FILTER_FIELDS:
        return map(_quoted, sorted({*seen.get(field, ()), *_ALWAYS.get(field, ())}, key=str.lower))
    if last in list(Side):
        return [name for name, field in FILTER_FIELDS.items() if field.sided] + sorted(seen.get("host", ()))
    joins = ("not",) if not before or last in {*_JOINS, "("} else _JOINS
    return [*joins, *FILTER_FIELDS, *Side, "nat", *FLAGS]


def _word(before: list[Token], back: int) -> str:
    """The token so many before the end, in small letters; empty where it is a quoted text or there is none."""
    return "" if len(before) < back or before[-back].quoted else before[-back].text.lower()


def _quoted(value: str) -> str:
    if re.fullmatch(_PLAIN, value) and value.lower() not in _NO_VALUES:
        return value
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
