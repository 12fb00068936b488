"""flowtopd.wire.framing: however the stream is cut, the same frames come out, and the same mistakes."""

import struct
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowtopd.wire.errors import ErrorCode, LocalProtocolError, RemoteProtocolError
from flowtopd.wire.framing import MAX_DAEMON_FRAME, MAX_VIEWER_FRAME, FrameReader, frame

LIMIT = 16

GOOD: list[tuple[bytes, list[bytes]]] = [
    (b"", []),
    (b"\0\0\0\1x", [b"x"]),
    (b"\0\0\0\1x\0\0\0\2yz", [b"x", b"yz"]),
    (b"\0\0\0\x10" + b"f" * 16, [b"f" * 16]),
    (b"\0\0\0\4\0\0\0\1", [b"\0\0\0\1"]),
]

TAILS = [b"", b"\0", b"\0\0\0\1", b"\0\0\0\5half"]
"""Beginnings of a next frame, which must wait."""

BAD = [
    (b"\0\0\0\0", ErrorCode.MALFORMED, "an empty frame"),
    (b"\0\0\0\x11", ErrorCode.TOO_LARGE, "a frame of 17 bytes, limit 16"),
    (b"\xff\xff\xff\xff", ErrorCode.TOO_LARGE, "a frame of 4294967295 bytes, limit 16"),
    (b"GET / HTTP/1.1\r\n", ErrorCode.TOO_LARGE, "a frame of 1195725856 bytes, limit 16"),
]


def feed(reader: FrameReader, pieces: Iterable[bytes]) -> list[bytes]:
    return [body for piece in pieces for body in reader.feed(piece)]


def bytewise(data: bytes) -> list[bytes]:
    return [data[at : at + 1] for at in range(len(data))]


@pytest.mark.parametrize("tail", TAILS)
@pytest.mark.parametrize(("stream", "bodies"), GOOD)
def test_frames_come_out_whole_or_byte_by_byte(stream: bytes, bodies: list[bytes], tail: bytes) -> None:
    assert feed(FrameReader(LIMIT), [stream + tail]) == bodies
    assert feed(FrameReader(LIMIT), bytewise(stream + tail)) == bodies


@pytest.mark.parametrize(("stream", "bodies"), GOOD)
@pytest.mark.parametrize(("garbage", "code", "message"), BAD)
def test_garbage_is_refused_after_the_good_frames_before_it(
    stream: bytes, bodies: list[bytes], garbage: bytes, code: ErrorCode, message: str
) -> None:
    for pieces in ([stream + garbage], bytewise(stream + garbage)):
        reader = FrameReader(LIMIT)
        got: list[bytes] = []
        with pytest.raises(RemoteProtocolError) as caught:
            got.extend(body for piece in pieces for body in reader.feed(piece))
        assert got == bodies
        assert (caught.value.code, caught.value.message, caught.value.offset) == (code, message, None)


def test_a_long_frame_is_refused_by_its_header_alone() -> None:
    """Nobody can make the daemon keep more than the limit."""
    with pytest.raises(RemoteProtocolError):
        feed(FrameReader(MAX_VIEWER_FRAME), [struct.pack(">I", MAX_VIEWER_FRAME + 1)])


@pytest.mark.parametrize("limit", [MAX_VIEWER_FRAME, MAX_DAEMON_FRAME])
def test_the_limit_itself_is_allowed(limit: int) -> None:
    body = bytes(limit)
    assert feed(FrameReader(limit), [frame(body, limit)]) == [body]


@pytest.mark.parametrize("body", [b"", bytes(LIMIT + 1)])
def test_a_frame_that_the_peer_would_refuse_is_not_made(body: bytes) -> None:
    with pytest.raises(LocalProtocolError):
        frame(body, LIMIT)


@given(bodies=st.lists(st.binary(min_size=1, max_size=LIMIT)), data=st.data())
def test_any_cut_gives_the_same_frames(bodies: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(frame(body, LIMIT) for body in bodies)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)))))
    pieces = [stream[start:end] for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    assert feed(FrameReader(LIMIT), pieces) == bodies


@given(stream=st.binary())
def test_random_bytes_are_frames_or_an_error_of_the_peer(stream: bytes) -> None:
    try:
        bodies = feed(FrameReader(LIMIT), [stream])
    except RemoteProtocolError as error:
        assert error.code in {ErrorCode.TOO_LARGE, ErrorCode.MALFORMED}  # noqa: PT017 - or no error at all
    else:
        assert all(0 < len(body) <= LIMIT for body in bodies)
