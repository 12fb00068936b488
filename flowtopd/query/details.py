"""Everything that is known of one flow, in the words of the wire: what a row has, and what is too long for one.

row ─▶ every field of a flow, of its process, how that was found     dict by FLOW_FIELDS and DETAIL_FIELDS
    └▶ src, dst, reply_src, reply_dst ─▶ row of the address table    dict by END_FIELDS for each
"""

from typing import Any, Final

import numpy as np

from flowtopd.flows.dimensions import Attribution
from flowtopd.flows.snapshot import Snapshot
from flowtopd.query.joins import ADDRESS_JOINS, NAME_FIELDS, PLACE_FIELDS
from flowtopd.query.rows import address_text, render
from flowtopd.wire.fields import ENDS, FLOW_FIELD_NAMES
from flowtopd.wire.messages import Query

EXPLANATIONS: Final = {
    Attribution.PENDING: "nobody has looked for the process yet",
    Attribution.EXACT: "the process has a connected socket with this very tuple",
    Attribution.LISTENER: "the process has the only socket that is bound to the local address and port",
    Attribution.CGROUP: "a socket has this tuple; of its holder only the unit or the container is known",
    Attribution.FORWARDED: "neither end is on this host",
    Attribution.EXITED: "no socket has this tuple any more",
    Attribution.KERNEL: "the kernel itself talks: no process has the socket",
    Attribution.OTHER_NETNS: "the end is in another network namespace of this host, where no socket matched",
    Attribution.NO_PERMISSION: "a socket has this tuple, but the daemon may not see which process holds it",
    Attribution.AMBIGUOUS: "several processes could have it, so none is named",
}
"""How a process was found, or why not."""

_NAMES: Final = frozenset((*NAME_FIELDS, "name"))
_PLACES: Final = frozenset((*PLACE_FIELDS, "country", "city", "asn", "org"))
_DEVICE: Final = {"device": "name", "mac": "mac", "vendor": "vendor"}


def details(snapshot: Snapshot, row: int, query: Query) -> dict[str, Any]:
    """Return what is known of the flow in this row; what the viewer has turned off is None."""
    (values,) = render(snapshot, np.array([row]), FLOW_FIELD_NAMES, _hidden(query))
    columns = snapshot.columns
    owner = snapshot.dimensions.owners[columns["owner"][row]]
    attached = snapshot.attached.get(int(columns["key"][row]))
    return dict(zip(FLOW_FIELD_NAMES, values, strict=True)) | {
        "command": owner.command,
        "parent": None if owner.parent is None else owner.parent.process,
        "parent_pid": None if owner.parent is None else owner.parent.pid,
        "cgroup": owner.cgroup,
        "started": owner.started_s,
        "explanation": EXPLANATIONS[Attribution(columns["attribution"][row])],
        "first_seen": float(columns["first_seen_s"][row]),
        "own": bool(columns["own"][row]),
        "ctid": int(columns["ctid"][row]),
        "helper": None if attached is None else attached.helper,
        "labels": None if attached is None else list(attached.labels),
    }


def ends(snapshot: Snapshot, row: int, query: Query) -> dict[str, dict[str, Any]]:
    """Return what is known of each end of the flow in this row; what the viewer has turned off is None."""
    hidden = _hidden(query)
    return {end: _end(snapshot, row, end, hidden) for end in ENDS}


def _hidden(query: Query) -> frozenset[str]:
    return (frozenset() if query.names else _NAMES) | (frozenset() if query.geoip else _PLACES)


def _end(snapshot: Snapshot, row: int, end: str, hidden: frozenset[str]) -> dict[str, Any]:
    at, dimensions = int(snapshot.columns[f"{end}_at"][row]), snapshot.dimensions
    found: dict[str, Any] = {"address": address_text(*snapshot.columns[end][row].tolist())}
    for field, (kind, value) in ADDRESS_JOINS.items():
        is_known = at > 0 and field not in hidden
        found[field] = value(dimensions, int(dimensions.addresses[kind][at])) if is_known else None
    device = dimensions.devices[dimensions.addresses["device"][at]]
    return found | {field: getattr(device, attribute) for field, attribute in _DEVICE.items()}


def addresses(snapshot: Snapshot, row: int) -> list[tuple[int, int]]:
    """Return the different addresses of the flow in this row, as halves of 128 bits."""
    halves = (snapshot.columns[end][row].tolist() for end in ENDS)
    return list(dict.fromkeys((high, low) for high, low in halves))
