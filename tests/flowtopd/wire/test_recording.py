"""Recordings, whole and broken: what was before a break can be played, and nothing but RecordingError comes out."""

import random
import struct
import tracemalloc
import zlib
from typing import Any

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowtopd.wire import recording
from flowtopd.wire.errors import RecordingError
from flowtopd.wire.recording import KEY_EVERY, MAGIC, About, Recording, Writer
from tests.flowtopd.wire.recorded import ABOUT, by_id, flow, history, opened, sample, written

HEAD = struct.Struct(">IIBQ")
TICKS = 2 * KEY_EVERY + 20
HISTORY = history(1, TICKS)
DATA = written(HISTORY)


def frames(data: bytes) -> list[tuple[int, str]]:
    """Where each frame begins, and its kind."""
    found, offset = [], len(MAGIC)
    while offset < len(data):
        length, _, kind, _ = HEAD.unpack_from(data, offset)
        found.append((offset, chr(kind)))
        offset += HEAD.size + length
    return found


def frame(kind: str, at_ms: int, body: bytes) -> bytes:
    sealed = struct.pack(">BQ", ord(kind), at_ms) + body
    return HEAD.pack(len(body), zlib.crc32(sealed), ord(kind), at_ms) + body


def with_body(body: bytes) -> bytes:
    return written([]) + frame("K", 0, body)


def test_a_recording_says_what_it_is_about_and_how_long_it_is() -> None:
    found = opened(DATA)
    assert found.about == ABOUT
    assert (len(found), found.duration_s, found.trouble) == (TICKS, TICKS - 1, "")


def test_it_can_be_played_in_order() -> None:
    found = opened(DATA)
    for number, taken in enumerate(HISTORY):
        at, shown = found.sample(number)
        assert (at, shown.at_s, shown.time, shown.interval) == (number, taken.at_s, taken.time, taken.interval)
        assert by_id(shown) == by_id(taken)


def test_any_sample_can_be_reached_from_any_other() -> None:
    found, rng = opened(DATA), random.Random(1)
    for _jump in range(60):
        number = rng.randrange(TICKS)
        assert by_id(found.sample(number)[1]) == by_id(HISTORY[number])
    assert found.sample(TICKS + 5)[0] == TICKS - 1


def test_nothing_is_far_from_a_whole_sample() -> None:
    kinds = "".join(kind for _, kind in frames(DATA))
    assert kinds.startswith("HK")
    assert max(map(len, kinds[1:].split("K"))) < KEY_EVERY


def test_a_time_means_the_sample_that_was_shown_then() -> None:
    found = opened(written([sample(at_s, flow(1)) for at_s in (0.0, 1.0, 2.5)]))
    assert [found.at(seconds) for seconds in (-1, 0, 0.99, 1, 2.4, 2.5, 99)] == [0, 0, 0, 1, 1, 2, 2]


def test_a_recording_without_flows_is_one() -> None:
    assert opened(written([sample(0.0), sample(1.0)])).sample(1)[1].size == 0


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "no recording"),
        (b"flowto", "no recording"),
        (b"PNG" * 20, "no recording"),
        (MAGIC[:-1] + b"\x02" + DATA[8:], "format 2"),
        (MAGIC, "^the file ends too early$"),
        (MAGIC + frame("H", 0, b"xyz"), "cannot be unpacked"),
        (MAGIC + frame("H", 0, zlib.compress(msgpack.packb({}))), "where it was made"),
        (MAGIC + frame("K", 0, zlib.compress(msgpack.packb({}))), "what it is about"),
        (written([]), "nothing in it"),
        (written([]) + frame("D", 0, b"x"), "whole sample"),
        (written([]) + b"x", "byte 81, after 0.0 s: the file ends too early"),
    ],
    ids=range(11),
)
def test_what_cannot_be_played_at_all_is_refused(data: bytes, why: str) -> None:
    with pytest.raises(RecordingError, match=why):
        opened(data)


@pytest.mark.parametrize("back", [1, 10, 17, 18, 100])
def test_a_recording_that_is_cut_plays_to_the_break_and_says_where(back: int) -> None:
    whole = frames(DATA)
    end = len(DATA) - back
    last = [number for number, (offset, _) in enumerate(whole[1:]) if offset < end][-1]
    cut = opened(DATA[:end])
    assert len(cut) == last
    place = f"byte {whole[last + 1][0]}, after {last - 1}.0 s"
    assert cut.trouble == f"the recording is broken at {place}: the file ends too early"
    assert by_id(cut.sample(last - 1)[1]) == by_id(HISTORY[last - 1])


def test_a_byte_that_is_wrong_ends_it_when_it_is_reached() -> None:
    number = KEY_EVERY + 5
    offset = frames(DATA)[number + 1][0]
    broken = opened(DATA[: offset + 20] + bytes((DATA[offset + 20] ^ 1,)) + DATA[offset + 21 :])
    assert (len(broken), broken.trouble) == (TICKS, "")
    at, shown = broken.sample(number + 3)
    assert (at, len(broken)) == (number - 1, number)
    assert by_id(shown) == by_id(HISTORY[number - 1])
    assert broken.trouble == f"the recording is broken at byte {offset}, after {number - 1}.0 s: its checksum is wrong"


def test_a_broken_whole_sample_ends_it_before() -> None:
    found = bytearray(DATA)
    keys = [offset for offset, kind in frames(DATA) if kind == "K"]
    for offset in keys[1:]:
        found[offset + 20] ^= 1
    at, shown = opened(bytes(found)).sample(TICKS)
    assert by_id(shown) == by_id(HISTORY[at])
    assert frames(DATA)[at + 2][0] == keys[1]


@settings(deadline=None, max_examples=300)
@given(st.data())
def test_whatever_is_flipped_or_cut_nothing_but_a_recording_error_comes_out(data: st.DataObject) -> None:
    broken = bytearray(DATA[: data.draw(st.integers(0, len(DATA)))])
    for _flip in range(data.draw(st.integers(0, 4)) if broken else 0):
        broken[data.draw(st.integers(0, len(broken) - 1))] = data.draw(st.integers(0, 255))
    _play(bytes(broken))


SCALARS = st.none() | st.booleans() | st.integers(-(1 << 63), (1 << 64) - 1) | st.floats() | st.text(max_size=4)
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner))


@settings(deadline=None, max_examples=300)
@given(st.data())
def test_whatever_a_frame_says_under_a_good_checksum_nothing_else_comes_out(data: st.DataObject) -> None:
    pieces = written(HISTORY[:3])
    found = [(kind, pieces[offset:]) for offset, kind in frames(pieces)]
    made = MAGIC
    for kind, piece in found:
        length, _, _, at_ms = HEAD.unpack_from(piece)
        plain = msgpack.unpackb(zlib.decompress(piece[HEAD.size : HEAD.size + length]))
        if data.draw(st.booleans()):
            _spoil(plain, data)
        made += frame(kind, at_ms, zlib.compress(msgpack.packb(plain)))
    _play(made)


def _spoil(plain: dict[str, Any], data: st.DataObject) -> None:
    """Put something else somewhere into a map."""
    name = data.draw(st.sampled_from(sorted(plain)))
    if isinstance(plain[name], dict) and plain[name] and data.draw(st.booleans()):
        _spoil(plain[name], data)
    else:
        plain[name] = data.draw(VALUES)


def _play(data: bytes) -> None:
    try:
        found: Recording = opened(data)
        for number in (0, len(found) // 2, len(found), 1):
            found.sample(number)
    except RecordingError:
        return
    assert len(found) > 0


def peak_of(data: bytes) -> int:
    """The memory that it takes to find out that this is no recording."""
    tracemalloc.start()
    try:
        with pytest.raises(RecordingError):
            opened(data)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_a_bomb_of_zeros_is_not_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording, "MAX_PLAIN", 1 << 20)
    assert peak_of(with_body(zlib.compress(bytes(64 << 20)))) < 8 << 20


def test_a_bomb_of_lists_is_not_built() -> None:
    many = b"\x81\xa1x\xdd" + struct.pack(">I", 1 << 20) + b"\x90" * (1 << 20)  # a million empty lists
    assert peak_of(with_body(zlib.compress(many))) < 16 << 20


def test_a_bomb_of_maps_is_not_built() -> None:
    many = b"\x81\xa1x\xdd" + struct.pack(">I", 1 << 18) + b"\x80" * (1 << 18)
    assert peak_of(with_body(zlib.compress(many))) < 8 << 20


def test_a_bomb_of_items_is_not_built(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording, "MAX_ITEMS", 1 << 16)
    many = b"\x81\xa1x\xdc\x01\x00" + (b"\xdd" + struct.pack(">I", 1 << 15) + b"\xc0" * (1 << 15)) * 256
    assert peak_of(with_body(zlib.compress(many))) < 40 << 20  # built, they would be 64 MiB more


def test_a_sample_that_is_too_large_is_not_written_and_the_next_one_is(monkeypatch: pytest.MonkeyPatch) -> None:
    writer = Writer()
    data = writer.begin(ABOUT) + writer.add(sample(0.0, flow(1)))
    with monkeypatch.context() as tight:
        tight.setattr(recording, "MAX_PLAIN", 100)
        with pytest.raises(RecordingError, match="limit 100"):
            writer.add(sample(1.0, *map(flow, range(500))))
    last = sample(2.0, flow(1), flow(2))
    found = opened(data + writer.add(last))
    assert len(found) == 2
    assert by_id(found.sample(1)[1]) == by_id(last)


def test_a_device_that_fails_is_a_recording_error() -> None:
    def fail(_offset: int, _length: int) -> bytes:
        raise OSError(5, "Input/output error")

    with pytest.raises(RecordingError, match="cannot be read"):
        Recording(fail, 100)


def test_about_is_any_text() -> None:
    about = About("例え", "", 0.0)
    assert opened(written([sample(0.0)], about)).about == about


def test_a_name_that_is_no_text_is_recorded_without_what_is_wrong_with_it() -> None:
    recording = opened(written([sample(0.0, flow(1, process="a\udcffb"))]))
    assert recording.sample(0)[1].columns["process"] == ["a?b"]
