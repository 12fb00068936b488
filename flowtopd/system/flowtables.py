"""Whether flows are offloaded past their counters: what the kernel says of the flowtables of this network namespace.

A packet of an offloaded flow goes from one interface to the other before conntrack sees it. The flow's counters stand
still then, unless its flowtable was made with `counter` (nft(8); kernel ≥ 5.7). ctnetlink says only that a flow is
offloaded, not into which table.

Rules: nothing here raises OSError; where the kernel cannot be asked, nothing is said of it. Asking takes 0.01 ms, and
is done every `FRESH_S` at most.
"""

import math
import random
import socket
import time
from collections.abc import Callable
from typing import Final

from flowtopd.netlink import uapi
from flowtopd.netlink.nlmsg import NFGENMSG, NLMSGHDR, MalformedMessage, align, attributes, request

FRESH_S: Final = 5.0
"""How long an answer is taken to hold. Rules are loaded seldom, and the answer only explains a number."""

# linux/netfilter/nfnetlink.h, nf_tables.h
_NFNL_SUBSYS_NFTABLES: Final = 10
_NFT_MSG_GETFLOWTABLE: Final = 23
_NFTA_FLOWTABLE_FLAGS: Final = 7
_NFT_FLOWTABLE_COUNTER: Final = 2

_SILENCE_S: Final = 1.0
_BUFFER: Final = 64 * 1024


class Flowtables:
    """Remembers the last answer for a while."""

    def __init__(
        self, ask: Callable[[], bool] | None = None, *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._ask = freezes if ask is None else ask
        self._monotonic = monotonic
        self._asked_s = -math.inf
        self._freezes = False

    def freeze(self) -> bool:
        """Whether there is a flowtable that does not count what it forwards."""
        now = self._monotonic()
        if now - self._asked_s >= FRESH_S:
            self._asked_s, self._freezes = now, self._ask()
        return self._freezes


def freezes() -> bool:
    """Ask the kernel. False where there is no flowtable, or nobody to ask."""
    seq = random.randrange(1, 1 << 32)
    kind = _NFNL_SUBSYS_NFTABLES << 8 | _NFT_MSG_GETFLOWTABLE
    payload = NFGENMSG.pack(socket.AF_UNSPEC, uapi.NFNETLINK_V0, 0)
    try:
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, uapi.NETLINK_NETFILTER) as netlink:
            netlink.settimeout(_SILENCE_S)
            netlink.send(request(kind, uapi.NLM_F_REQUEST | uapi.NLM_F_DUMP, seq, payload))
            found = False
            while True:
                one, done = uncounted_in(netlink.recv(_BUFFER), seq)
                found = found or one
                if done:
                    return found
    except (OSError, MalformedMessage):
        return False


def uncounted_in(block: bytes, seq: int) -> tuple[bool, bool]:
    """Whether a block of the answer has a flowtable without `counter`, and whether it is the last block.

    Raises MalformedMessage.
    """
    at, found = 0, False
    while at + NLMSGHDR.size <= len(block):
        length, kind, _flags, answered, _pid = NLMSGHDR.unpack_from(block, at)
        if length < NLMSGHDR.size or at + length > len(block):
            raise MalformedMessage(at, f"a message of {length} bytes")
        if answered == seq:
            if kind in {uapi.NLMSG_DONE, uapi.NLMSG_ERROR}:
                return found, True
            found = found or not _counts(block, at + NLMSGHDR.size + NFGENMSG.size, at + length)
        at += align(length)
    return found, False


def _counts(block: bytes, start: int, end: int) -> bool:
    """Whether the flowtable whose attributes these are has the flag; without flags it has none."""
    for kind, begin, stop in attributes(block, start, end):
        if kind == _NFTA_FLOWTABLE_FLAGS:
            return bool(int.from_bytes(block[begin:stop]) & _NFT_FLOWTABLE_COUNTER)
    return False
