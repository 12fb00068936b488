"""What `conntrack -L` says about a namespace, in the field names of our JSON: the other opinion in tests.

One dict an entry. A value the tool does not print is None; numbers are numbers. Two things are wrong or
missing in its XML and come from its text output instead, joined by the entry's id: ICMP type, code and id,
and the state of SCTP (the XML names it with TCP's table: conntrack-tools 1.4.7).
"""

import re
from typing import Any, Final
from xml.etree import ElementTree as ET

from testbed.netns import Namespace

_STATUS: Final = ("assured", "unreplied")
_ICMP: Final = re.compile(r" type=(\d+) code=(\d+) id=(\d+)")
_SCTP_STATE: Final = re.compile(r" sctp +132 +\d+ (\S+)")
_ID: Final = re.compile(r" id=(\d+)$")


def count(namespace: Namespace) -> int:
    """How many entries the table has."""
    return int(namespace.run(["conntrack", "-C"]))


def flush(namespace: Namespace) -> None:
    """Empty the table."""
    namespace.run(["conntrack", "-F"])


def listing(namespace: Namespace) -> list[dict[str, Any]]:
    """All entries, IPv4 and IPv6."""
    entries = []
    for family in ("ipv4", "ipv6"):
        text = namespace.run(["conntrack", "-L", "-f", family, "-o", "extended,id"])
        extra = dict(map(_parse_line, text.splitlines()))
        xml = namespace.run(["conntrack", "-L", "-f", family, "-o", "xml,id,ktimestamp"])
        entries += [entry | extra.get(entry["id"], {}) for entry in parse_xml(xml)]
    return entries


def parse_xml(xml: str) -> list[dict[str, Any]]:
    """The entries in the output of `conntrack -L -o xml`. An empty table is printed as nothing at all."""
    if not xml.strip():
        return []
    return [_parse_flow(flow) for flow in ET.fromstring(xml).iter("flow")]  # noqa: S314  our own tool's output


def _parse_flow(flow: ET.Element) -> dict[str, Any]:
    meta = {part.get("direction"): part for part in flow.iter("meta")}
    independent = meta["independent"]
    entry: dict[str, Any] = {
        "id": _number(independent, "id"),
        "state": independent.findtext("state"),
        "timeout": _number(independent, "timeout"),
        "mark": _number(independent, "mark"),
        "zone": next((zone for part in meta.values() if (zone := _number(part, "zone"))), 0),  # or of one direction
        "use": _number(independent, "use"),
        "start_ns": _number(independent, "timestamp/start"),
        "helper": flow.findtext("helper"),
        "icmp_type": None,
        "icmp_code": None,
        "icmp_id": None,
    }
    entry |= {name: independent.find(name) is not None for name in _STATUS}
    for prefix, counters, part in (("", "orig", meta["original"]), ("reply_", "reply", meta["reply"])):
        layer3, layer4 = part.find("layer3"), part.find("layer4")
        assert layer3 is not None
        assert layer4 is not None
        if not prefix:
            number = int(layer4.get("protonum", ""))
            name = layer4.get("protoname", "unknown")
            entry |= {
                "family": layer3.get("protoname"),
                "protonum": number,
                "proto": str(number) if name == "unknown" else name,
            }
        entry |= {
            f"{prefix}src": layer3.findtext("src"),
            f"{prefix}dst": layer3.findtext("dst"),
            f"{prefix}sport": _port(layer4, "sport", "srckey"),
            f"{prefix}dport": _port(layer4, "dport", "dstkey"),
            f"{counters}_packets": _number(part, "counters/packets"),
            f"{counters}_bytes": _number(part, "counters/bytes"),
        }
    return entry


def _number(element: ET.Element, path: str) -> int | None:
    text = element.findtext(path)
    return None if text is None else int(text, 0)


def _port(layer4: ET.Element, port: str, key: str) -> int | None:
    number = _number(layer4, port)
    return _number(layer4, key) if number is None else number


def _parse_line(line: str) -> tuple[int, dict[str, Any]]:
    """The id of the entry on a line of text output, and what only the text has right."""
    found = _ID.search(line)
    assert found is not None, line
    extra: dict[str, Any] = {}
    if icmp := _ICMP.search(line):
        extra = dict(zip(("icmp_type", "icmp_code", "icmp_id"), map(int, icmp.groups()), strict=True))
    elif sctp := _SCTP_STATE.search(line):
        extra = {"state": sctp.group(1)}
    return int(found.group(1)), extra
