"""The short form of `make stress`: some minutes of a changing table, and tables that stay within their bounds."""

from dataclasses import replace

import pytest

from stress.fuzz.run import WrongAnswer
from stress.hours import Lived, live, report
from stress.table import Table

FINE = Lived(60, 10, {"addresses": 10}, {"addresses": 20}, [50.0] * 480)


def test_minutes_of_a_changing_table_stay_within_bounds() -> None:
    """So many flows change that the table of addresses has to be compacted several times."""
    lived = live(0.1, flows=200, changed=150, kept_s=5.0)
    assert lived.ticks == 360
    assert lived.too_large == []
    assert lived.largest["addresses and owners"] > 16_384


def test_a_table_that_is_never_compacted_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flowtopd.enrich.pipeline.Pipeline._compact", lambda *_drafts: None)
    assert live(0.1, flows=200, changed=150, kept_s=5.0).too_large == ["addresses and owners"]


def test_a_flow_too_few_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = Table.dump
    monkeypatch.setattr(
        Table, "dump", lambda table, seq: whole(table, seq)[:-400] if seq % 3 == 0 else whole(table, seq)
    )
    with pytest.raises((WrongAnswer, ValueError)):
        live(0.01, flows=200, changed=10)


def test_each_promise_can_be_broken() -> None:
    assert all(line.good for line in report(FINE, 8))
    for lived in (
        replace(FINE, largest={"addresses": 21}),
        replace(FINE, memory_mb=[50.0] * 400 + [70.0]),
    ):
        assert [line.good for line in report(lived, 8)].count(False) == 1
