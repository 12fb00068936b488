"""Entries into a kernel's conntrack table, by raw ctnetlink messages: 100 000 in a second or two.

    nlmsghdr  length, IPCTNL_MSG_CT_NEW, REQUEST|CREATE|EXCL, seq = index of the entry
    nfgenmsg  family
    attributes: tuple orig, tuple reply, status, timeout, protoinfo, NAT, mark, zone ...

Messages are packed about 16 KB a send. The kernel handles a send before it returns and answers only
mistakes, so the answers are read after every send without waiting. Nothing is refused silently.

What the kernel makes of it: counters start at 0 and cannot be set; every entry made this way carries
CTA_SYNPROXY, of zeros where none was asked for (ctnetlink_create_conntrack adds the extension to all).
"""

import os
import socket
from collections.abc import Iterable
from struct import Struct
from typing import Final

from testbed.entries import Entry, Nat, Proto, Tuple
from testbed.netns import Namespace

NETLINK_NETFILTER: Final = 12  # linux/netlink.h
_NLMSG_ERROR: Final = 2
_CT_NEW: Final = 1 << 8  # NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_NEW
_REQUEST_CREATE_EXCL: Final = 0x1 | 0x400 | 0x200  # linux/netlink.h NLM_F_*
_NESTED: Final = 0x8000  # NLA_F_NESTED
_SEND_BYTES: Final = 16 * 1024
_MESSAGE: Final = Struct("=IHHII BBH")  # nlmsghdr, nfgenmsg
_HEADER: Final = Struct("=IHHIIi")  # nlmsghdr, error of nlmsgerr
_ATTRIBUTE: Final = Struct("=HH")
_PORTS_V4: Final = Struct("=HH HH HH4s HH4s HH HHB3x HH2s2x HH2s2x")  # a tuple with ports, attribute by attribute
_PORTS_V6: Final = Struct("=HH HH HH16s HH16s HH HHB3x HH2s2x HH2s2x")

# linux/netfilter/nfnetlink_conntrack.h
_CTA_TUPLE_ORIG, _CTA_TUPLE_REPLY, _CTA_STATUS, _CTA_PROTOINFO, _CTA_HELP, _CTA_NAT_SRC = 1, 2, 3, 4, 5, 6
_CTA_TIMEOUT, _CTA_MARK, _CTA_NAT_DST, _CTA_SEQ_ADJ_ORIG, _CTA_SEQ_ADJ_REPLY = 7, 8, 13, 15, 16
_CTA_ZONE, _CTA_LABELS, _CTA_SYNPROXY = 18, 22, 24
_CTA_TUPLE_IP, _CTA_TUPLE_PROTO, _CTA_TUPLE_ZONE = 1, 2, 3
_CTA_PROTOINFO_TCP, _CTA_PROTOINFO_SCTP = 1, 3


class InjectError(Exception):
    """The kernel refused entries. `refused` is the index and the errno of each."""

    def __init__(self, refused: list[tuple[int, int]]) -> None:
        index, number = refused[0]
        super().__init__(f"{len(refused)} entries refused, first number {index}: {os.strerror(number)}")
        self.refused = refused


def _attribute(kind: int, payload: bytes) -> bytes:
    length = 4 + len(payload)
    return _ATTRIBUTE.pack(length, kind) + payload + b"\0" * (-length & 3)


def _number(kind: int, value: int, size: int) -> bytes:
    return _attribute(kind, value.to_bytes(size, "big"))


def _nest(kind: int, *parts: bytes) -> bytes:
    return _attribute(kind | _NESTED, b"".join(parts))


def _protocol(direction: Tuple) -> bytes:
    """CTA_TUPLE_PROTO: the number, then ports or ICMP fields."""
    parts = [_number(1, direction.proto, 1)]
    if direction.sport is not None and direction.dport is not None:
        parts += [_number(2, direction.sport, 2), _number(3, direction.dport, 2)]
    if direction.icmp_type is not None:
        first = 7 if direction.proto == Proto.ICMPV6 else 4  # CTA_PROTO_ICMPV6_ID, CTA_PROTO_ICMP_ID
        parts += [
            _number(first, direction.icmp_id or 0, 2),
            _number(first + 1, direction.icmp_type, 1),
            _number(first + 2, direction.icmp_code or 0, 1),
        ]
    return _nest(_CTA_TUPLE_PROTO, *parts)


def _tuple(kind: int, direction: Tuple) -> bytes:
    """CTA_TUPLE_ORIG or CTA_TUPLE_REPLY. TCP and UDP in one step: twice as fast for a whole table."""
    src, dst, sport, dport = direction.src.packed, direction.dst.packed, direction.sport, direction.dport
    if sport is not None and dport is not None and direction.zone is None:
        layout, first = (_PORTS_V4, 1) if len(src) == 4 else (_PORTS_V6, 3)
        head = (layout.size, kind | _NESTED, 8 + 2 * len(src) + 4, _CTA_TUPLE_IP | _NESTED)
        ends = (4 + len(src), first, src, 4 + len(src), first + 1, dst)
        ports = (5, 1, direction.proto, 6, 2, sport.to_bytes(2, "big"), 6, 3, dport.to_bytes(2, "big"))
        return layout.pack(*head, *ends, 28, _CTA_TUPLE_PROTO | _NESTED, *ports)
    first = 1 if len(src) == 4 else 3  # CTA_IP_V4_SRC, CTA_IP_V6_SRC
    addresses = _attribute(first, src) + _attribute(first + 1, dst)
    parts = [_nest(_CTA_TUPLE_IP, addresses), _protocol(direction)]
    if direction.zone is not None:
        parts.append(_number(_CTA_TUPLE_ZONE, direction.zone, 2))
    return _nest(kind, *parts)


def _nat(kind: int, nat: Nat) -> bytes:
    minimum, maximum = (1, 2) if nat.address.version == 4 else (4, 5)  # CTA_NAT_V4_MINIP.., CTA_NAT_V6_MINIP..
    parts = [_attribute(minimum, nat.address.packed), _attribute(maximum, nat.address.packed)]
    if nat.port is not None:
        parts.append(_nest(3, _number(1, nat.port, 2), _number(2, nat.port, 2)))  # CTA_NAT_PROTO, CTA_PROTONAT_PORT_*
    return _nest(kind, *parts)


def _protoinfo(entry: Entry, state: int) -> bytes:
    if entry.orig.proto == Proto.SCTP:  # a state comes with both verification tags or not at all
        return _nest(
            _CTA_PROTOINFO, _nest(_CTA_PROTOINFO_SCTP, _number(1, state, 1), _number(2, 1001, 4), _number(3, 1002, 4))
        )
    return _nest(_CTA_PROTOINFO, _nest(_CTA_PROTOINFO_TCP, _number(1, state, 1)))


def _rare(entry: Entry) -> bytes:
    parts = []
    if entry.labels is not None:
        parts.append(_attribute(_CTA_LABELS, entry.labels))
    if entry.helper is not None:
        parts.append(_nest(_CTA_HELP, _attribute(1, entry.helper.encode() + b"\0")))
    if entry.seqadj is not None:
        numbers = (entry.seqadj.position, entry.seqadj.before, entry.seqadj.after)
        adjust = b"".join(_number(kind, value, 4) for kind, value in enumerate(numbers, 1))
        parts += [_nest(_CTA_SEQ_ADJ_ORIG, adjust), _nest(_CTA_SEQ_ADJ_REPLY, adjust)]
    if entry.synproxy is not None:
        numbers = (entry.synproxy.isn, entry.synproxy.its, entry.synproxy.tsoff)
        parts.append(_nest(_CTA_SYNPROXY, *(_number(kind, value, 4) for kind, value in enumerate(numbers, 1))))
    return b"".join(parts)


def message(entry: Entry, seq: int) -> bytes:
    """The netlink message that creates `entry`."""
    # The kernel computes the NATed reply itself and sets the NAT bits only when it is given the plain inverse
    reply = entry.orig.inverse(entry.reply_zone)
    parts = [
        _tuple(_CTA_TUPLE_ORIG, entry.orig),
        _tuple(_CTA_TUPLE_REPLY, reply),
        _number(_CTA_STATUS, entry.status, 4),
        _number(_CTA_TIMEOUT, entry.timeout, 4),
    ]
    if entry.state is not None:
        parts.append(_protoinfo(entry, entry.state))
    if entry.snat is not None:
        parts.append(_nat(_CTA_NAT_SRC, entry.snat))
    if entry.dnat is not None:
        parts.append(_nat(_CTA_NAT_DST, entry.dnat))
    if entry.mark:
        parts.append(_number(_CTA_MARK, entry.mark, 4))
    if entry.zone:
        parts.append(_number(_CTA_ZONE, entry.zone, 2))
    parts.append(_rare(entry))
    body = b"".join(parts)
    family = socket.AF_INET if entry.orig.src.version == 4 else socket.AF_INET6
    return _MESSAGE.pack(_MESSAGE.size + len(body), _CT_NEW, _REQUEST_CREATE_EXCL, seq, 0, family, 0, 0) + body


def _drain(sock: socket.socket) -> list[tuple[int, int]]:
    """What the kernel has answered so far: (seq, errno) of every mistake."""
    refused: list[tuple[int, int]] = []
    while True:
        try:
            data = sock.recv(65_536, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return refused
        offset = 0
        while offset < len(data):
            length, kind, _, seq, _, error = _HEADER.unpack_from(data, offset)
            if kind == _NLMSG_ERROR and error != 0:
                refused.append((seq, -error))
            offset += length + 3 & ~3


def inject(namespace: Namespace, entries: Iterable[Entry]) -> int:
    """Put `entries` into the table of `namespace`; how many they were. Raises InjectError when any was refused.

    Turn on counters and timestamps before (`Namespace.account`) for entries that have them.
    """
    refused: list[tuple[int, int]] = []
    count = 0
    pending: list[bytes] = []
    size = 0
    with namespace.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER) as sock:
        for entry in entries:
            data = message(entry, count)
            count += 1
            pending.append(data)
            size += len(data)
            if size >= _SEND_BYTES:
                sock.send(b"".join(pending))
                refused += _drain(sock)
                pending.clear()
                size = 0
        sock.send(b"".join(pending))
        refused += _drain(sock)
    if refused:
        raise InjectError(refused)
    return count
