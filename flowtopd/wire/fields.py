"""What a flow is called on the wire, in JSON, in CSV and in `--sort`: every field once, in order.

The daemon renders rows in this order, the viewer reads names and kinds from here; neither repeats them.
Names are conntrack's: *orig* is the direction of the first packet, *reply* the other one.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from flowtopd.wire.messages import View


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

DETAIL_FIELDS: Final = (
    Field("command", Kind.TEXT, "command line of the process"),
    Field("parent", Kind.TEXT, "program that the process is a child of"),
    Field("parent_pid", Kind.INT, "process id of that"),
    Field("cgroup", Kind.TEXT, "control group of the process, the whole path"),
    Field("started", Kind.FLOAT, "when the process started, Unix seconds"),
    Field("explanation", Kind.TEXT, "how the process was found, or why it is unknown, in a sentence"),
    Field("first_seen", Kind.FLOAT, "when the daemon first saw the flow, Unix seconds"),
    Field("own", Kind.BOOL, "a lookup of the daemon itself"),
    Field("ctid", Kind.INT, "the kernel's id of the entry, as conntrack(8) prints it"),
    Field("helper", Kind.TEXT, "conntrack's helper of the flow"),
    Field("labels", Kind.LIST, "its conntrack labels, by their names in connlabel.conf, else by their numbers"),
)
"""What a detail has beside all fields of a flow."""

ENDS: Final = ("src", "dst", "reply_src", "reply_dst")
"""The ends of a flow: both of the original direction, both of the reply."""

END_FIELDS: Final = (
    Field("address", Kind.TEXT, "the address"),
    Field("name", Kind.TEXT, "its name"),
    Field("country", Kind.TEXT, "its country, ISO 3166 code"),
    Field("city", Kind.TEXT, "its city"),
    Field("asn", Kind.INT, "its autonomous system"),
    Field("org", Kind.TEXT, "organisation of its network"),
    Field("scope", Kind.TEXT, "remote, host, lan, uplink or group"),
    Field("device", Kind.TEXT, "name of the LAN device"),
    Field("mac", Kind.TEXT, "its MAC address"),
    Field("vendor", Kind.TEXT, "who made its network interface, from the MAC address"),
)
"""What a detail has of each end."""


EXTRA_FIELDS: Final = (
    Field("sampled", Kind.FLOAT, "when the kernel was asked, monotonic seconds"),
    Field("first_seen", Kind.FLOAT, "when the daemon saw it first, Unix seconds"),
    Field("command", Kind.TEXT, "command line of the process"),
    Field("parent", Kind.TEXT, "program that the process is a child of"),
    Field("parent_pid", Kind.INT, "process id of that"),
    Field("cgroup", Kind.TEXT, "control group of the process, the whole path"),
    Field("local", Kind.TEXT, "address of the end that is this host or in its LAN"),
    Field("local_scope", Kind.TEXT, "what that address is: host, lan, uplink, remote or group"),
    Field("src_scope", Kind.TEXT, "the same of the source"),
    Field("dst_scope", Kind.TEXT, "the same of the destination"),
    Field("own", Kind.BOOL, "a lookup of the daemon itself"),
)
"""Fields of a flow that are given only to who asks for them by name: what a recording needs beside the others."""

RECORDED_FIELDS: Final = (*FLOW_FIELDS, *EXTRA_FIELDS)
RECORDED_FIELD_NAMES: Final = tuple(field.name for field in RECORDED_FIELDS)

GROUP_FIELDS: Final = (
    Field("key", Kind.TEXT, "what tells this group from the others, stable as long as it is there"),
    Field("filter", Kind.TEXT, "a filter that means the flows of this group"),
    Field("process", Kind.TEXT, "program on this host"),
    Field("pid", Kind.INT, "its process id"),
    Field("command", Kind.TEXT, "its command line"),
    Field("user", Kind.TEXT, "name of the user"),
    Field("unit", Kind.TEXT, "systemd unit"),
    Field("container", Kind.TEXT, "container"),
    Field("attribution", Kind.TEXT, "why there is no process"),
    Field("device", Kind.TEXT, "name of the LAN device"),
    Field("mac", Kind.TEXT, "its MAC address"),
    Field("vendor", Kind.TEXT, "who made its network interface"),
    Field("address", Kind.TEXT, "address of the device, where it is known by that alone, or of the host"),
    Field("name", Kind.TEXT, "name of the host"),
    Field("country", Kind.TEXT, "country, ISO 3166 code"),
    Field("city", Kind.TEXT, "city of the host"),
    Field("asn", Kind.INT, "autonomous system"),
    Field("org", Kind.TEXT, "organisation of the network"),
    Field("service", Kind.TEXT, "name of the service"),
    Field("proto", Kind.TEXT, "protocol name, or its number as text"),
    Field("port", Kind.INT, "port of the service"),
    Field("flows", Kind.INT, "how many flows"),
    Field("orig_rate", Kind.FLOAT, "bytes a second, original direction"),
    Field("reply_rate", Kind.FLOAT, "bytes a second, reply direction"),
    Field("orig_bytes", Kind.INT, "bytes, original direction"),
    Field("reply_bytes", Kind.INT, "bytes, reply direction"),
)

_SUMS: Final = ("flows", "orig_rate", "reply_rate", "orig_bytes", "reply_bytes")
VIEW_FIELDS: Final = {
    View.FLOWS: FLOW_FIELD_NAMES,
    View.PROCESSES: ("key", "filter", "process", "pid", "command", "user", "unit", "container", "attribution", *_SUMS),
    View.DEVICES: ("key", "filter", "device", "mac", "vendor", "address", *_SUMS),
    View.HOSTS: ("key", "filter", "address", "name", "country", "city", "asn", "org", *_SUMS),
    View.COUNTRIES: ("key", "filter", "country", *_SUMS),
    View.NETWORKS: ("key", "filter", "asn", "org", *_SUMS),
    View.SERVICES: ("key", "filter", "service", "proto", "port", *_SUMS),
    View.CONTAINERS: ("key", "filter", "container", "unit", *_SUMS),
}
"""The fields of each view, in their order."""

SORT_SUMS: Final = {
    "rate": ("orig_rate", "reply_rate"),
    "bytes": ("orig_bytes", "reply_bytes"),
    "packets": ("orig_packets", "reply_packets"),
}
"""Sort fields that add both directions; every flow field is a sort field too."""

SORT_FIELDS: Final = (*SORT_SUMS, *FLOW_FIELD_NAMES)


def sort_fields(view: View) -> tuple[str, ...]:
    """What the rows of a view may be sorted by: its fields, and the sums of those that it has."""
    fields = [field for field in VIEW_FIELDS[view] if field != "filter"]
    return (*(name for name, parts in SORT_SUMS.items() if set(parts) <= set(fields)), *fields)
