"""Requests for one entry of conntrack, answered with all that a dump has of it, or ENOENT. Bytes only, no I/O.

    nlmsghdr │ nfgenmsg family │ CTA_TUPLE_ORIG │ CTA_ZONE

As `ctdelete` names an entry; but the kernel does not compare CTA_ID here (ctnetlink_get_conntrack in net/netfilter/
nf_conntrack_netlink.c): who asks does, in the answer.
"""

from typing import Final

from flowtopd.netlink import uapi
from flowtopd.netlink.ctdelete import Entry, original
from flowtopd.netlink.nlmsg import NFGENMSG, attribute, request

ANSWER: Final = uapi.NFNL_SUBSYS_CTNETLINK << 8 | uapi.IPCTNL_MSG_CT_NEW
"""nlmsg_type of the answer."""

_GET: Final = uapi.NFNL_SUBSYS_CTNETLINK << 8 | uapi.IPCTNL_MSG_CT_GET


def get_request(entry: Entry, zone: int, seq: int) -> bytes:
    """Build the request; `zone` is that of both directions or of the original one.

    Raises KeyError where the entry lacks what makes it one.
    """
    payload = NFGENMSG.pack(entry["family"], uapi.NFNETLINK_V0, 0) + original(entry)
    if zone:
        payload += attribute(uapi.CTA_ZONE, zone.to_bytes(2))
    return request(_GET, uapi.NLM_F_REQUEST, seq, payload)
