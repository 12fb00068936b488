"""Whether the kernel tracks connections in this network namespace, so that an empty table can be explained.

Tracking starts only where a rule needs it. Two ways to find out, in this order:

1. The list of netfilter hooks (nfnetlink_hook, kernel ≥ 5.14, what `nft list hooks` shows): conntrack's own
   functions are in it, or they are not. It needs CAP_NET_ADMIN and CONFIG_NETFILTER_NETLINK_HOOK.
2. Where the kernel has no such list: send one empty datagram from loopback to loopback and delete its entry from
   conntrack. There was one, or there was none. It needs CAP_NET_ADMIN; nothing leaves this machine.

Rules: True and False are facts, None is "cannot be told"; nothing here raises OSError. It takes about 0.2 ms; ask
when the table is empty, and through `Tracking`, which does so once in AGAIN_S: the second way makes an entry and events
for every reader of the table.
"""

import contextlib
import errno
import itertools
import math
import os
import socket
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from flowtopd.netlink import uapi
from flowtopd.netlink.nlmsg import NFGENMSG, NLMSGHDR, MalformedMessage, attribute, attributes, request

CONNTRACK_MAX: Final = Path("/proc/sys/net/netfilter/nf_conntrack_max")

# linux/netfilter/nfnetlink.h, nfnetlink_hook.h, linux/netfilter.h
_NFNL_SUBSYS_HOOK: Final = 12
_NFNL_MSG_HOOK_GET: Final = 0
_NFNLA_HOOK_HOOKNUM: Final = 1
_NFNLA_HOOK_FUNCTION_NAME: Final = 4
_NF_INET_PRE_ROUTING: Final = 0

_CONNTRACK_IN: Final = frozenset({b"ipv4_conntrack_in", b"ipv6_conntrack_in"})  # nf_conntrack_proto.c
_FAMILIES: Final[dict[int, str]] = {socket.AF_INET: "127.0.0.1", socket.AF_INET6: "::1"}

AGAIN_S: Final = 5.0
"""Between two questions."""

_SILENCE_S: Final = 1.0
_BUFFER: Final = 64 * 1024


def tracks() -> bool | None:
    """Whether connections are tracked here, IPv4 or IPv6; None where that cannot be told."""
    with contextlib.suppress(OSError), _netfilter() as netlink:
        for ask in (_hooked, _probed):
            answers = {ask(netlink, family) for family in _FAMILIES}
            if True in answers:
                return True
            if False in answers:
                return False
    return None


class Tracking:
    """Remembers for a while what `tracks` said."""

    def __init__(self, ask: Callable[[], bool | None] = tracks, clock: Callable[[], float] = time.monotonic) -> None:
        self._ask = ask
        self._clock = clock
        self._answer: bool | None = None
        self._until_s = -math.inf

    def is_on(self) -> bool | None:
        """As `tracks`, at most AGAIN_S old."""
        now = self._clock()
        if now >= self._until_s:
            self._answer, self._until_s = self._ask(), now + AGAIN_S
        return self._answer


def conntrack_exists() -> bool:
    """Whether this kernel has conntrack at all. True where /proc hides it: then the first dump will tell.

    A ctnetlink request makes the kernel load the modules, if they are modules and not there yet.
    """
    if CONNTRACK_MAX.exists() or not CONNTRACK_MAX.parents[1].exists():
        return True
    message = (uapi.NFNL_SUBSYS_CTNETLINK << 8) | uapi.IPCTNL_MSG_CT_GET
    with contextlib.suppress(OSError), _netfilter() as netlink:
        # a question about no entry in particular: EINVAL, after the modules are there
        list(_exchange(netlink, message, uapi.NLM_F_ACK, NFGENMSG.pack(socket.AF_INET, 0, 0)))
    return CONNTRACK_MAX.exists()


def _netfilter() -> socket.socket:
    opened = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, uapi.NETLINK_NETFILTER)
    opened.settimeout(_SILENCE_S)
    return opened


_sequence = itertools.count(1)


def _exchange(netlink: socket.socket, kind: int, flags: int, payload: bytes) -> Iterator[bytes]:
    """Send a request, yield the payload of each message of the answer. Raises OSError for what was refused."""
    seq = next(_sequence)
    netlink.send(request(kind, flags | uapi.NLM_F_REQUEST, seq, payload))
    while True:
        block = netlink.recv(_BUFFER)
        at = 0
        while at + NLMSGHDR.size <= len(block):
            length, got, _, got_seq, _ = NLMSGHDR.unpack_from(block, at)
            body = block[at + NLMSGHDR.size : at + length]
            at += max(NLMSGHDR.size, (length + 3) & ~3)
            if got_seq != seq:
                continue  # what is left of an answer that nobody read to its end
            if got in {uapi.NLMSG_ERROR, uapi.NLMSG_DONE}:
                code = int.from_bytes(body[:4], sys.byteorder, signed=True)
                if code < 0:
                    raise OSError(-code, os.strerror(-code))
                return
            yield body


def _hooked(netlink: socket.socket, family: int) -> bool | None:
    """Whether conntrack looks at packets of a family as they come in, by the kernel's list of hooks."""
    hook = NFGENMSG.pack(family, 0, 0) + attribute(_NFNLA_HOOK_HOOKNUM, _NF_INET_PRE_ROUTING.to_bytes(4))
    try:
        names = {
            name
            for body in _exchange(netlink, (_NFNL_SUBSYS_HOOK << 8) | _NFNL_MSG_HOOK_GET, uapi.NLM_F_DUMP, hook)
            for name in function_names(body)
        }
    except (OSError, MalformedMessage):
        return None
    if names & _CONNTRACK_IN:
        return True
    return None if b"" in names else False


def function_names(body: bytes) -> Iterator[bytes]:
    """Name of the function of one hook; empty from a kernel without symbol names (CONFIG_KALLSYMS)."""
    for kind, start, end in attributes(body, NFGENMSG.size, len(body)):
        if kind == _NFNLA_HOOK_FUNCTION_NAME:
            # before 5.14.1 the module stands behind the name, in brackets
            yield body[start:end].rstrip(b"\0").split(b" ")[0]
            return
    yield b""


def _probed(netlink: socket.socket, family: int) -> bool | None:
    """Whether an entry comes into being for a datagram over loopback."""
    address = _FAMILIES[family]
    try:
        with (
            socket.socket(family, socket.SOCK_DGRAM) as server,
            socket.socket(family, socket.SOCK_DGRAM) as client,
        ):
            server.bind((address, 0))
            client.bind((address, 0))
            client.sendto(b"", server.getsockname())
            server.recv(1, socket.MSG_DONTWAIT)  # loopback has delivered it before sendto returns, or it is dropped
            ports = client.getsockname()[1], server.getsockname()[1]
    except OSError:
        return None
    return _deleted(netlink, family, _udp_tuple(family, *ports))


def _udp_tuple(family: int, sport: int, dport: int) -> bytes:
    """CTA_TUPLE_ORIG of a datagram over loopback."""
    packed = socket.inet_pton(family, _FAMILIES[family])
    source = uapi.CTA_IP_V4_SRC if family == socket.AF_INET else uapi.CTA_IP_V6_SRC
    addresses = attribute(source, packed) + attribute(source + 1, packed)
    ports = (
        attribute(uapi.CTA_PROTO_NUM, bytes([socket.IPPROTO_UDP]))
        + attribute(uapi.CTA_PROTO_SRC_PORT, sport.to_bytes(2))
        + attribute(uapi.CTA_PROTO_DST_PORT, dport.to_bytes(2))
    )
    nested = uapi.NLA_F_NESTED
    return attribute(
        uapi.CTA_TUPLE_ORIG | nested,
        attribute(uapi.CTA_TUPLE_IP | nested, addresses) + attribute(uapi.CTA_TUPLE_PROTO | nested, ports),
    )


def _deleted(netlink: socket.socket, family: int, entry: bytes) -> bool | None:
    """Delete one conntrack entry; whether there was one. `entry` is never empty: that would flush the table."""
    assert entry
    message = (uapi.NFNL_SUBSYS_CTNETLINK << 8) | uapi.IPCTNL_MSG_CT_DELETE
    try:
        list(_exchange(netlink, message, uapi.NLM_F_ACK, NFGENMSG.pack(family, 0, 0) + entry))
    except OSError as error:
        return False if error.errno == errno.ENOENT else None
    return True
