"""The short form of `make stress`: some minutes of a changing table, and tables that stay within their bounds."""

from collections.abc import Callable, Generator
from dataclasses import replace

import pytest

from flowtopd.netlink.nlsocket import Block
from stress.fuzz.run import WrongAnswer
from stress.hours import Lived, live, report
from testbed.simulated.kernel import Kernel

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
    whole = Kernel.dump

    def short(kernel: Kernel, make_request: Callable[[int], bytes]) -> Generator[Block, None, None]:
        flows = kernel._flows
        kernel._flows = {name: values[1:] for name, values in flows.items()}
        blocks = list(whole(kernel, make_request))
        kernel._flows = flows
        yield from blocks

    monkeypatch.setattr(Kernel, "dump", short)
    with pytest.raises(WrongAnswer, match="199 flows"):
        live(0.01, flows=200, changed=10)


def test_a_rate_that_cannot_be_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("testbed.simulated.daemon.MOST_BYTES", 1000)
    with pytest.raises(WrongAnswer, match="orig_rate from"):
        live(0.01, flows=200, changed=10)


def test_each_promise_can_be_broken() -> None:
    assert all(line.good for line in report(FINE, 8))
    for lived in (
        replace(FINE, largest={"addresses": 21}),
        replace(FINE, memory_mb=[50.0] * 400 + [70.0]),
    ):
        assert [line.good for line in report(lived, 8)].count(False) == 1
