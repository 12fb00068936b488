from pathlib import Path

from bench import baseline
from bench.report import Measured, Pairs, Results, Ticks


def test_only_what_holds_on_other_machines_is_watched() -> None:
    results = Results(
        [Ticks(1_000, Pairs(1.04, 0.01, 0.0104, 0.01), None, 0.1, None)],
        [Measured("a ratio", "1.1", stable=1.1), Measured("a time", "3 ms")],
    )
    assert baseline.stable(results) == {"tick / floor at 1 000 flows": 1.04, "a ratio": 1.1}


def test_what_is_over_a_fifth_worse_is_said_and_nothing_else() -> None:
    before = {"same": 1.0, "better": 2.0, "a little": 1.0, "worse": 1.0, "not measured": 1.0}
    now = {"same": 1.0, "better": 1.0, "a little": 1.2, "worse": 1.21, "new": 9.0}
    assert baseline.worse(before, now) == ["worse: 1.21, baseline 1: +21%"]


def test_what_was_not_measured_stays_in_the_baseline(tmp_path: Path) -> None:
    path = tmp_path / "baseline.json"
    baseline.write({"a": 1.0, "b": 2.0}, path)
    baseline.write({"b": 3.00001}, path)
    assert baseline.read(path) == {"a": 1.0, "b": 3.0}


def test_the_committed_baseline_can_be_read() -> None:
    assert all(value > 0 for value in baseline.read().values())
    assert "tick / floor at 1 000 flows" in baseline.read()
