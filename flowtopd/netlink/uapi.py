"""Kernel constants, in kernel spelling, grouped by the header they come from. Only what this program uses."""

from typing import Final

# linux/socket.h, linux/netlink.h
SO_RCVBUFFORCE: Final = 33
SO_MEMINFO: Final = 55
AF_INET: Final = 2
AF_INET6: Final = 10
SOL_NETLINK: Final = 270
NETLINK_ROUTE: Final = 0
NETLINK_SOCK_DIAG: Final = 4
NETLINK_NETFILTER: Final = 12

NETLINK_ADD_MEMBERSHIP: Final = 1
NETLINK_DROP_MEMBERSHIP: Final = 2

NLMSG_ERROR: Final = 0x2
NLMSG_DONE: Final = 0x3

NLM_F_REQUEST: Final = 0x01
NLM_F_MULTI: Final = 0x02
NLM_F_ACK: Final = 0x04
NLM_F_DUMP_INTR: Final = 0x10
NLM_F_DUMP: Final = 0x300
NLM_F_EXCL: Final = 0x200
NLM_F_CREATE: Final = 0x400

NLA_F_NESTED: Final = 1 << 15
NLA_F_NET_BYTEORDER: Final = 1 << 14
NLA_TYPE_MASK: Final = 0xFFFF & ~(NLA_F_NESTED | NLA_F_NET_BYTEORDER)

# linux/netfilter/nfnetlink.h
NFNL_SUBSYS_CTNETLINK: Final = 1
NFNETLINK_V0: Final = 0
NFNLGRP_CONNTRACK_NEW: Final = 1
NFNLGRP_CONNTRACK_DESTROY: Final = 3

# linux/netfilter/nfnetlink_conntrack.h
IPCTNL_MSG_CT_NEW: Final = 0
IPCTNL_MSG_CT_GET: Final = 1
IPCTNL_MSG_CT_DELETE: Final = 2
IPCTNL_MSG_CT_GET_STATS_CPU: Final = 4

CTA_TUPLE_ORIG: Final = 1
CTA_TUPLE_REPLY: Final = 2
CTA_STATUS: Final = 3
CTA_PROTOINFO: Final = 4
CTA_HELP: Final = 5
CTA_TIMEOUT: Final = 7
CTA_MARK: Final = 8
CTA_COUNTERS_ORIG: Final = 9
CTA_COUNTERS_REPLY: Final = 10
CTA_USE: Final = 11
CTA_ID: Final = 12
CTA_TUPLE_MASTER: Final = 14
CTA_SEQ_ADJ_ORIG: Final = 15
CTA_SEQ_ADJ_REPLY: Final = 16
CTA_ZONE: Final = 18
CTA_SECCTX: Final = 19
CTA_TIMESTAMP: Final = 20
CTA_LABELS: Final = 22
CTA_SYNPROXY: Final = 24

CTA_TUPLE_IP: Final = 1
CTA_TUPLE_PROTO: Final = 2
CTA_TUPLE_ZONE: Final = 3

CTA_IP_V4_SRC: Final = 1
CTA_IP_V4_DST: Final = 2
CTA_IP_V6_SRC: Final = 3
CTA_IP_V6_DST: Final = 4

CTA_PROTO_NUM: Final = 1
CTA_PROTO_SRC_PORT: Final = 2
CTA_PROTO_DST_PORT: Final = 3
CTA_PROTO_ICMP_ID: Final = 4
CTA_PROTO_ICMP_TYPE: Final = 5
CTA_PROTO_ICMP_CODE: Final = 6
CTA_PROTO_ICMPV6_ID: Final = 7
CTA_PROTO_ICMPV6_TYPE: Final = 8
CTA_PROTO_ICMPV6_CODE: Final = 9

CTA_PROTOINFO_TCP: Final = 1
CTA_PROTOINFO_DCCP: Final = 2
CTA_PROTOINFO_SCTP: Final = 3

CTA_PROTOINFO_TCP_STATE: Final = 1
CTA_PROTOINFO_TCP_WSCALE_ORIGINAL: Final = 2
CTA_PROTOINFO_TCP_WSCALE_REPLY: Final = 3
CTA_PROTOINFO_TCP_FLAGS_ORIGINAL: Final = 4
CTA_PROTOINFO_TCP_FLAGS_REPLY: Final = 5

CTA_PROTOINFO_DCCP_STATE: Final = 1
CTA_PROTOINFO_DCCP_ROLE: Final = 2
CTA_PROTOINFO_DCCP_HANDSHAKE_SEQ: Final = 3

CTA_PROTOINFO_SCTP_STATE: Final = 1
CTA_PROTOINFO_SCTP_VTAG_ORIGINAL: Final = 2
CTA_PROTOINFO_SCTP_VTAG_REPLY: Final = 3

CTA_COUNTERS_PACKETS: Final = 1
CTA_COUNTERS_BYTES: Final = 2

CTA_TIMESTAMP_START: Final = 1
CTA_TIMESTAMP_STOP: Final = 2

CTA_HELP_NAME: Final = 1

CTA_SEQADJ_CORRECTION_POS: Final = 1
CTA_SEQADJ_OFFSET_BEFORE: Final = 2
CTA_SEQADJ_OFFSET_AFTER: Final = 3

CTA_SECCTX_NAME: Final = 1

CTA_SYNPROXY_ISN: Final = 1
CTA_SYNPROXY_ITS: Final = 2
CTA_SYNPROXY_TSOFF: Final = 3

# linux/netfilter/nf_conntrack_common.h, enum ip_conntrack_status: bit numbers of the names users may see
IPS_EXPECTED_BIT: Final = 0
IPS_SEEN_REPLY_BIT: Final = 1
IPS_ASSURED_BIT: Final = 2
IPS_CONFIRMED_BIT: Final = 3
IPS_SRC_NAT_BIT: Final = 4
IPS_DST_NAT_BIT: Final = 5
IPS_DYING_BIT: Final = 9
IPS_FIXED_TIMEOUT_BIT: Final = 10
IPS_HELPER_BIT: Final = 13
IPS_OFFLOAD_BIT: Final = 14
IPS_HW_OFFLOAD_BIT: Final = 15

# linux/sock_diag.h
SOCK_DIAG_BY_FAMILY: Final = 20
SOCK_DESTROY: Final = 21

# linux/inet_diag.h
INET_DIAG_NOCOOKIE: Final = 0xFFFF_FFFF
INET_DIAG_SKV6ONLY: Final = 11
INET_DIAG_CGROUP_ID: Final = 21

# net/tcp_states.h; sockets of other protocols without a peer are in TCP_CLOSE
TCP_ESTABLISHED: Final = 1
TCP_SYN_SENT: Final = 2
TCP_SYN_RECV: Final = 3
TCP_TIME_WAIT: Final = 6
TCP_CLOSE: Final = 7
TCP_LISTEN: Final = 10
TCP_NEW_SYN_RECV: Final = 12

# linux/if.h
IFF_LOOPBACK: Final = 0x8
IFF_POINTOPOINT: Final = 0x10
IFF_NOARP: Final = 0x80

# linux/rtnetlink.h
RTM_NEWLINK: Final = 16
RTM_GETLINK: Final = 18
RTM_NEWADDR: Final = 20
RTM_GETADDR: Final = 22
RTM_NEWROUTE: Final = 24
RTM_GETROUTE: Final = 26
RTM_NEWNEIGH: Final = 28
RTM_GETNEIGH: Final = 30

RTEXT_FILTER_SKIP_STATS: Final = 1 << 3

RT_TABLE_MAIN: Final = 254
RTN_UNICAST: Final = 1

RTA_DST: Final = 1
RTA_OIF: Final = 4
RTA_GATEWAY: Final = 5
RTA_MULTIPATH: Final = 9
RTA_TABLE: Final = 15
RTA_VIA: Final = 18

# linux/if_link.h
IFLA_ADDRESS: Final = 1
IFLA_IFNAME: Final = 3
IFLA_EXT_MASK: Final = 29

# linux/if_addr.h
IFA_ADDRESS: Final = 1
IFA_LOCAL: Final = 2
IFA_BROADCAST: Final = 4

# linux/neighbour.h
NDA_DST: Final = 1
NDA_LLADDR: Final = 2

NUD_REACHABLE: Final = 0x02
NUD_STALE: Final = 0x04
NUD_DELAY: Final = 0x08
NUD_PROBE: Final = 0x10
NUD_PERMANENT: Final = 0x80
