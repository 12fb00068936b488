from typing import Any

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowtopd.wire import samples
from flowtopd.wire.errors import RecordingError
from flowtopd.wire.samples import Decoder, Encoder, columns_of
from tests.flowtopd.wire.recorded import by_id, flow, history, sample

MOVED = {"orig_rate": 100.0, "reply_rate": 0.0}


def counted(number: int, moved: int, at_s: float) -> dict[str, object]:
    return flow(number, orig_bytes=moved, reply_bytes=5, sampled=at_s)


@settings(deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 12))
def test_every_sample_comes_back(seed: int, ticks: int) -> None:
    encoder, decoder = Encoder(), Decoder()
    for number, taken in enumerate(history(seed, ticks)):
        plain = encoder.delta(taken) if number else encoder.key(taken)
        encoder.settle()
        assert plain is not None
        read = decoder.delta if number else decoder.key
        time, interval, status, totals, columns = read(msgpack.unpackb(msgpack.packb(plain)))
        assert (time, interval, status, totals) == (taken.time, taken.interval, taken.status, taken.totals)
        assert by_id(samples.Sample(0, time, interval, status, totals, columns)) == by_id(taken)


def test_what_did_not_change_is_not_written() -> None:
    encoder = Encoder()
    encoder.key(sample(0.0, flow(1, start=1.0), flow(2)))
    encoder.settle()
    plain = encoder.delta(sample(1.0, flow(1, start=1.0), flow(2)))
    assert plain is not None
    assert (plain["gone"], plain["size"], plain["columns"], plain["changed"]) == ([], 0, {}, {})


def test_of_a_counter_the_difference_is_written_and_of_its_rate_nothing() -> None:
    encoder = Encoder()
    encoder.key(sample(0.0, counted(1, 1000, 5.0), counted(2, 7, 5.0)))
    encoder.settle()
    plain = encoder.delta(sample(1.0, counted(1, 1050, 5.5) | MOVED, counted(2, 7, 5.5) | MOVED | {"orig_rate": 0.0}))
    assert plain is not None
    assert plain["changed"]["orig_bytes"] == {"rows": [0], "by": {"values": [50]}}
    assert set(plain["changed"]) == {"orig_bytes", "sampled"}


def test_other_fields_than_before_need_a_whole_sample() -> None:
    encoder = Encoder()
    encoder.key(sample(0.0, flow(1)))
    encoder.settle()
    other = sample(1.0, flow(1))
    del other.columns["own"]
    assert encoder.delta(other) is None


def test_rows_become_columns_also_where_there_are_none() -> None:
    assert columns_of(("a", "b"), [[1, 2], [3, 4]]) == {"a": [1, 3], "b": [2, 4]}
    assert columns_of(("a", "b"), []) == {"a": [], "b": []}


KEY: dict[str, Any] = {"time": 1.0, "interval": None, "status": {}, "totals": {}, "size": 2}
IDS = {"id": {"values": ["a", "b"]}}


@pytest.mark.parametrize(
    "wrong",
    [
        {"time": 1},
        {"interval": "soon"},
        {"status": []},
        {"size": None},
        {"size": -1},
        {"size": samples.MAX_FLOWS + 1},
        {"columns": {}},
        {"columns": {"id": 7}},
        {"columns": {"id": {}}},
        {"columns": {"id": {"values": ["a"]}}},
        {"columns": {"id": {"values": ["a", 7]}}},
        {"columns": {"id": {"table": ["a"], "at": [0, 1]}}},
        {"columns": {"id": {"table": ["a"], "at": [0, -1]}}},
        {"columns": {"id": {"table": ["a"], "at": [0, 0.5]}}},
        {"columns": {"id": {"table": ["a", "b"], "at": None}}},
        {"columns": IDS | {"orig_bytes": {"values": [True, None]}}},
        {"columns": IDS | {"orig_rate": {"values": [1, None]}}},
    ],
)
def test_a_whole_sample_that_is_wrong_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(RecordingError):
        Decoder().key(KEY | {"columns": IDS} | wrong)


DELTA = KEY | {"size": 0, "gone": [], "columns": {}, "changed": {}}


@pytest.mark.parametrize(
    "wrong",
    [
        {"gone": None},
        {"gone": [2]},
        {"gone": [0, 0]},
        {"gone": [-1]},
        {"gone": ["a"]},
        {"size": 1},
        {"size": samples.MAX_FLOWS, "columns": {"id": {"table": ["c"], "at": None}}},
        {"changed": {"orig_bytes": 7}},
        {"changed": {"orig_bytes": {"rows": [5], "to": {"values": [1]}}}},
        {"changed": {"orig_bytes": {"rows": [0], "to": {"values": [1, 2]}}}},
        {"changed": {"orig_bytes": {"rows": [0], "by": {"values": [1]}}}},
        {"changed": {"orig_rate": {"rows": [0], "by": {"values": [1]}}}},
        {"changed": {"orig_rate": {"rows": [0], "to": {"values": ["fast"]}}}},
    ],
)
def test_a_change_that_is_wrong_is_refused(wrong: dict[str, object]) -> None:
    decoder = Decoder()
    columns = IDS | {name: {"table": [None], "at": None} for name in ("orig_bytes", "orig_rate")}
    decoder.key(KEY | {"columns": columns})
    with pytest.raises(RecordingError):
        decoder.delta(DELTA | wrong)


def test_a_field_that_this_version_does_not_know_is_left_out() -> None:
    decoded = Decoder().key(KEY | {"columns": IDS | {"mood": {"values": ["good", "bad"]}}})
    assert set(decoded[4]) == {"id", "duration"}
