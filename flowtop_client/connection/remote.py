"""A viewer of daemons on other hosts, from its begin to its end: ways are made for it, and are gone when it is.

Rules: the directory with the sockets is ours alone (0700), in $XDG_RUNTIME_DIR where there is one. Ctrl-C, SIGTERM and
SIGHUP end every ssh and remove it. Where we are killed, each ssh ends by itself; the empty directory stays.
"""

import asyncio
import contextlib
import os
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import Final, TypeVar

from flowtop_client.connection.host import Host, is_plain, labels
from flowtop_client.connection.tunnel import Tunnel

T = TypeVar("T")
Ways = tuple[tuple[str, Tunnel], ...]
"""By what each host is called."""

_SIGNALS: Final = (signal.SIGTERM, signal.SIGHUP)


def _directory() -> Path:
    """A new directory for sockets."""
    above = os.environ.get("XDG_RUNTIME_DIR", "")
    usable = is_plain(above) and os.access(above, os.W_OK)
    found = above if usable else tempfile.gettempdir()
    return Path(tempfile.mkdtemp(prefix="flowtop-", dir=found if is_plain(found) else "/tmp"))  # noqa: S108  # mkdtemp


@contextlib.asynccontextmanager
async def ways(hosts: Sequence[Host], socket: str) -> AsyncIterator[Ways]:
    """Ways to the daemons that listen on the path `socket` of these hosts. None of them is made yet."""
    directory = _directory()
    made: list[Tunnel] = []
    questions = asyncio.Lock() if len(hosts) > 1 else None
    try:
        for number, (host, label) in enumerate(zip(hosts, labels(hosts), strict=True), 1):
            made.append(Tunnel(host, label, socket, directory / f"{number}.sock", questions))
        yield tuple((way.label, way) for way in made)
    finally:
        with _undisturbed():
            for way in made:
                way.close()
            shutil.rmtree(directory, ignore_errors=True)


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """Without being ended by a signal: a terminal that closes sends more than one."""
    before = [(number, signal.signal(number, signal.SIG_IGN)) for number in _SIGNALS]
    try:
        yield
    finally:
        for number, handler in before:
            signal.signal(number, handler)


def run(hosts: Sequence[Host], socket: str, serve: Callable[[Ways], Awaitable[T]]) -> T:
    """Run `serve` to its end. A signal that ends it ends this process as that signal does, when all is cleaned up."""
    ended: list[int] = []

    async def main() -> T:
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task is not None

        def end(number: int) -> None:
            ended.append(number)
            task.cancel()

        for number in _SIGNALS:
            loop.add_signal_handler(number, end, number)
        async with ways(hosts, socket) as made:
            return await serve(made)

    try:
        return asyncio.run(main())
    except asyncio.CancelledError:
        if ended:
            signal.signal(ended[0], signal.SIG_DFL)
            os.kill(os.getpid(), ended[0])
        raise
