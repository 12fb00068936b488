"""Metrics for Prometheus: what several views say at one time, as OpenMetrics text. Snapshots in, text out.

    flowtop_table_entries 1234
    flowtop_device_bytes_per_second{device="tv",mac="02:…",direction="reply"} 4.5e+06

Rules: amounts are those of the flows that are in the table now, so they are gauges and fall when flows end; what is not
known has no sample. Labels are few and stay the same: no ports, no pids, no addresses but of devices that have nothing
else. Text from the network is cleaned. The text is good for node_exporter's textfile collector too, which reads the
older format: https://github.com/prometheus/OpenMetrics/blob/main/specification/OpenMetrics.md
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from flowtop_client.humanize import clean
from flowtopd.wire.messages import Snapshot, View

Labels = tuple[tuple[str, str], ...]
Group = Mapping[str, Any]

_DIRECTIONS: Final = ("orig", "reply")


@dataclass(frozen=True, slots=True)
class _Breakdown:
    """Flows by something: the word in the metrics' names, the view that has it, and the labels of a group."""

    word: str
    view: View
    labels: Callable[[Group], Labels]


def _device(group: Group) -> Labels:
    name = group["device"] or group["address"] or ("" if group["mac"] else group["key"])
    return ("device", name), ("mac", group["mac"] or "")


def _process(group: Group) -> Labels:
    name = group["process"] or ("" if group["unit"] or group["container"] else group["key"])
    return ("process", name), ("unit", group["unit"] or ""), ("container", group["container"] or "")


BREAKDOWNS: Final = (
    _Breakdown("device", View.DEVICES, _device),
    _Breakdown("process", View.PROCESSES, _process),
    _Breakdown("country", View.COUNTRIES, lambda group: (("country", group["country"] or "unknown"),)),
    _Breakdown("protocol", View.SERVICES, lambda group: (("protocol", group["proto"]),)),
)
"""What is told, and which views have to be asked for it."""


@dataclass(frozen=True, slots=True)
class _Family:
    name: str
    kind: str
    doc: str
    samples: Iterable[tuple[str, Labels, float | None]]
    """Suffix of the name, labels, value."""


def openmetrics(host: str, flows: Snapshot, groups: Mapping[View, list[Group]]) -> str:
    """The whole text: `flows` tells of the table and of all matched flows, `groups` has the rows of each view."""
    lines = []
    for family in (*_table(host, flows), *_totals(flows), *_breakdowns(groups)):
        samples = [(suffix, labels, value) for suffix, labels, value in family.samples if value is not None]
        lines.append(f"# HELP {family.name} {family.doc}")
        lines.append(f"# TYPE {family.name} {family.kind}")
        lines += [f"{family.name}{suffix}{_labels(labels)} {_number(value)}" for suffix, labels, value in samples]
    return "\n".join((*lines, "# EOF\n"))


def _table(host: str, flows: Snapshot) -> Iterator[_Family]:
    status = flows.status

    def gauge(name: str, doc: str, value: float | None) -> _Family:
        return _Family(f"flowtop_{name}", "gauge", doc, [("", (), value)])

    def counter(name: str, doc: str, value: float) -> _Family:
        return _Family(f"flowtop_{name}", "counter", doc, [("_total", (), value)])

    # a gauge: Prometheus' older format, which node_exporter reads, does not know the type `info`
    named: list[tuple[str, Labels, float | None]] = [("", (("host", clean(host)),), 1)]
    yield _Family("flowtop_host_info", "gauge", "The machine whose flows these are.", named)
    yield gauge("table_entries", "Entries of the kernel's conntrack table.", status.flows)
    yield gauge("table_limit", "Most entries that the table may have (nf_conntrack_max).", status.max)
    yield gauge("accounting", "Whether the kernel counts bytes and packets of new flows.", int(status.accounting))
    yield counter("events_lost", "Events of flows that came too fast to be looked at.", status.events_lost)
    yield counter("counter_resets", "Flows whose counters another program set back.", status.resets)
    yield gauge("tick_seconds", "What the last reading of the table took.", status.tick_seconds)
    yield gauge("viewers", "Viewers that are connected.", status.viewers)


def _totals(flows: Snapshot) -> Iterator[_Family]:
    totals = flows.totals

    def both(name: str, values: tuple[float | None, float | None]) -> list[tuple[str, Labels, float | None]]:
        return [(name, (("direction", way),), value) for way, value in zip(_DIRECTIONS, values, strict=True)]

    matched: list[tuple[str, Labels, float | None]] = [("", (), flows.status.matched)]
    yield _Family("flowtop_flows", "gauge", "Flows that match.", matched)
    yield _Family(
        "flowtop_bytes", "gauge", "Bytes of the flows that match.", both("", (totals.orig_bytes, totals.reply_bytes))
    )
    rates = both("", (totals.orig_rate, totals.reply_rate))
    yield _Family("flowtop_bytes_per_second", "gauge", "Their rates.", rates)


def _breakdowns(groups: Mapping[View, list[Group]]) -> Iterator[_Family]:
    for breakdown in BREAKDOWNS:
        merged: dict[Labels, dict[str, float]] = {}
        for group in groups[breakdown.view]:
            labels = tuple((name, clean(str(value))) for name, value in breakdown.labels(group))
            sums = merged.setdefault(labels, {})
            for name in ("flows", *(f"{way}_{what}" for way in _DIRECTIONS for what in ("bytes", "rate"))):
                if group[name] is not None:
                    sums[name] = sums.get(name, 0) + group[name]
        yield from _of_breakdown(f"flowtop_{breakdown.word}", breakdown.word, merged)


def _of_breakdown(prefix: str, word: str, merged: Mapping[Labels, Mapping[str, float]]) -> Iterator[_Family]:
    flows = [("", labels, sums.get("flows")) for labels, sums in merged.items()]
    yield _Family(f"{prefix}_flows", "gauge", f"Flows by {word}.", flows)
    for what, name, doc in (("bytes", "bytes", "Bytes"), ("rate", "bytes_per_second", "Bytes a second")):
        samples = [
            ("", (*labels, ("direction", way)), sums.get(f"{way}_{what}"))
            for labels, sums in merged.items()
            for way in _DIRECTIONS
        ]
        yield _Family(f"{prefix}_{name}", "gauge", f"{doc} by {word}.", samples)


def _labels(labels: Labels) -> str:
    if not labels:
        return ""
    escaped = ((name, value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")) for name, value in labels)
    return "{" + ",".join(f'{name}="{value}"' for name, value in escaped) + "}"


def _number(value: float) -> str:
    return str(value) if isinstance(value, int) else repr(float(value))
