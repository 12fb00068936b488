"""The attributes of a conntrack message, declared once: where each stands, how it is coded, what it is called.

Both decoders read this tree: the general one (`ctentry`) attribute by attribute, the columnar one (`ctlayout`) for
all messages of one layout at a time. What is not in the tree is skipped. Source: linux/netfilter/
nfnetlink_conntrack.h and net/netfilter/nf_conntrack_netlink.c. Values are big-endian.

Addresses are 128 bits for both families; IPv4 is held as IPv4-mapped IPv6 (RFC 4291, 2.5.5.2), so that they
compare and sort alike.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from flowtopd.netlink import uapi


class Coding(StrEnum):
    """How a value is written. The integers are spelled as numpy spells their dtypes."""

    U8 = ">u1"
    U16 = ">u2"
    U32 = ">u4"
    U64 = ">u8"
    IPV4 = "ipv4"
    IPV6 = "ipv6"
    TEXT = "text"
    BYTES = "bytes"


SIZES: Final = {Coding.U8: 1, Coding.U16: 2, Coding.U32: 4, Coding.U64: 8, Coding.IPV4: 4, Coding.IPV6: 16}
"""Bytes of the values that always have the same size."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """An attribute with a value."""

    name: str
    coding: Coding


Tree = dict[int, "Leaf | Tree"]


def _tuple(prefix: str, zone: str = "zone") -> Tree:
    """One direction of a flow. A zone that holds for one direction only stands in the tuple instead of CTA_ZONE."""
    icmp = {
        "id": Leaf(f"{prefix}icmp_id", Coding.U16),
        "type": Leaf(f"{prefix}icmp_type", Coding.U8),
        "code": Leaf(f"{prefix}icmp_code", Coding.U8),
    }
    return {
        uapi.CTA_TUPLE_IP: {
            uapi.CTA_IP_V4_SRC: Leaf(f"{prefix}src", Coding.IPV4),
            uapi.CTA_IP_V4_DST: Leaf(f"{prefix}dst", Coding.IPV4),
            uapi.CTA_IP_V6_SRC: Leaf(f"{prefix}src", Coding.IPV6),
            uapi.CTA_IP_V6_DST: Leaf(f"{prefix}dst", Coding.IPV6),
        },
        uapi.CTA_TUPLE_PROTO: {
            uapi.CTA_PROTO_NUM: Leaf(f"{prefix}proto", Coding.U8),
            uapi.CTA_PROTO_SRC_PORT: Leaf(f"{prefix}sport", Coding.U16),
            uapi.CTA_PROTO_DST_PORT: Leaf(f"{prefix}dport", Coding.U16),
            uapi.CTA_PROTO_ICMP_ID: icmp["id"],
            uapi.CTA_PROTO_ICMP_TYPE: icmp["type"],
            uapi.CTA_PROTO_ICMP_CODE: icmp["code"],
            uapi.CTA_PROTO_ICMPV6_ID: icmp["id"],
            uapi.CTA_PROTO_ICMPV6_TYPE: icmp["type"],
            uapi.CTA_PROTO_ICMPV6_CODE: icmp["code"],
        },
        uapi.CTA_TUPLE_ZONE: Leaf(zone, Coding.U16),
    }


def _counters(prefix: str) -> Tree:
    return {
        uapi.CTA_COUNTERS_PACKETS: Leaf(f"{prefix}_packets", Coding.U64),
        uapi.CTA_COUNTERS_BYTES: Leaf(f"{prefix}_bytes", Coding.U64),
    }


def _seqadj(prefix: str) -> Tree:
    return {
        uapi.CTA_SEQADJ_CORRECTION_POS: Leaf(f"{prefix}_seqadj_correction_pos", Coding.U32),
        uapi.CTA_SEQADJ_OFFSET_BEFORE: Leaf(f"{prefix}_seqadj_offset_before", Coding.U32),
        uapi.CTA_SEQADJ_OFFSET_AFTER: Leaf(f"{prefix}_seqadj_offset_after", Coding.U32),
    }


CONNTRACK: Final[Tree] = {
    uapi.CTA_TUPLE_ORIG: _tuple(""),
    uapi.CTA_TUPLE_REPLY: _tuple("reply_"),
    uapi.CTA_STATUS: Leaf("status", Coding.U32),
    uapi.CTA_PROTOINFO: {
        uapi.CTA_PROTOINFO_TCP: {
            uapi.CTA_PROTOINFO_TCP_STATE: Leaf("state", Coding.U8),
            uapi.CTA_PROTOINFO_TCP_WSCALE_ORIGINAL: Leaf("tcp_wscale_orig", Coding.U8),
            uapi.CTA_PROTOINFO_TCP_WSCALE_REPLY: Leaf("tcp_wscale_reply", Coding.U8),
            uapi.CTA_PROTOINFO_TCP_FLAGS_ORIGINAL: Leaf("tcp_flags_orig", Coding.BYTES),
            uapi.CTA_PROTOINFO_TCP_FLAGS_REPLY: Leaf("tcp_flags_reply", Coding.BYTES),
        },
        uapi.CTA_PROTOINFO_DCCP: {
            uapi.CTA_PROTOINFO_DCCP_STATE: Leaf("state", Coding.U8),
            uapi.CTA_PROTOINFO_DCCP_ROLE: Leaf("dccp_role", Coding.U8),
            uapi.CTA_PROTOINFO_DCCP_HANDSHAKE_SEQ: Leaf("dccp_handshake_seq", Coding.U64),
        },
        uapi.CTA_PROTOINFO_SCTP: {
            uapi.CTA_PROTOINFO_SCTP_STATE: Leaf("state", Coding.U8),
            uapi.CTA_PROTOINFO_SCTP_VTAG_ORIGINAL: Leaf("sctp_vtag_orig", Coding.U32),
            uapi.CTA_PROTOINFO_SCTP_VTAG_REPLY: Leaf("sctp_vtag_reply", Coding.U32),
        },
    },
    uapi.CTA_HELP: {uapi.CTA_HELP_NAME: Leaf("helper", Coding.TEXT)},
    uapi.CTA_TIMEOUT: Leaf("timeout", Coding.U32),
    uapi.CTA_MARK: Leaf("mark", Coding.U32),
    uapi.CTA_COUNTERS_ORIG: _counters("orig"),
    uapi.CTA_COUNTERS_REPLY: _counters("reply"),
    uapi.CTA_USE: Leaf("use", Coding.U32),
    uapi.CTA_ID: Leaf("ctid", Coding.U32),
    uapi.CTA_TUPLE_MASTER: _tuple("master_", "master_zone"),
    uapi.CTA_SEQ_ADJ_ORIG: _seqadj("orig"),
    uapi.CTA_SEQ_ADJ_REPLY: _seqadj("reply"),
    uapi.CTA_ZONE: Leaf("zone", Coding.U16),
    uapi.CTA_SECCTX: {uapi.CTA_SECCTX_NAME: Leaf("secctx", Coding.TEXT)},
    uapi.CTA_TIMESTAMP: {
        uapi.CTA_TIMESTAMP_START: Leaf("start_ns", Coding.U64),
        uapi.CTA_TIMESTAMP_STOP: Leaf("stop_ns", Coding.U64),
    },
    uapi.CTA_LABELS: Leaf("labels", Coding.BYTES),
    uapi.CTA_SYNPROXY: {
        uapi.CTA_SYNPROXY_ISN: Leaf("synproxy_isn", Coding.U32),
        uapi.CTA_SYNPROXY_ITS: Leaf("synproxy_its", Coding.U32),
        uapi.CTA_SYNPROXY_TSOFF: Leaf("synproxy_tsoff", Coding.U32),
    },
}
