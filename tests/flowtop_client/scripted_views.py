"""Groups and filters over a list of flows, slow and obvious: what a scripted daemon answers with."""

import fnmatch
from collections.abc import Callable
from typing import Any

from flowtopd.wire.fields import VIEW_FIELDS
from flowtopd.wire.filter_fields import Side
from flowtopd.wire.filter_parser import parse
from flowtopd.wire.filter_syntax import Both, Compare, Either, Flag, Network, Node, Not, Op, Search, Span
from flowtopd.wire.messages import View

Flow = dict[str, Any]
Group = dict[str, Any]

_ENDS = {"country", "city", "asn", "org", "name"}
_SUMS = ("orig_rate", "reply_rate", "orig_bytes", "reply_bytes")


def total(flows: list[Flow], field: str) -> Any:
    known = [flow[field] for flow in flows if flow[field] is not None]
    return sum(known) if known else None


def _is(field: str, value: Any, side: str = "") -> str:
    return f'{side}{field} "{value}"' if value is not None else f"not {side}{field} *"


def _process(flow: Flow) -> Group:
    if flow["process"] is None and flow["unit"] is None:
        said = flow["attribution"]
        meant = f"not process * not unit * {_is('attribution', said)}"
        return {"key": f"({said})", "filter": meant, "attribution": said}
    named = {name: flow[name] for name in ("process", "pid", "user", "unit", "container")}
    key = f"{flow['process']}[{flow['pid']}]" if flow["pid"] else flow["unit"]
    number = f"pid {flow['pid']}" if flow["pid"] else "not pid *"
    return {
        **named,
        "command": flow["process"] and f"/usr/bin/{flow['process']} -x",
        "key": key,
        "filter": f"{number} " + _is("unit", flow["unit"]),
    }


def _device(flow: Flow) -> Group:
    if flow["device"] is None and flow["device_mac"] is None:
        return {"key": "(this host)", "filter": "not device * not mac *"}
    named = {"device": flow["device"], "mac": flow["device_mac"], "vendor": flow["device_vendor"]}
    meant = f"{_is('device', flow['device'])} {_is('mac', flow['device_mac'])}"
    return {**named, "key": f"{flow['device']} {flow['device_mac']}", "filter": meant}


def _host(flow: Flow) -> Group:
    named = {name: flow[f"dst_{name}"] for name in ("name", "country", "city", "asn", "org")}
    return {**named, "address": flow["dst"], "key": flow["dst"], "filter": f"dst host {flow['dst']}"}


def _country(flow: Flow) -> Group:
    country = flow["dst_country"]
    return {"country": country, "key": country or "(unknown)", "filter": _is("country", country, "remote ")}


def _network(flow: Flow) -> Group:
    asn, org = flow["dst_asn"], flow["dst_org"]
    number = f"remote asn {asn}" if asn else "not remote asn *"
    key = f"AS{asn} {org}" if asn else "(unknown)"
    return {"asn": asn, "org": org, "key": key, "filter": f"{number} {_is('org', org, 'remote ')}"}


def _service(flow: Flow) -> Group:
    proto, port = flow["proto"], flow["service_port"]
    if port is None:
        return {"proto": proto, "key": proto, "filter": f"proto {proto} not service_port *"}
    named = {"service": flow["service"], "proto": proto, "port": port}
    return {**named, "key": f"{proto}/{port}", "filter": f"proto {proto} service_port {port}"}


def _container(flow: Flow) -> Group:
    container, unit = flow["container"], None if flow["container"] else flow["unit"]
    meant = _is("container", container) if container else f"not container * {_is('unit', unit)}"
    return {"container": container, "unit": unit, "key": container or unit or "(none)", "filter": meant}


_VIEWS: dict[View, Callable[[Flow], Group]] = {
    View.PROCESSES: _process,
    View.DEVICES: _device,
    View.HOSTS: _host,
    View.COUNTRIES: _country,
    View.NETWORKS: _network,
    View.SERVICES: _service,
    View.CONTAINERS: _container,
}


def groups(view: View, flows: list[Flow]) -> list[Group]:
    """The flows put together, the first group that occurs first."""
    members: dict[str, list[Flow]] = {}
    named: dict[str, Group] = {}
    for flow in flows:
        group = _VIEWS[view](flow)
        named.setdefault(group["key"], group)
        members.setdefault(group["key"], []).append(flow)
    return [
        dict.fromkeys(VIEW_FIELDS[view])
        | named[key]
        | {"flows": len(own)}
        | {field: total(own, field) for field in _SUMS}
        for key, own in members.items()
    ]


def matching(text: str, flows: list[Flow]) -> list[Flow]:
    """The flows that a filter means, in the part of the language that the tests of the viewer use."""
    meant = parse(text)
    return flows if meant is None else [flow for flow in flows if _matches(meant, flow)]


def _matches(node: Node, flow: Flow) -> bool:
    match node:
        case Both():
            return all(_matches(part, flow) for part in node.parts)
        case Either():
            return any(_matches(part, flow) for part in node.parts)
        case Not():
            return not _matches(node.part, flow)
        case Flag():
            return bool(flow[node.field] == node.value)
        case Search():
            return any(node.text.lower() in value.lower() for value in flow.values() if isinstance(value, str))
        case Compare():
            return any(_equal(node, value) for value in _values(node, flow) if value is not None)


def _values(node: Compare, flow: Flow) -> list[Any]:
    ends = ["dst"] if node.side in {Side.DST, Side.REMOTE} else ["src"] if node.side else ["src", "dst"]
    if node.field in _ENDS:
        return [flow[f"{end}_{node.field}"] for end in ends]
    if node.field == "host":
        return [flow[end] for end in ends]
    if node.field == "port":
        return [flow[f"{end[0]}port"] for end in ends]
    if node.field == "rate":
        return [(flow["orig_rate"] or 0) + (flow["reply_rate"] or 0)]
    return [flow["device_mac" if node.field == "mac" else node.field]]


def _equal(node: Compare, value: Any) -> bool:
    match node.value:
        case Span(low, high):
            return bool(value > low if node.op is Op.GT else low <= value <= high)
        case Network():
            found = parse(f"host {value}")
            return isinstance(found, Compare) and found.value == node.value
        case text:
            return text == "*" or fnmatch.fnmatchcase(str(value).lower(), text.lower())
