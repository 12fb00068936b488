"""A viewer that shows nothing: it asks what it is told to ask, and hands over the snapshots as they come.

with Viewer(daemon) as viewer:
    viewer.ask(Query(closed=True))
    snapshot = viewer.next()                          # the next one that answers this query
    for row in rows(snapshot): row["closed"]          # by field name
    row = viewer.until(lambda snapshot: …)            # the first thing that is not None
"""

import os
import socket
import time
from collections.abc import Callable
from dataclasses import replace
from types import TracebackType
from typing import Any, Final, Self, TypeVar

from flowtopd.wire.codec import decode_daemon, encode_viewer
from flowtopd.wire.framing import MAX_DAEMON_FRAME, FrameReader
from flowtopd.wire.messages import PROTOCOL_VERSION, Error, Hello, Query, Snapshot
from testbed.daemon import Daemon

WAIT_S: Final = 20.0

T = TypeVar("T")


class Viewer:
    """One connection. A snapshot that comes in parts is put together."""

    def __init__(self, daemon: Daemon) -> None:
        self._path = os.fspath(daemon.socket)
        self._socket = socket.socket(socket.AF_UNIX)
        self._frames = FrameReader(MAX_DAEMON_FRAME)
        self._came: list[Snapshot] = []
        self._tag = 0

    def __enter__(self) -> Self:
        try:
            self._socket.settimeout(WAIT_S)
            self._socket.connect(self._path)
            self._socket.sendall(encode_viewer(Hello(PROTOCOL_VERSION, "testbed")))
        except BaseException:
            self._socket.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()

    def ask(self, query: Query) -> None:
        """Ask; what answers older queries is not handed over any more."""
        self._tag += 1
        self._socket.sendall(encode_viewer(replace(query, tag=self._tag)))

    def next(self) -> Snapshot:
        """Wait for the next snapshot. Raises RuntimeError when the daemon complains or leaves."""
        parts: list[Snapshot] = []
        while not parts or parts[-1].more:
            while not self._came:
                self._receive()
            if (part := self._came.pop(0)).tag == self._tag:
                parts.append(part)
        return replace(parts[0], rows=[row for part in parts for row in part.rows], more=False)

    def _receive(self) -> None:
        data = self._socket.recv(1 << 16)
        if not data:
            raise RuntimeError("the daemon has closed the connection")
        for body in self._frames.feed(data):
            match decode_daemon(body):
                case Error(message=complaint):
                    raise RuntimeError(complaint)
                case Snapshot() as snapshot:
                    self._came.append(snapshot)

    def until(self, wanted: Callable[[Snapshot], T | None]) -> T:
        """Wait for a snapshot in which `wanted` finds something, and return that."""
        deadline = time.monotonic() + WAIT_S
        while True:
            snapshot = self.next()
            found = wanted(snapshot)
            if found is not None:
                return found
            if time.monotonic() > deadline:
                raise TimeoutError(f"not found in {WAIT_S} s, in the end there was {rows(snapshot)[:5]}")


def rows(snapshot: Snapshot) -> list[dict[str, Any]]:
    """The rows of a snapshot by field name."""
    return [dict(zip(snapshot.fields, row, strict=True)) for row in snapshot.rows]
