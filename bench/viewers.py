"""Many viewers in one process: minimal asyncio clients that speak the wire protocol and count their frames.

    python -m bench.viewers SOCKET COUNT SECONDS

Prints one JSON line when every viewer has its first frame, and one at the end: for every viewer the number of
frames and the longest time between two, within SECONDS.
"""

import asyncio
import itertools
import json
import sys
import time
from dataclasses import dataclass, field
from typing import Final

from flowtopd.wire.codec import decode_daemon, encode_viewer
from flowtopd.wire.framing import MAX_DAEMON_FRAME, FrameReader
from flowtopd.wire.messages import PROTOCOL_VERSION, Hello, Query, Snapshot

_ROWS: Final = 60
_SORTS: Final = ("rate", "bytes", "dst", "duration", "proto")
_FIRST_FRAME_S: Final = 20.0


@dataclass
class _Viewer:
    """One viewer. No two look at the same: they sort differently and stand at different places."""

    number: int
    arrivals: list[float] = field(default_factory=list)
    first: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self, path: str) -> None:
        reader, writer = await asyncio.open_unix_connection(path)
        try:
            query = Query(sort=_SORTS[self.number % len(_SORTS)], offset=self.number * 100, limit=_ROWS, interval=1.0)
            writer.write(encode_viewer(Hello(PROTOCOL_VERSION, "bench")) + encode_viewer(query))
            frames = FrameReader(MAX_DAEMON_FRAME)
            while data := await reader.read(65_536):
                for body in frames.feed(data):
                    message = decode_daemon(body)
                    if isinstance(message, Snapshot) and not message.more:
                        self.arrivals.append(time.perf_counter())
                        self.first.set()
        finally:
            writer.close()

    def counted(self, start: float, end: float) -> tuple[int, float]:
        """Frames between two times, and the longest time without one."""
        within = [at for at in self.arrivals if start <= at <= end]
        edges = [start, *within, end]
        return len(within), max(later - earlier for earlier, later in itertools.pairwise(edges))


async def _run(path: str, count: int, seconds: float) -> None:
    viewers = [_Viewer(number) for number in range(count)]
    everybody = asyncio.gather(*(viewer.run(path) for viewer in viewers))
    async with asyncio.timeout(_FIRST_FRAME_S):
        await asyncio.gather(*(viewer.first.wait() for viewer in viewers))
    print(json.dumps({"ready": count}), flush=True)
    start = time.perf_counter()
    await asyncio.wait([everybody], timeout=seconds)
    end = time.perf_counter()
    if everybody.done():
        everybody.result()
        raise ConnectionError("the daemon has closed the connection")
    everybody.cancel()
    await asyncio.gather(everybody, return_exceptions=True)
    frames, gaps = zip(*(viewer.counted(start, end) for viewer in viewers), strict=True)
    print(json.dumps({"seconds": end - start, "frames": frames, "gaps": gaps}), flush=True)


def main() -> None:
    """Run the viewers and print what they got."""
    path, count, seconds = sys.argv[1:]
    asyncio.run(_run(path, int(count), float(seconds)))


if __name__ == "__main__":
    main()
