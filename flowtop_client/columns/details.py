"""Everything that is known of one flow, as headings with labelled texts: `Detail` of the wire in, text out.

    Path of a forwarded flow            source NAT               Path of a forwarded port      destination NAT
    laptop             seen as          one.one.one.one          visitor      asked for        tv
    192.168.1.11:40001 203.0.113.1:40001 1.1.1.1:443             8.8.8.8:5000 203.0.113.1:443  192.168.1.12:443

Rules: what is not known is left out, but for amounts, which are `-`. Text from outside is cleaned.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Any, Final

from flowtop_client.columns.cells import device, network
from flowtop_client.columns.column import Units
from flowtop_client.columns.flows import GUESSED
from flowtop_client.humanize import UNKNOWN, clean, count, duration, endpoint, rate_with_unit, size
from flowtop_client.several import HOST_FIELD
from flowtopd.wire.messages import Detail

Known = Mapping[str, Any]
Pairs = tuple[tuple[str, str], ...]
"""Labels and texts."""

NOTHING: Final[Mapping[str, str]] = {}

_ENDS: Final = {"src": "Source", "dst": "Destination", "reply_src": "Real destination", "reply_dst": "Seen as"}
_SCOPES: Final = {
    "remote": "elsewhere",
    "host": "this host",
    "lan": "in this LAN",
    "uplink": "in the network of the uplink",
    "group": "a multicast group",
}
_BY: Final = {"listening": "somebody listens there", "known": "a known port", "lower": "a guess: the lower port"}


@dataclass(frozen=True, slots=True)
class Station:
    """A place on the path of a flow: who that is, its address and port, and what it is there."""

    who: str
    address: str
    what: str


@dataclass(frozen=True, slots=True)
class Group:
    """What belongs together, under a heading."""

    heading: str
    pairs: Pairs


def stations(detail: Detail) -> tuple[Station, ...]:
    """The path of the first packet: the source, the addresses that NAT put in place of others, the destination."""
    flow, ends = detail.flow or {}, detail.ends or {}
    is_local = flow.get("direction") in {"outbound", "local"}
    source = Station(_who(ends.get("src", {}), flow if is_local else {}), _end(flow, "src", "sport"), "source")
    path = [source]
    owner = flow if flow.get("direction") == "inbound" else {}
    if flow.get("nat") in {"dnat", "both"}:
        path.append(Station(_who(ends.get("dst", {}), {}), _end(flow, "dst", "dport"), "asked for"))
    if flow.get("nat") in {"snat", "both"}:
        path.append(Station(_who(ends.get("reply_dst", {}), {}), _end(flow, "reply_dst", "reply_dport"), "seen as"))
    if flow.get("nat") in {"dnat", "both"}:
        last = Station(_who(ends.get("reply_src", {}), owner), _end(flow, "reply_src", "reply_sport"), "destination")
    else:
        last = Station(_who(ends.get("dst", {}), owner), _end(flow, "dst", "dport"), "destination")
    return (*path, last)


def _end(flow: Known, name: str, port: str) -> str:
    return endpoint(flow.get(name), flow.get(port))


def _who(end: Known, owner: Known) -> str:
    """Who is at this end: the process, else the device, else its name; a device without one by its MAC address."""
    if owner.get("process"):
        return f"{clean(owner['process'])}[{owner.get('pid') or UNKNOWN}]"
    for field in ("device", "name"):
        if end.get(field):
            return clean(end[field])
    if end.get("scope") == "host":
        return _SCOPES["host"]
    return device(Units(), (None, end.get("mac"), end.get("vendor")))


def groups(
    detail: Detail, *, bits: bool, zone: tzinfo | None = UTC, missing: Mapping[str, str] = NOTHING
) -> tuple[Group, ...]:
    """What is known, in the order of importance; times are told as in `zone`, None is that of this machine.

    `missing`: facts of places that no database has, `city` or `asn`, with the command that gets one.
    """
    flow, ends = detail.flow or {}, detail.ends or {}
    made = [
        Group("Traffic", _traffic(flow, bits=bits)),
        Group("Process", _process(flow, zone)),
        Group("Connection", _connection(flow, zone)),
        *(Group(_ENDS[name], _place(ends.get(name, {}), missing)) for name in ("src", "dst", *_nat_ends(flow))),
        Group("Tuples", _tuples(flow)),
    ]
    return tuple(group for group in made if group.pairs)


def _nat_ends(flow: Known) -> tuple[str, ...]:
    """The ends of the reply that are others than those of the original direction."""
    named = {"snat": ("reply_dst",), "dnat": ("reply_src",), "both": ("reply_src", "reply_dst")}
    return named.get(str(flow.get("nat")), ())


def _pairs(*pairs: tuple[str, Any]) -> Pairs:
    return tuple((label, clean(str(value))) for label, value in pairs if value not in {None, ""})


def _traffic(flow: Known, *, bits: bool) -> Pairs:
    return (("original", _moved(flow, "orig", bits=bits)), ("reply", _moved(flow, "reply", bits=bits)))


def _moved(flow: Known, way: str, *, bits: bool) -> str:
    """The rate of one direction, and what has passed in all."""
    rate, total, packets = (flow.get(f"{way}_{what}") for what in ("rate", "bytes", "packets"))
    return f"{rate_with_unit(rate, bits=bits)}, {size(total)}, {count(packets)} packet{'' if packets == 1 else 's'}"


def _process(flow: Known, zone: tzinfo | None) -> Pairs:
    process, pid, user, uid = (flow.get(field) for field in ("process", "pid", "user", "uid"))
    return _pairs(
        ("process", _named(process, pid)),
        ("command", flow.get("command")),
        ("parent", _named(flow.get("parent"), flow.get("parent_pid"))),
        ("user", f"{user} ({uid})" if user and uid is not None else user or uid),
        ("unit", flow.get("unit")),
        ("container", flow.get("container")),
        ("cgroup", flow.get("cgroup")),
        ("started", _time(flow.get("started"), zone)),
        ("found", flow.get("attribution")),
        ("because", flow.get("explanation")),
        ("own", "a lookup of flowtopd itself" if flow.get("own") else None),
    )


def _named(process: Any, pid: Any) -> Any:
    return f"{process or UNKNOWN}[{pid}]" if pid is not None else process


def _connection(flow: Known, zone: tzinfo | None) -> Pairs:
    service, by = flow.get("service"), flow.get("service_by")
    named = f"{service}{GUESSED if by == 'lower' else ''}, port {flow.get('service_port')} ({_BY.get(str(by), by)})"
    icmp = [flow.get(f"icmp_{part}") for part in ("type", "code", "id")]
    return _pairs(
        ("host", flow.get(HOST_FIELD)),
        ("protocol", f"{flow.get('proto') or UNKNOWN} over {flow.get('family') or UNKNOWN}"),
        ("state", flow.get("state")),
        ("status", " ".join(flow.get("status") or ())),
        ("service", named if service else None),
        ("ICMP", "type {}, code {}, id {}".format(*icmp) if icmp[0] is not None else None),
        ("direction", flow.get("direction")),
        ("NAT", flow.get("nat")),
        ("began", _time(flow.get("start"), zone)),
        ("first seen", _time(flow.get("first_seen"), zone)),
        ("lasts", None if flow.get("duration") is None else duration(flow["duration"])),
        ("expires in", None if flow.get("timeout") is None else duration(flow["timeout"])),
        ("mark", None if flow.get("mark") is None else f"{flow['mark']:#x}"),
        ("zone", flow.get("zone")),
        ("helper", flow.get("helper")),
        ("labels", ", ".join(flow.get("labels") or ())),
        ("id", flow.get("ctid") or None),  # a recording has none
        ("closed", "these are its final counters" if flow.get("closed") else None),
    )


def _place(end: Known, missing: Mapping[str, str]) -> Pairs:
    org, asn = end.get("org"), end.get("asn")
    where = ", ".join(str(part) for part in (end.get("city"), end.get("country")) if part)
    net = f"{network(Units(), (org, asn))} (AS{asn})" if org and asn is not None else org or (asn and f"AS{asn}")
    if end.get("scope") == "remote":
        if where and "city" in missing:
            where += f" (cities: {missing['city']})"
        if not net and "asn" in missing:
            net = f"not known ({missing['asn']} gets a database)"
    vendor = f" ({end['vendor']})" if end.get("vendor") else ""
    return _pairs(
        ("address", end.get("address")),
        ("name", end.get("name")),
        ("is", _SCOPES.get(str(end.get("scope")), end.get("scope"))),
        ("place", where),
        ("network", net),
        ("device", end.get("device")),
        ("MAC", f"{end['mac']}{vendor}" if end.get("mac") else None),
    )


def _tuples(flow: Known) -> Pairs:
    ways = (
        ("original", "src", "sport", "dst", "dport"),
        ("reply", "reply_src", "reply_sport", "reply_dst", "reply_dport"),
    )
    return tuple((way, f"{_end(flow, a, b)} > {_end(flow, c, d)}") for way, a, b, c, d in ways if flow.get(a))


def _time(value: float | None, zone: tzinfo | None) -> str | None:
    """A time that any clock may have said; one that no calendar has is not known."""
    try:
        return None if value is None else datetime.fromtimestamp(value, zone).strftime("%Y-%m-%d %H:%M:%S")
    except (OverflowError, OSError, ValueError):
        return None
