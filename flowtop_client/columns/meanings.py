"""What every column shows, in words, by view and name; and all columns that a view has to choose from."""

from collections.abc import Mapping
from typing import Final

from flowtop_client.columns.column import Column
from flowtop_client.columns.flows import flow_columns
from flowtop_client.columns.groups import group_columns
from flowtopd.wire.messages import View

_SHARED: Final[Mapping[str, str]] = {
    "host": "the host that was asked, where there are several",
    "bytes": "bytes in both directions",
    "orig_bytes": "bytes to the other end",
    "reply_bytes": "bytes back",
    "rate": "rate in both directions",
    "orig_rate": "rate to the other end",
    "reply_rate": "rate back",
}

_FLOWS: Final[Mapping[str, str]] = {
    "process": "the program, or why it is not known",
    "pid": "number of the process",
    "user": "who runs it",
    "unit": "its systemd unit",
    "container": "its container",
    "device": "the device of this house",
    "dir": "out, in, forwarded or local",
    "proto": "protocol",
    "state": "state of the connection",
    "time": "how long it has lasted",
    "expires": "when the kernel forgets it",
    "source": "where it comes from",
    "sport": "port there",
    "sgeo": "country of the source",
    "scity": "city of the source",
    "snetwork": "network of the source",
    "sasn": "number of that network",
    "address": "the other end",
    "port": "port or service there",
    "geo": "country",
    "city": "city",
    "network": "network",
    "asn": "number of the network",
    "nat": "which addresses are translated",
    "orig_packets": "packets to the other end",
    "reply_packets": "packets back",
    **_SHARED,
}

_GROUPS: Final[Mapping[str, str]] = {
    "group": "what the row is about",
    "pid": "number of the process",
    "user": "who runs it",
    "unit": "its systemd unit",
    "container": "its container",
    "command": "command line",
    "mac": "hardware address",
    "vendor": "who made it",
    "geo": "country",
    "city": "city",
    "network": "network",
    "asn": "number of the network",
    "address": "address",
    "proto": "protocol",
    "port": "port",
    "kind": "container or unit",
    "flows": "how many flows",
    "share": "part of the whole",
    **_SHARED,
}


def all_columns(
    view: View, sort: str = "rate", *, names: bool = True, geoip: bool = True, hosts: bool = False
) -> tuple[Column, ...]:
    """The columns of a view that can be chosen, in their order: the source side too, nothing that is switched off."""
    if view is View.FLOWS:
        return flow_columns(source=True, names=names, geoip=geoip, hosts=hosts)
    return group_columns(view, sort, names=names, geoip=geoip, hosts=hosts)


def meaning(view: View, name: str) -> str:
    """What the column of this name shows."""
    return (_FLOWS if view is View.FLOWS else _GROUPS).get(name, "")
