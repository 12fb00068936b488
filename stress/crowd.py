"""A crowd of hostile viewers, and one that behaves and wants every frame in time.

    python -m stress.crowd crowd SOCKET VIEWERS SECONDS SEED     processes of VIEWERS_EACH viewers, some are killed
    python -m stress.crowd good SOCKET SECONDS                   the viewer that behaves; prints what it got

What a hostile viewer does, again and again: read for a while and leave; ask for everything and never read; send
rubbish; say nothing; leave in the middle of a frame; ask as fast as it can; connect and leave. Whole processes are
ended by SIGKILL in the middle of whatever their viewers do. A daemon that has a limit on viewers says `busy` to some;
they come again at once.
"""

import asyncio
import contextlib
import itertools
import json
import logging
import os
import random
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from random import Random
from typing import Any, Final

from flowtopd.wire.codec import decode_daemon, encode_viewer
from flowtopd.wire.framing import MAX_DAEMON_FRAME, FrameReader
from flowtopd.wire.messages import PROTOCOL_VERSION, Hello, Query, Snapshot
from stress.fuzz.mutate import mutated

VIEWERS_EACH: Final = 10
INTERVAL_S: Final = 1.0
_KILLS_A_SECOND: Final = 4
_HELLO: Final = encode_viewer(Hello(PROTOCOL_VERSION, "crowd"))
_GREETED_S: Final = 20.0
_EVERYTHING: Final = encode_viewer(Query(interval=INTERVAL_S))
_REST_S: Final = 0.05
"""Between two deeds of one viewer: the crowd must leave the processors to those it attacks."""


def _page(chance: Random) -> bytes:
    sort = chance.choice(("rate", "bytes", "dst", "duration"))
    interval = chance.choice((INTERVAL_S, 2 * INTERVAL_S, 10 * INTERVAL_S))
    return encode_viewer(Query(sort=sort, offset=chance.randrange(500), limit=60, interval=interval))


async def _read(path: str, chance: Random) -> None:
    reader, writer = await asyncio.open_unix_connection(path)
    writer.write(_HELLO + _page(chance))
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(chance.uniform(0.2, 3.0)):
            while await reader.read(1 << 16):
                pass
    writer.close()


async def _stall(path: str, chance: Random) -> None:
    reader, writer = await asyncio.open_unix_connection(path, limit=1)
    writer.transport.pause_reading()  # type: ignore[attr-defined]  # of a socket, which this is
    writer.write(_HELLO + _EVERYTHING)
    await asyncio.sleep(chance.uniform(1.0, 8.0))
    writer.transport.abort()
    del reader


async def _rubbish(path: str, chance: Random) -> None:
    reader, writer = await asyncio.open_unix_connection(path)
    good = _HELLO + _page(chance) * chance.randint(0, 3)
    for _ in range(chance.randint(1, 10)):
        writer.write(mutated(good, chance) if chance.getrandbits(1) else chance.randbytes(chance.randint(1, 5000)))
        await writer.drain()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(1.0):
            while await reader.read(1 << 16):
                pass
    writer.close()


async def _say_nothing(path: str, chance: Random) -> None:
    _reader, writer = await asyncio.open_unix_connection(path)
    await asyncio.sleep(chance.uniform(0.5, 5.0))
    writer.close()


async def _leave_halfway(path: str, chance: Random) -> None:
    _reader, writer = await asyncio.open_unix_connection(path)
    said = _HELLO + _page(chance)
    writer.write(said[: chance.randrange(1, len(said))])
    await writer.drain()
    await asyncio.sleep(chance.uniform(0.0, 0.5))
    writer.transport.abort()


async def _ask_and_ask(path: str, chance: Random) -> None:
    reader, writer = await asyncio.open_unix_connection(path)
    writer.write(_HELLO)
    for _ in range(chance.randint(20, 200)):
        writer.write(_page(chance))
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(0.5):
            await writer.drain()
            while await reader.read(1 << 16):
                pass
    writer.close()


async def _look_in(path: str, _chance: Random) -> None:
    _reader, writer = await asyncio.open_unix_connection(path)
    writer.close()


_DEEDS: Final[tuple[Callable[[str, Random], Awaitable[None]], ...]] = (
    *(_read, _read, _stall, _stall, _rubbish, _say_nothing, _leave_halfway, _ask_and_ask, _look_in),
)


async def _viewer(path: str, chance: Random) -> None:
    while True:
        with contextlib.suppress(OSError):
            await chance.choice(_DEEDS)(path, chance)
        await asyncio.sleep(_REST_S)


async def _viewers(path: str, count: int, seed: int) -> None:
    async with asyncio.TaskGroup() as tasks:
        for number in range(count):
            tasks.create_task(_viewer(path, Random(seed * 1000 + number)))


def _fork(path: str, count: int, seed: int) -> int:
    """A process of viewers, which ends by SIGKILL alone, or with its parent."""
    parent = os.getpid()
    pid = os.fork()
    if pid:
        return pid
    try:
        signal.signal(signal.SIGALRM, lambda *_: os.getppid() == parent or os._exit(0))
        signal.setitimer(signal.ITIMER_REAL, 1.0, 1.0)
        logging.getLogger("asyncio").setLevel(logging.CRITICAL)  # which says that the daemon has hung up
        asyncio.run(_viewers(path, count, seed))
    finally:
        os._exit(1)


def crowd(path: str, viewers: int, seconds: float, seed: int) -> dict[str, int]:
    """Keep so many hostile viewers going for so long; return how many processes were killed in the middle."""
    chance = random.Random(seed)
    seeds = itertools.count(seed)
    pids = [_fork(path, VIEWERS_EACH, next(seeds)) for _ in range(viewers // VIEWERS_EACH)]
    killed, until = 0, time.monotonic() + seconds
    try:
        while time.monotonic() < until:
            time.sleep(chance.expovariate(_KILLS_A_SECOND))
            at = chance.randrange(len(pids))
            _kill(pids[at])
            killed += 1
            pids[at] = _fork(path, VIEWERS_EACH, next(seeds))
    finally:
        for pid in pids:
            _kill(pid)
    return {"killed": killed}


def _kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


async def behave(path: str, seconds: float, *, ready: Callable[[], None]) -> list[dict[str, Any]]:
    """Look for so long; return number, pace and delay of every frame, in seconds after its tick."""
    reader, writer = await asyncio.open_unix_connection(path)
    writer.write(_HELLO + encode_viewer(Query(limit=60, interval=INTERVAL_S)))
    frames, got, until = FrameReader(MAX_DAEMON_FRAME), list[dict[str, Any]](), 0.0
    async with asyncio.timeout(_GREETED_S + 2 * seconds):
        while not until or time.monotonic() < until:
            data = await reader.read(1 << 16)
            if not data:
                raise ConnectionError("the daemon has closed the connection of a viewer that behaves")
            for body in frames.feed(data):
                message = decode_daemon(body)
                if isinstance(message, Snapshot) and not message.more:
                    late_s = time.time() - message.time
                    got.append({"seq": message.seq, "late_s": late_s, "pace_s": message.status.pace})
            if got and not until:
                until = time.monotonic() + seconds
                ready()
    writer.close()
    return got


def main() -> None:
    """Be the crowd, or the one that behaves."""
    match sys.argv[1:]:
        case ["crowd", path, viewers, seconds, seed]:
            print(json.dumps(crowd(path, int(viewers), float(seconds), int(seed))), flush=True)
        case ["good", path, seconds]:
            got = asyncio.run(behave(path, float(seconds), ready=lambda: print("{}", flush=True)))
            print(json.dumps(got), flush=True)
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main()
