"""Frames: a 4-byte big-endian length, then that many bytes. No I/O: bytes in, frames out.

┌───────────────┬───────────────────────┐
│ length  u32be │ one msgpack map       │   length counts the map alone, never 0
└───────────────┴───────────────────────┘
"""

from collections.abc import Iterator
from struct import Struct
from typing import Final

from flowtopd.wire.errors import ErrorCode, LocalProtocolError, RemoteProtocolError

_HEADER: Final = Struct(">I")

MAX_VIEWER_FRAME: Final = 64 * 1024
"""Longest frame that the daemon accepts from a viewer, in bytes."""

MAX_DAEMON_FRAME: Final = 16 * 1024 * 1024
"""Longest frame that a viewer accepts from the daemon; a part of a snapshot stays far below."""


def frame(body: bytes, limit: int) -> bytes:
    """Put the length before `body`. Raises LocalProtocolError when it is empty or longer than `limit`."""
    if not 0 < len(body) <= limit:
        msg = f"a frame of {len(body)} bytes, limit {limit}"
        raise LocalProtocolError(msg)
    return _HEADER.pack(len(body)) + body


class FrameReader:
    """Cuts a stream into frames. Memory is bounded by `limit`: a longer frame is refused by its header alone."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Take bytes from the stream, yield every frame they complete.

        Raises RemoteProtocolError on a length of 0 or over the limit; the stream cannot be read further then.
        """
        self._buffer += data
        while len(self._buffer) >= _HEADER.size:
            (length,) = _HEADER.unpack_from(self._buffer)
            if length > self._limit:
                raise RemoteProtocolError(ErrorCode.TOO_LARGE, f"a frame of {length} bytes, limit {self._limit}")
            if length == 0:
                raise RemoteProtocolError(ErrorCode.MALFORMED, "an empty frame")
            end = _HEADER.size + length
            if len(self._buffer) < end:
                return
            body = bytes(self._buffer[_HEADER.size : end])
            del self._buffer[:end]
            yield body
