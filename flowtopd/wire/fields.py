"""What a flow is called on the wire, in JSON, in CSV and in `--sort`: every field once, in order.

The daemon renders rows in this order, the viewer reads names and kinds from here; neither repeats them.
Names are conntrack's: *orig* is the direction of the first packet, *reply* the other one.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Kind(StrEnum):
    """The JSON type of a field's values; every field may also be null where the value is unknown."""

    TEXT = "text"
    INT = "int"
    FLOAT = "float"
    BOOL = "bool"
    LIST = "list"


@dataclass(frozen=True, slots=True)
class Field:
    """One field: its name, the kind of its values, and one line that says what it is."""

    name: str
    kind: Kind
    doc: str


FLOW_FIELDS: Final = (
    Field("id", Kind.TEXT, "stable for the life of the flow"),
    Field("family", Kind.TEXT, "ipv4 or ipv6"),
    Field("proto", Kind.TEXT, "protocol name, or its number as text"),
    Field("state", Kind.TEXT, "conntrack's state of the connection, null where the protocol has none"),
    Field("status", Kind.LIST, "names of the status bits that are set"),
    Field("src", Kind.TEXT, "source address, original direction"),
    Field("sport", Kind.INT, "source port (GRE: key), original direction"),
    Field("dst", Kind.TEXT, "destination address, original direction"),
    Field("dport", Kind.INT, "destination port (GRE: key), original direction"),
    Field("reply_src", Kind.TEXT, "source address, reply direction (after NAT)"),
    Field("reply_sport", Kind.INT, "source port, reply direction"),
    Field("reply_dst", Kind.TEXT, "destination address, reply direction"),
    Field("reply_dport", Kind.INT, "destination port, reply direction"),
    Field("nat", Kind.TEXT, "none, snat, dnat or both"),
    Field("icmp_type", Kind.INT, "ICMP type"),
    Field("icmp_code", Kind.INT, "ICMP code"),
    Field("icmp_id", Kind.INT, "ICMP identifier"),
    Field("orig_packets", Kind.INT, "packets, original direction"),
    Field("orig_bytes", Kind.INT, "bytes, original direction"),
    Field("reply_packets", Kind.INT, "packets, reply direction"),
    Field("reply_bytes", Kind.INT, "bytes, reply direction"),
    Field("orig_rate", Kind.FLOAT, "bytes a second, original direction"),
    Field("reply_rate", Kind.FLOAT, "bytes a second, reply direction"),
    Field("start", Kind.FLOAT, "when the flow began, Unix seconds"),
    Field("duration", Kind.FLOAT, "seconds since the flow began"),
    Field("timeout", Kind.INT, "seconds until the kernel forgets the flow if nothing moves"),
    Field("mark", Kind.INT, "connection mark"),
    Field("zone", Kind.INT, "conntrack zone"),
    Field("src_name", Kind.TEXT, "name of the source"),
    Field("dst_name", Kind.TEXT, "name of the destination"),
    Field("src_country", Kind.TEXT, "country of the source, ISO 3166 code"),
    Field("dst_country", Kind.TEXT, "country of the destination, ISO 3166 code"),
    Field("src_city", Kind.TEXT, "city of the source"),
    Field("dst_city", Kind.TEXT, "city of the destination"),
    Field("src_asn", Kind.INT, "autonomous system of the source"),
    Field("dst_asn", Kind.INT, "autonomous system of the destination"),
    Field("src_org", Kind.TEXT, "organisation of the source's network"),
    Field("dst_org", Kind.TEXT, "organisation of the destination's network"),
    Field("service", Kind.TEXT, "name of the service port"),
    Field("service_port", Kind.INT, "the port that is the service's: sport or dport"),
    Field("service_by", Kind.TEXT, "how that was told: listening, known or lower"),
    Field("process", Kind.TEXT, "program on this host"),
    Field("pid", Kind.INT, "its process id"),
    Field("uid", Kind.INT, "user id of the socket's owner"),
    Field("user", Kind.TEXT, "name of that user"),
    Field("unit", Kind.TEXT, "systemd unit"),
    Field("container", Kind.TEXT, "container"),
    Field("attribution", Kind.TEXT, "how the process was found, or why it is unknown"),
    Field("device", Kind.TEXT, "LAN device of the local end"),
    Field("device_mac", Kind.TEXT, "its MAC address"),
    Field("device_vendor", Kind.TEXT, "who made its network interface, from the MAC address"),
    Field("direction", Kind.TEXT, "outbound, inbound, forwarded or local"),
    Field("closed", Kind.BOOL, "destroyed, kept for a while with its final counters"),
)

FLOW_FIELD_NAMES: Final = tuple(field.name for field in FLOW_FIELDS)

SORT_SUMS: Final = {
    "rate": ("orig_rate", "reply_rate"),
    "bytes": ("orig_bytes", "reply_bytes"),
    "packets": ("orig_packets", "reply_packets"),
}
"""Sort fields that add both directions; every flow field is a sort field too."""

SORT_FIELDS: Final = (*SORT_SUMS, *FLOW_FIELD_NAMES)
