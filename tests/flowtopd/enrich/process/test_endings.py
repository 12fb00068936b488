import logging

import numpy as np
import pytest

from flowtopd.enrich.process.endings import MOST, Endings
from flowtopd.flows.identity import flow_keys
from flowtopd.netlink.nlmsg import Split
from tests.flowtopd.netlink.ctmessages import attr, nest, tcp

STOPPED = nest(20, attr(1, (5).to_bytes(8)), attr(2, (9).to_bytes(8)))


def put(endings: Endings, *messages: bytes) -> None:
    """As they stand in the slots of a subscription: with gaps between."""
    block = b"".join(message.ljust(2048, b"\xff") for message in messages)
    offsets = np.arange(len(messages), dtype=np.intp) * 2048
    endings.put(memoryview(block), Split(offsets, np.array([len(message) for message in messages]), interrupted=False))


def test_what_was_put_is_taken_once_with_key_and_times() -> None:
    endings = Endings()
    put(endings, *(tcp(number, STOPPED) for number in range(3)))
    put(endings, tcp(3))
    taken = endings.take(7.0)
    assert sorted(zip(taken["ctid"].tolist(), taken["stop_ns"].tolist(), strict=True)) == [
        *((1000 + number, 9) for number in range(3)),
        (1003, 0),
    ]
    assert taken["key"].tolist() == flow_keys(taken).tolist()
    assert taken["sampled_s"].tolist() == [7.0] * 4
    assert len(endings.take(8.0)["key"]) == 0


def test_memory_is_bounded_and_the_oldest_go_first() -> None:
    endings = Endings()
    for first in range(0, MOST + 512, 256):
        put(endings, *(tcp(number) for number in range(first, first + 256)))
    numbers = endings.take(0.0)["ctid"] - 1000
    assert len(numbers) == MOST
    assert numbers.max() - numbers.min() == MOST - 1
    assert numbers.min() > 0


def test_what_makes_no_sense_is_named_once_and_dropped(caplog: pytest.LogCaptureFixture) -> None:
    endings = Endings()
    with caplog.at_level(logging.WARNING):
        for _time in range(2):
            put(endings, tcp(1, attr(8, b"\0")))
            assert len(endings.take(0.0)["key"]) == 0
    assert len(caplog.messages) == 1
    put(endings, tcp(2))
    assert endings.take(0.0)["ctid"].tolist() == [1002]


def test_what_is_cleared_is_gone() -> None:
    endings = Endings()
    put(endings, tcp(1))
    endings.clear()
    assert len(endings.take(0.0)["key"]) == 0
