from typing import Any

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_metrics
from prometheus_client.parser import text_string_to_metric_families as text_format

from flowtop_client.openmetrics import BREAKDOWNS, Group, openmetrics
from flowtopd.wire.fields import VIEW_FIELDS
from flowtopd.wire.messages import Snapshot, Status, Totals, View

STATUS = Status(
    flows=10,
    matched=7,
    max=None,
    accounting=True,
    timestamps=True,
    tracking=None,
    events_lost=3,
    resets=2,
    tick_seconds=0.25,
    pace=1.0,
    viewers=1,
)
FLOWS = Snapshot(1, 1, 1e9, 1.0, View.FLOWS, STATUS, Totals(1.5, None, 2**60 + 1, 4), (), 0, [])


def group(view: View, **values: Any) -> dict[str, Any]:
    amounts = {"flows": 1, "orig_rate": 1.0, "reply_rate": None, "orig_bytes": 10, "reply_bytes": 20}
    return dict.fromkeys(VIEW_FIELDS[view]) | amounts | values


GROUPS: dict[View, list[Group]] = {
    View.DEVICES: [
        group(View.DEVICES, key="tv 02:00", device="tv", mac="02:00"),
        group(View.DEVICES, key="192.168.1.9", address="192.168.1.9"),
        group(View.DEVICES, key="(this host)", device='we "are" \\ \x1b[31m\n'),
    ],
    View.PROCESSES: [
        group(View.PROCESSES, key="curl[1]", process="curl", pid=1),
        group(View.PROCESSES, key="curl[2]", process="curl", pid=2, orig_bytes=5),
        group(View.PROCESSES, key="(exited)", attribution="exited"),
        group(View.PROCESSES, key="web", container="web"),
    ],
    View.COUNTRIES: [group(View.COUNTRIES, key="DE", country="DE"), group(View.COUNTRIES, key="(unknown)")],
    View.SERVICES: [
        group(View.SERVICES, key="tcp/443", proto="tcp", port=443),
        group(View.SERVICES, key="tcp/22", proto="tcp", port=22, reply_bytes=None),
    ],
}
TEXT = openmetrics("router", FLOWS, GROUPS)


def samples(text: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in open_metrics(text)
        for sample in family.samples
    }


def value(name: str, **labels: str) -> float:
    return samples(TEXT)[name, frozenset(labels.items())]


def test_the_real_parsers_read_it() -> None:
    assert samples(TEXT)
    assert {family.name for family in text_format(TEXT)} >= {"flowtop_table_entries", "flowtop_device_bytes"}


def test_table_and_totals() -> None:
    assert value("flowtop_table_entries") == 10
    assert value("flowtop_flows") == 7
    assert value("flowtop_events_lost_total") == 3
    assert value("flowtop_bytes", direction="reply") == 4
    assert value("flowtop_bytes_per_second", direction="orig") == 1.5
    assert f'flowtop_bytes{{direction="orig"}} {2**60 + 1}\n' in TEXT


def test_what_is_unknown_has_no_sample() -> None:
    names = {(name, labels) for name, labels in samples(TEXT)}
    assert ("flowtop_bytes_per_second", frozenset({("direction", "reply")})) not in names
    assert not [name for name, _labels in names if name == "flowtop_table_limit"]


def test_processes_of_one_name_are_one_and_protocols_add_up() -> None:
    curl = {"process": "curl", "unit": "", "container": ""}
    assert value("flowtop_process_flows", **curl) == 2
    assert value("flowtop_process_bytes", direction="orig", **curl) == 15
    assert value("flowtop_process_flows", process="(exited)", unit="", container="") == 1
    assert value("flowtop_process_flows", process="", unit="", container="web") == 1
    assert value("flowtop_protocol_flows", protocol="tcp") == 2
    assert value("flowtop_protocol_bytes", protocol="tcp", direction="reply") == 20
    assert value("flowtop_country_flows", country="unknown") == 1


def test_labels_are_clean_and_escaped() -> None:
    assert value("flowtop_device_flows", device='we "are" \\ ?[31m?', mac="") == 1
    assert value("flowtop_device_flows", device="192.168.1.9", mac="") == 1
    assert "\x1b" not in TEXT


@pytest.mark.parametrize("breakdown", BREAKDOWNS)
def test_a_breakdown_of_nothing_is_nothing(breakdown: Any) -> None:
    text = openmetrics("router", FLOWS, {**GROUPS, breakdown.view: []})
    assert not [name for name, _labels in samples(text) if name.startswith(f"flowtop_{breakdown.word}_")]


def test_only_types_of_the_older_format_are_used() -> None:
    """node_exporter refuses a whole file for one that it does not know."""
    assert {line.split()[-1] for line in TEXT.splitlines() if line.startswith("# TYPE")} == {"gauge", "counter"}
