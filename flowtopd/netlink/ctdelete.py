"""Requests that delete one entry of conntrack, and how an entry is named in a request. Bytes only, no I/O.

The kernel finds an entry by its original tuple and zone, and compares CTA_ID before it deletes: a flow that has come
since with the same tuple stays. A request without a tuple would empty the whole table (ctnetlink_del_conntrack in
net/netfilter/nf_conntrack_netlink.c), so none can be built here.

    nlmsghdr │ nfgenmsg family │ CTA_TUPLE_ORIG ( addresses, protocol ( ports or ICMP fields )) │ CTA_ZONE │ CTA_ID

An entry is a mapping as `ctentry.decode_entry` returns it; of a value that it does not have, nothing is sent.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from flowtopd.netlink import uapi
from flowtopd.netlink.nlmsg import NFGENMSG, attribute, request

_DELETE: Final = uapi.NFNL_SUBSYS_CTNETLINK << 8 | uapi.IPCTNL_MSG_CT_DELETE
_ICMPV6: Final = 58

Entry = Mapping[str, Any]


def delete_request(entry: Entry, zone: int, seq: int) -> bytes:
    """Build the request; `zone` is that of both directions or of the original one. An entry without `ctid` is refused.

    Raises KeyError where the entry lacks what makes it one.
    """
    family = entry["family"]
    payload = NFGENMSG.pack(family, uapi.NFNETLINK_V0, 0) + original(entry)
    if zone:
        payload += attribute(uapi.CTA_ZONE, zone.to_bytes(2))
    payload += attribute(uapi.CTA_ID, entry["ctid"].to_bytes(4))
    return request(_DELETE, uapi.NLM_F_REQUEST | uapi.NLM_F_ACK, seq, payload)


def original(entry: Entry) -> bytes:
    """Build CTA_TUPLE_ORIG. Raises KeyError where the entry lacks what makes it one."""
    if entry["family"] == uapi.AF_INET:
        src, dst = uapi.CTA_IP_V4_SRC, uapi.CTA_IP_V4_DST
        ends = [(entry[name] & 0xFFFF_FFFF).to_bytes(4) for name in ("src", "dst")]
    else:
        src, dst = uapi.CTA_IP_V6_SRC, uapi.CTA_IP_V6_DST
        ends = [entry[name].to_bytes(16) for name in ("src", "dst")]
    addresses = attribute(src, ends[0]) + attribute(dst, ends[1])
    parts = _nest(uapi.CTA_TUPLE_IP, addresses) + _nest(uapi.CTA_TUPLE_PROTO, b"".join(_protocol(entry)))
    return _nest(uapi.CTA_TUPLE_ORIG, parts)


def _protocol(entry: Entry) -> Iterator[bytes]:
    """Yield the number, then ports or ICMP fields where the protocol has them."""
    yield attribute(uapi.CTA_PROTO_NUM, entry["proto"].to_bytes(1))
    icmp = (uapi.CTA_PROTO_ICMP_ID, uapi.CTA_PROTO_ICMP_TYPE, uapi.CTA_PROTO_ICMP_CODE)
    if entry["proto"] == _ICMPV6:
        icmp = (uapi.CTA_PROTO_ICMPV6_ID, uapi.CTA_PROTO_ICMPV6_TYPE, uapi.CTA_PROTO_ICMPV6_CODE)
    fields = (
        (uapi.CTA_PROTO_SRC_PORT, "sport", 2),
        (uapi.CTA_PROTO_DST_PORT, "dport", 2),
        *zip(icmp, ("icmp_id", "icmp_type", "icmp_code"), (2, 1, 1), strict=True),
    )
    for kind, name, size in fields:
        if name in entry:
            yield attribute(kind, entry[name].to_bytes(size))


def _nest(kind: int, payload: bytes) -> bytes:
    return attribute(kind | uapi.NLA_F_NESTED, payload)
