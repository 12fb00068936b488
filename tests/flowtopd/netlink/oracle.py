"""What pyroute2's own decoder makes of the same bytes, under our names.

It does not know CTA_TUPLE_ZONE, and takes CTA_HELP for text though it is nested: both are left out here.
"""

import ipaddress
from collections.abc import Callable
from typing import Any

from pyroute2.netlink.nfnetlink.nfctsocket import nfct_msg

ORACLE_IGNORES = frozenset({"zone", "master_zone", "helper"})

_PLAIN = {
    "CTA_STATUS": "status",
    "CTA_TIMEOUT": "timeout",
    "CTA_MARK": "mark",
    "CTA_USE": "use",
    "CTA_ID": "ctid",
    "CTA_ZONE": "zone",
}
_TUPLES = {"CTA_TUPLE_ORIG": "", "CTA_TUPLE_REPLY": "reply_", "CTA_TUPLE_MASTER": "master_"}
_COUNTERS = {"CTA_COUNTERS_ORIG": "orig", "CTA_COUNTERS_REPLY": "reply"}
_SEQADJ = {"CTA_SEQ_ADJ_ORIG": "orig_seqadj", "CTA_SEQ_ADJ_REPLY": "reply_seqadj"}
_INFO = {
    "CTA_PROTOINFO_TCP_STATE": "state",
    "CTA_PROTOINFO_TCP_WSCALE_ORIGINAL": "tcp_wscale_orig",
    "CTA_PROTOINFO_TCP_WSCALE_REPLY": "tcp_wscale_reply",
    "CTA_PROTOINFO_DCCP_STATE": "state",
    "CTA_PROTOINFO_DCCP_ROLE": "dccp_role",
    "CTA_PROTOINFO_DCCP_HANDSHAKE_SEQ": "dccp_handshake_seq",
    "CTA_PROTOINFO_SCTP_STATE": "state",
    "CTA_PROTOINFO_SCTP_VTAG_ORIGINAL": "sctp_vtag_orig",
    "CTA_PROTOINFO_SCTP_VTAG_REPLY": "sctp_vtag_reply",
}
_PROTO = {
    "CTA_PROTO_NUM": "proto",
    "CTA_PROTO_SRC_PORT": "sport",
    "CTA_PROTO_DST_PORT": "dport",
    "CTA_PROTO_ICMP_ID": "icmp_id",
    "CTA_PROTO_ICMP_TYPE": "icmp_type",
    "CTA_PROTO_ICMP_CODE": "icmp_code",
    "CTA_PROTO_ICMPV6_ID": "icmp_id",
    "CTA_PROTO_ICMPV6_TYPE": "icmp_type",
    "CTA_PROTO_ICMPV6_CODE": "icmp_code",
}
_TIMES = {"CTA_TIMESTAMP_START": "start_ns", "CTA_TIMESTAMP_STOP": "stop_ns"}


def _attrs(nested: Any) -> list[tuple[str, Any]]:
    return [(name, value) for name, value in nested["attrs"]]


def _address(value: str) -> int:
    parsed = ipaddress.ip_address(value)
    return int(parsed) if parsed.version == 6 else 0xFFFF << 32 | int(parsed)


def _tuple(prefix: str, value: Any, entry: dict[str, Any]) -> None:
    for name, part in _attrs(value):
        if name == "CTA_TUPLE_IP":
            for kind, address in _attrs(part):
                entry[prefix + ("src" if kind.endswith("SRC") else "dst")] = _address(address)
        elif name == "CTA_TUPLE_PROTO":
            for kind, number in _attrs(part):
                entry[prefix + _PROTO[kind]] = number


def _named(part: Any, names: dict[str, str]) -> dict[str, Any]:
    return {names[name]: value for name, value in _attrs(part) if name in names}


def _lowered(part: Any, prefix: str, cut: str) -> dict[str, Any]:
    return {f"{prefix}_{name.removeprefix(cut).lower()}": value for name, value in _attrs(part)}


def _parts(name: str, value: Any) -> dict[str, Any]:
    """What one attribute of the top level adds."""
    if name in _TUPLES:
        entry: dict[str, Any] = {}
        _tuple(_TUPLES[name], value, entry)
        return entry
    if name in _COUNTERS:
        return _lowered(value, _COUNTERS[name], "CTA_COUNTERS_")
    if name in _SEQADJ:
        return _lowered(value, _SEQADJ[name], "CTA_NAT_SEQ_")
    return _OTHERS.get(name, lambda _value: {})(value)


_OTHERS: dict[str, Callable[[Any], dict[str, Any]]] = {
    "CTA_PROTOINFO": lambda value: _named(_attrs(value)[0][1], _INFO) if _attrs(value) else {},
    "CTA_TIMESTAMP": lambda value: _named(value, _TIMES),
    "CTA_SYNPROXY": lambda value: _lowered(value, "synproxy", "CTA_SYNPROXY_"),
    "CTA_SECCTX": lambda value: _named(value, {"CTA_SECCTX_NAME": "secctx"}),
    "CTA_LABELS": lambda value: {"labels": value.to_bytes(16, "little")},
}


def oracle(message: bytes) -> dict[str, Any]:
    """Decode one message with pyroute2."""
    decoded = nfct_msg(message)
    decoded.decode()
    entry: dict[str, Any] = {"family": decoded["nfgen_family"]} | _named(decoded, _PLAIN)
    for name, value in _attrs(decoded):
        entry |= _parts(name, value)
    return {name: value for name, value in entry.items() if name not in ORACLE_IGNORES}
