import logging
import threading
from collections.abc import Iterator

import pytest

from flowtopd.enrich.background import Background
from testbed.netns import wait_until


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
    background.do(lambda: gate.wait() and "first")
    background.do(lambda: "second")
    assert list(background.take()) == []
    assert background.busy
    gate.set()
    assert results(background, 2) == ["first", "second"]
    assert not background.busy


def test_a_job_that_fails_is_logged_and_the_next_is_done(
    background: Background, caplog: pytest.LogCaptureFixture
) -> None:
    background.do(lambda: 1 // 0)
    background.do(lambda: "well")
    with caplog.at_level(logging.ERROR):
        assert results(background, 1) == ["well"]
    assert "a lookup failed" in caplog.text


def test_what_was_forgotten_has_no_result(background: Background) -> None:
    gate = threading.Event()
    background.do(gate.wait)
    background.do(lambda: "never")
    background.forget()
    gate.set()
    background.do(lambda: "after")
    assert results(background, 1) == ["after"]


def test_it_is_full_before_it_holds_too_much(background: Background) -> None:
    gate = threading.Event()
    while not background.full:
        background.do(gate.wait)
    gate.set()
    results(background, 1)
    assert not background.full
