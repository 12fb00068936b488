"""What scripts get, from the demonstration: a real daemon, a real viewer, neither root nor a kernel."""

import csv
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from flowtopd.wire.fields import VIEW_FIELDS
from flowtopd.wire.messages import View

ROOT = Path(__file__).parents[1]
SCHEMA = jsonschema.Draft202012Validator(json.loads((ROOT / "docs" / "flowtop.schema.json").read_text("utf-8")))


def flowtop(*options: str) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "flowtop_client", "--demo", "--speed", "20", *options]
    return subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False, cwd=ROOT)


@pytest.mark.parametrize("view", View)
def test_json_of_every_view_is_as_the_schema_says(view: View) -> None:
    done = flowtop("--all", "--once", "--json", "--view", view)
    snapshot: dict[str, Any] = json.loads(done.stdout)
    assert [error.message for error in SCHEMA.iter_errors(snapshot)] == []
    assert snapshot["flows" if view is View.FLOWS else "groups"]
    assert (done.returncode, done.stderr) == (0, "")


def test_the_schema_refuses_what_is_not_as_it_says() -> None:
    snapshot = json.loads(flowtop("--once", "--json").stdout)
    snapshot["flows"][0]["sport"] = "http"
    del snapshot["flows"][0]["dport"]
    assert len(list(SCHEMA.iter_errors(snapshot))) == 2


@pytest.mark.parametrize("view", View)
def test_csv_of_every_view_has_its_fields(view: View) -> None:
    rows = list(csv.DictReader(flowtop("--all", "--once", "--csv", "--view", view).stdout.splitlines()))
    assert rows
    assert tuple(rows[0]) == VIEW_FIELDS[view]


def test_metrics_are_read_by_the_real_parser_and_agree_with_json() -> None:
    done = flowtop("--all", "--once", "--format", "openmetrics")
    found = {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(done.stdout)
        for sample in family.samples
    }
    assert done.returncode == 0
    flows = found["flowtop_flows", ()]
    assert flows > 0
    for word in ("device", "process", "country", "protocol"):
        assert sum(value for (name, _labels), value in found.items() if name == f"flowtop_{word}_flows") > 0
    protocols = sum(value for (name, _labels), value in found.items() if name == "flowtop_protocol_flows")
    assert abs(protocols - flows) <= 5  # of another tick, maybe


@pytest.mark.parametrize(
    ("options", "status"),
    [
        (("--exit-if", "country US"), 3),
        (("--once", "--exit-if", "country XX"), 0),
        (("--once", "-f", "udp", "--exit-if", "tcp"), 0),
        (("--view", "devices", "--exit-if", "flows > 2"), 3),
        (("--once", "--view", "devices", "--exit-if", "rate > 100G"), 0),
        (("--view", "devices", "--exit-if", "port 443"), 2),
        (("--exit-if", "country"), 2),
        (("--exit-if", "tcp", "--format", "openmetrics"), 2),
        (("--format", "yaml"), 2),
    ],
)
def test_the_status_tells_whether_something_fits(options: tuple[str, ...], status: int) -> None:
    done = flowtop("--all", "--json", *options) if "--format" not in options else flowtop(*options)
    assert done.returncode == status, done.stderr
    assert bool(done.stdout) == (status == 3)
    assert bool(done.stderr) == (status == 2)
    if status == 3:
        snapshot = json.loads(done.stdout)
        assert len(snapshot.get("flows") or snapshot["groups"]) == snapshot["status"]["matched"] > 0


def test_a_reader_that_has_enough_ends_it_cleanly() -> None:
    command = f"{sys.executable} -m flowtop_client --demo --json | head -n 1"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command], capture_output=True, timeout=60, cwd=ROOT, check=False
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert json.loads(done.stdout)["view"] == "flows"
