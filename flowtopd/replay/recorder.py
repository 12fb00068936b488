"""Records what the daemon sees, whether anybody looks or not: a viewer of its own, that writes to a file.

Rules: it wants a tick every INTERVAL_S seconds, and takes what others want where that comes in time. Names are recorded
as viewers have them; none is looked up for a file. When it cannot write it says so once and ends, and the daemon goes
on without it.
"""

import asyncio
import contextlib
import logging
from collections.abc import Iterator
from concurrent.futures import Executor
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import numpy as np

from flowtopd.flows.snapshot import Tick
from flowtopd.query.results import Results
from flowtopd.query.rows import render_columns
from flowtopd.session.hub import Hub
from flowtopd.wire.errors import RecordingError
from flowtopd.wire.fields import RECORDED_FIELD_NAMES
from flowtopd.wire.messages import Query
from flowtopd.wire.recording import About
from flowtopd.wire.recording_file import RecordingFile
from flowtopd.wire.samples import Sample

INTERVAL_S: Final = 1.0

_EVERYTHING: Final = Query(loopback=True)

log = logging.getLogger(__name__)


class Recorder:
    """One recording of a daemon."""

    def __init__(self, path: Path, file: RecordingFile) -> None:
        self._path = path
        self._file = file
        self._began_s: float | None = None

    async def run(self, hub: Hub, thread: Executor) -> None:
        """Record until cancelled, or until it cannot be written."""
        wake = asyncio.Event()
        hub.join(wake.set, viewer=False)
        hub.want(wake.set, INTERVAL_S)
        last_s = -INTERVAL_S
        try:
            while True:
                await wake.wait()
                wake.clear()
                if hub.latest is None:
                    continue
                tick = hub.latest.tick
                # as in session.conversation: the tick that is nearest to the own interval
                if tick.snapshot.at.monotonic_s - last_s >= INTERVAL_S - hub.pace_s / 2:
                    last_s = tick.snapshot.at.monotonic_s
                    await asyncio.get_running_loop().run_in_executor(thread, self._add, tick)
        except (OSError, RecordingError) as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else error
            log.error("%s: the recording ends here: %s", self._path, reason)  # noqa: TRY400 (one line, no traceback)
        finally:
            hub.leave(wake.set)

    def _add(self, tick: Tick) -> None:
        at_s = tick.snapshot.at.monotonic_s
        if self._began_s is None:
            self._began_s = at_s
        self._file.add(sample_of(tick, at_s - self._began_s))


@contextlib.contextmanager
def recorder(path: Path, about: About) -> Iterator[Recorder]:
    """Make the file; it is complete at the end. Raises OSError where it cannot be made."""
    with RecordingFile(path, about) as file:
        yield Recorder(path, file)
    log.info("%s: %d samples, %d bytes", path, file.samples, file.size)


def sample_of(tick: Tick, at_s: float) -> Sample:
    """All that a tick says, for a recording that began `at_s` seconds ago."""
    snapshot, kernel = tick.snapshot, tick.kernel
    columns = render_columns(snapshot, np.arange(snapshot.size), RECORDED_FIELD_NAMES)
    status: dict[str, Any] = {"max": kernel.max, "accounting": kernel.accounting, "timestamps": kernel.timestamps}
    status |= {"tracking": kernel.tracking, "flows": snapshot.size, "resets": snapshot.resets}
    status |= {"events_lost": tick.events_lost, "tick_seconds": tick.seconds, "events": tick.events}
    return Sample(
        at_s=at_s,
        time=snapshot.at.wall_s,
        interval=snapshot.interval_s,
        status=status,
        totals=asdict(Results(snapshot).selection(_EVERYTHING).totals),
        columns=dict(zip(RECORDED_FIELD_NAMES, columns, strict=True)),
    )
