"""What conntrack calls protocols, states and status bits. The spelling is that of `conntrack -L`.

Sources: linux/in.h; the state enumerations of linux/netfilter/nf_conntrack_{tcp,sctp}.h and
include/linux/netfilter/nf_conntrack_dccp.h; linux/netfilter/nf_conntrack_common.h.
"""

from typing import Final

from flowtopd.netlink import uapi

TCP: Final = 6
SCTP: Final = 132
DCCP: Final = 33
UDP: Final = 17
GRE: Final = 47

PROTOCOLS: Final = {
    1: "icmp",
    2: "igmp",
    TCP: "tcp",
    UDP: "udp",
    DCCP: "dccp",
    41: "ipv6",
    GRE: "gre",
    50: "esp",
    51: "ah",
    58: "icmpv6",
    89: "ospf",
    SCTP: "sctp",
    136: "udplite",
}

STATES: Final = {
    TCP: (
        "NONE",
        "SYN_SENT",
        "SYN_RECV",
        "ESTABLISHED",
        "FIN_WAIT",
        "CLOSE_WAIT",
        "LAST_ACK",
        "TIME_WAIT",
        "CLOSE",
        "SYN_SENT2",
    ),
    SCTP: (
        "NONE",
        "CLOSED",
        "COOKIE_WAIT",
        "COOKIE_ECHOED",
        "ESTABLISHED",
        "SHUTDOWN_SENT",
        "SHUTDOWN_RECD",
        "SHUTDOWN_ACK_SENT",
        "HEARTBEAT_SENT",
        "HEARTBEAT_ACKED",
    ),
    DCCP: (
        "NONE",
        "REQUEST",
        "RESPOND",
        "PARTOPEN",
        "OPEN",
        "CLOSEREQ",
        "CLOSING",
        "TIMEWAIT",
        "IGNORE",
        "INVALID",
    ),
}

STATUS_BITS: Final = {
    "expected": uapi.IPS_EXPECTED_BIT,
    "seen_reply": uapi.IPS_SEEN_REPLY_BIT,
    "assured": uapi.IPS_ASSURED_BIT,
    "confirmed": uapi.IPS_CONFIRMED_BIT,
    "snat": uapi.IPS_SRC_NAT_BIT,
    "dnat": uapi.IPS_DST_NAT_BIT,
    "dying": uapi.IPS_DYING_BIT,
    "fixed_timeout": uapi.IPS_FIXED_TIMEOUT_BIT,
    "helper": uapi.IPS_HELPER_BIT,
    "offload": uapi.IPS_OFFLOAD_BIT,
    "hw_offload": uapi.IPS_HW_OFFLOAD_BIT,
}


def protocol_name(number: int) -> str:
    """Name of an IP protocol, its number as text where conntrack has no name for it."""
    return PROTOCOLS.get(number) or str(number)


def state_name(protocol: int, state: int) -> str | None:
    """Name of a connection state, None where the protocol has none; its number as text where it is new to us."""
    names = STATES.get(protocol)
    if names is None:
        return None
    return names[state] if state < len(names) else str(state)


def status_names(status: int) -> list[str]:
    """Names of the status bits that are set, lowest first."""
    return [name for name, bit in STATUS_BITS.items() if status >> bit & 1]


def nat_name(status: int) -> str:
    """Which side of the flow NAT changes."""
    source = status >> uapi.IPS_SRC_NAT_BIT & 1
    destination = status >> uapi.IPS_DST_NAT_BIT & 1
    return ("none", "snat", "dnat", "both")[source + 2 * destination]
