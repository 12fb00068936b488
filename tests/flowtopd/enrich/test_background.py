import logging
import threading
from collections.abc import Iterator
from enum import Enum, auto

import pytest

from flowtopd.enrich import background as module
from flowtopd.enrich.background import Background
from testbed.netns import wait_until


class Kind(Enum):
    ONE = auto()
    OTHER = auto()


@pytest.fixture
def background() -> Iterator[Background]:
    made = Background()
    yield made
    made.close()


def results(background: Background, count: int) -> list[object]:
    taken: list[object] = []

    def enough() -> bool:
        taken.extend(background.take())
        return len(taken) >= count

    wait_until(enough)
    return taken


def test_results_come_in_the_order_of_the_jobs_and_nobody_waits(background: Background) -> None:
    gate = threading.Event()
    background.do(Kind.ONE, lambda: gate.wait() and "first")
    background.do(Kind.OTHER, lambda: "second")
    assert list(background.take()) == []
    assert background.has(Kind.ONE)
    gate.set()
    assert results(background, 2) == [(Kind.ONE, "first"), (Kind.OTHER, "second")]
    assert not background.has(Kind.ONE)


def test_a_job_that_fails_is_logged_has_no_result_and_the_next_is_done(
    background: Background, caplog: pytest.LogCaptureFixture
) -> None:
    background.do(Kind.ONE, lambda: 1 // 0)
    background.do(Kind.OTHER, lambda: "well")
    with caplog.at_level(logging.ERROR):
        assert results(background, 2) == [(Kind.ONE, None), (Kind.OTHER, "well")]
    assert "could not be looked up" in caplog.text


def test_what_was_forgotten_is_not_done_and_has_no_result(background: Background) -> None:
    gate, begun, never = threading.Event(), threading.Event(), threading.Event()

    def wait() -> None:
        begun.set()
        gate.wait()

    background.do(Kind.ONE, wait)
    background.do(Kind.OTHER, never.set)
    begun.wait()
    background.forget()
    gate.set()
    background.do(Kind.ONE, lambda: "after")
    assert results(background, 1) == [(Kind.ONE, "after")]
    assert not never.is_set()


def test_it_is_full_before_it_holds_too_much(background: Background) -> None:
    gate = threading.Event()
    while not background.full:
        background.do(Kind.ONE, gate.wait)
    gate.set()
    results(background, 1)
    assert not background.full


def test_now_waits_for_its_result_but_not_for_ever(background: Background, monkeypatch: pytest.MonkeyPatch) -> None:
    assert background.now(lambda: "here") == "here"
    assert background.now(lambda: 1 // 0) is None
    monkeypatch.setattr(module, "PATIENCE_S", 0.01)
    gate = threading.Event()
    assert background.now(gate.wait) is None
    gate.set()


def test_a_job_that_hangs_keeps_nobody_from_ending(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENCE_S", 0.01)
    made, gate = Background(), threading.Event()
    made.do(Kind.ONE, gate.wait)
    made.close()
    gate.set()
