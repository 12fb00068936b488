"""The modes with a private daemon: one that root starts for this viewer alone, and one that plays a recording."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path

from flowtop_client.connection.link import Unavailable
from flowtop_client.connection.private import COMMAND, PrivateDaemon, replaying
from flowtop_client.connection.targets import Targets
from flowtop_client.humanize import clean
from flowtopd.wire.demo import DEMO
from flowtopd.wire.errors import RecordingError
from flowtopd.wire.recording_file import open_recording

Serve = Callable[[Targets], Awaitable[int]]
"""Shows what comes from there, and gives the exit status."""


def of_this_host(serve: Serve, *, activate: bool) -> int:
    """Show what a private daemon sees. Raises Unavailable, with the daemon's own words where it has some."""
    if os.geteuid() != 0:
        asked = "--activate" if activate else "--standalone"
        raise Unavailable(f"{asked} needs root: only root may read connection tracking", f"`sudo flowtop {asked}`")
    return _with_private((*COMMAND, "--activate") if activate else COMMAND, serve)


def of_recording(path: Path, speed: float, serve: Serve) -> int:
    """Show a recording: what a private daemon makes of it. Raises Unavailable."""
    try:
        with open_recording(path):  # said here, it is one line
            pass
    except OSError as error:
        raise Unavailable(f"{path}: {error.strerror}") from None
    except RecordingError as error:
        raise Unavailable(f"{path}: {clean(str(error))}") from None
    return _with_private(replaying(path, speed, loop=path == DEMO), serve)


def _with_private(command: tuple[str, ...], serve: Serve) -> int:
    try:
        daemon = PrivateDaemon(command)
    except OSError as error:
        raise Unavailable(f"cannot start a private daemon: {error}") from None

    async def show() -> int:
        return await serve([("", daemon.viewer)])

    lost, status = None, 0
    try:
        status = asyncio.run(show())
    except Unavailable as error:
        lost = error
    finally:
        said = daemon.stop()
    if lost is not None:
        raise Unavailable(f"the private daemon failed: {said}" if said else lost.what, lost.hint)
    return status
