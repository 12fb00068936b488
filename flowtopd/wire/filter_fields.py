"""The words of the filter language: which fields there are, what their values are, and which have sides.

The parser reads them, the daemon evaluates them (`query.predicate`), a viewer completes them as one types.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Of(StrEnum):
    """What the values of a field are, and so what may be compared with them."""

    ADDRESS = "address"
    """An address, or a network as `10.0.0.0/8` or `192.168.`; or a name, where the field has names."""
    TEXT = "text"
    NUMBER = "number"
    """Ports and ids: whole numbers and ranges of them."""
    AMOUNT = "amount"
    """Bytes, packets and rates: `10k`, `1.5M`, `1Mbit`."""
    SECONDS = "seconds"
    """`90`, `90s`, `5m`, `2h`, `3d`."""


class Side(StrEnum):
    """Which end of a flow is meant. Without one it is either."""

    SRC = "src"
    DST = "dst"
    LOCAL = "local"
    """The end in this house."""
    REMOTE = "remote"
    """The other one."""


@dataclass(frozen=True, slots=True)
class FilterField:
    """A field of the language. `sided`: it may stand behind src, dst, local or remote. `most`: its highest number."""

    name: str
    of: Of
    doc: str
    sided: bool = False
    most: int | None = None


_8_BITS: Final = 0xFF
_16_BITS: Final = 0xFFFF
_32_BITS: Final = 0xFFFF_FFFF

FILTER_FIELDS: Final = {
    field.name: field
    for field in (
        FilterField("host", Of.ADDRESS, "an address, before or after NAT, or a name", sided=True),
        FilterField("net", Of.ADDRESS, "a network: 10.0.0.0/8, 192.168., 2001:db8::/32", sided=True),
        FilterField("port", Of.NUMBER, "a port, a range, or the name of a service", sided=True, most=_16_BITS),
        FilterField("proto", Of.TEXT, "a protocol, by name or number", most=_8_BITS),
        FilterField("state", Of.TEXT, "ESTABLISHED, SYN_SENT, …"),
        FilterField("status", Of.TEXT, "assured, seen_reply, offload, …"),
        FilterField("name", Of.TEXT, "name of an end, from reverse DNS", sided=True),
        FilterField("country", Of.TEXT, "DE, US, …", sided=True),
        FilterField("city", Of.TEXT, "city of an end", sided=True),
        FilterField("asn", Of.NUMBER, "number of an autonomous system", sided=True, most=_32_BITS),
        FilterField("org", Of.TEXT, "organisation of a network", sided=True),
        FilterField("scope", Of.TEXT, "what an end is to this host: host, lan, uplink, remote or group", sided=True),
        FilterField("service", Of.TEXT, "name of the service port"),
        FilterField("service_port", Of.NUMBER, "the port that is the service's", most=_16_BITS),
        FilterField("process", Of.TEXT, "program on this host"),
        FilterField("pid", Of.NUMBER, "its process id", most=_32_BITS),
        FilterField("uid", Of.NUMBER, "user id of the socket's owner", most=_32_BITS),
        FilterField("user", Of.TEXT, "name of that user"),
        FilterField("unit", Of.TEXT, "systemd unit"),
        FilterField("container", Of.TEXT, "container"),
        FilterField("attribution", Of.TEXT, "exact, listener, cgroup, forwarded, exited, kernel, …"),
        FilterField("device", Of.TEXT, "LAN device, by name"),
        FilterField("mac", Of.TEXT, "LAN device, by MAC address"),
        FilterField("vendor", Of.TEXT, "maker of the LAN device"),
        FilterField("direction", Of.TEXT, "outbound, inbound, forwarded or local"),
        FilterField("nat", Of.TEXT, "none, snat, dnat or both"),
        FilterField("rate", Of.AMOUNT, "bytes a second, both directions"),
        FilterField("orig_rate", Of.AMOUNT, "… from the source"),
        FilterField("reply_rate", Of.AMOUNT, "… from the destination"),
        FilterField("bytes", Of.AMOUNT, "bytes in all"),
        FilterField("orig_bytes", Of.AMOUNT, "… from the source"),
        FilterField("reply_bytes", Of.AMOUNT, "… from the destination"),
        FilterField("packets", Of.AMOUNT, "packets in all"),
        FilterField("orig_packets", Of.AMOUNT, "… from the source"),
        FilterField("reply_packets", Of.AMOUNT, "… from the destination"),
        FilterField("duration", Of.SECONDS, "age"),
        FilterField("timeout", Of.SECONDS, "until the kernel forgets it"),
        FilterField("icmp_type", Of.NUMBER, "ICMP type", most=_8_BITS),
        FilterField("icmp_code", Of.NUMBER, "ICMP code", most=_8_BITS),
        FilterField("icmp_id", Of.NUMBER, "ICMP identifier", most=_16_BITS),
        FilterField("mark", Of.NUMBER, "connection mark", most=_32_BITS),
        FilterField("zone", Of.NUMBER, "conntrack zone", most=_16_BITS),
        FilterField("id", Of.TEXT, "the flow's id, as in JSON"),
        FilterField("flows", Of.NUMBER, "of a group, how many flows it has; of a flow 1"),
    )
}
"""Every field by its name."""

FLAGS: Final = {
    "tcp": ("proto", "tcp"),
    "udp": ("proto", "udp"),
    "udplite": ("proto", "udplite"),
    "sctp": ("proto", "sctp"),
    "dccp": ("proto", "dccp"),
    "icmp": ("proto", "icmp"),
    "icmp6": ("proto", "icmpv6"),
    "icmpv6": ("proto", "icmpv6"),
    "gre": ("proto", "gre"),
    "esp": ("proto", "esp"),
    "ip": ("family", "ipv4"),
    "ipv4": ("family", "ipv4"),
    "ip6": ("family", "ipv6"),
    "ipv6": ("family", "ipv6"),
    "snat": ("status", "snat"),
    "dnat": ("status", "dnat"),
    "assured": ("status", "assured"),
    "offload": ("status", "offload"),
    "outbound": ("direction", "outbound"),
    "inbound": ("direction", "inbound"),
    "forwarded": ("direction", "forwarded"),
    "loopback": ("loopback", ""),
    "closed": ("closed", ""),
}
"""Words that are a whole condition: the field that they ask, and the value that it must have."""
