"""Records what a viewer may see, as its user: a connection of its own that asks for every row and every field.

    recorder = Recorder(path, state)
    await recorder.run(target)            # in a task of the caller's; cancelled, it ends the recording
    recorder.recorded                     # how far it is, at any time
    await record(path, state, target)     # the mode of the command: until Ctrl-C, and then a word about it

Rules
- The rows are the flows of the viewer: its protocols, families, filter; not its tab, window, order or pause.
- The file is new, its mode 0600. It is complete after each snapshot: who kills the recorder loses nothing before.
- A daemon that goes and comes back leaves a gap. One that was handed over (a private one) cannot come back.
- Names of sources are asked for only while the viewer shows them, as on the screen.
"""

import sys
import time
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from flowtop_client.connection.link import Connection, Down, Target, Unavailable
from flowtop_client.humanize import clean
from flowtop_client.recorded import Recorded
from flowtop_client.view_state.state import ViewState, query_for
from flowtopd.wire.errors import RecordingError
from flowtopd.wire.fields import RECORDED_FIELD_NAMES
from flowtopd.wire.messages import Error, Query, Snapshot, View
from flowtopd.wire.recording import About
from flowtopd.wire.recording_file import RecordingFile
from flowtopd.wire.samples import Sample, columns_of


def recording_query(state: ViewState) -> Query:
    """What is recorded for a viewer in this state."""
    query = query_for(replace(state, view=View.FLOWS, fields=RECORDED_FIELD_NAMES, paused=False))
    return replace(query, offset=0, limit=None, sort="start", descending=False)


class Recorder:
    """One recording. `wall` and `monotonic` are clocks, in seconds."""

    def __init__(
        self,
        path: Path,
        state: ViewState,
        *,
        wall: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._path = path
        self._query = recording_query(state)
        self._wall = wall
        self._monotonic = monotonic
        self._rows: list[list[Any]] = []
        self._seq: int | None = None
        self._began_s: float | None = None
        self.recorded = Recorded()

    async def run(self, target: Target, *, once: bool = False) -> None:
        """Record until cancelled; with `once`, until there is a sample with rates.

        Raises Unavailable where there is no daemon, where it refuses, and where the file cannot be written.
        """
        connection = Connection(target, self._query, client="flowtop recorder")
        up = await connection.open()
        try:
            with RecordingFile(self._path, About(up.host, up.server, self._wall())) as file:
                await self._follow(connection, file, once=once)
        except (OSError, RecordingError) as error:
            why = error.strerror if isinstance(error, OSError) else str(error)
            raise Unavailable(f"cannot record into {self._path}: {why}") from None
        finally:
            await connection.close()

    async def _follow(self, connection: Connection, file: RecordingFile, *, once: bool) -> None:
        async with aclosing(connection.events()) as events:
            async for event in events:
                if isinstance(event, Error):
                    raise Unavailable(f"the daemon says: {clean(event.message)}")
                if isinstance(event, Down):
                    self.recorded = replace(self.recorded, trouble=event.why)
                    self._rows, self._seq = [], None
                elif isinstance(event, Snapshot) and self._is_whole(event):
                    self._add(file, event)
                    if once and event.interval is not None:
                        return
        raise Unavailable(f"lost the daemon: {self.recorded.trouble}")

    def _is_whole(self, part: Snapshot) -> bool:
        """Take a part; tell whether it was the last one. What was begun and not ended is dropped."""
        if part.seq != self._seq:
            self._rows = []
        self._seq = part.seq if part.more else None
        self._rows += part.rows
        return not part.more

    def _add(self, file: RecordingFile, last: Snapshot) -> None:
        now_s = self._monotonic()
        if self._began_s is None:
            self._began_s = now_s
        rows, self._rows = self._rows, []
        at_s = now_s - self._began_s
        columns = columns_of(last.fields, rows)
        file.add(Sample(at_s, last.time, last.interval, asdict(last.status), asdict(last.totals), columns))
        self.recorded = Recorded(file.samples, file.size, at_s, max(self.recorded.flows, len(rows)))


async def record(path: Path, state: ViewState, target: Target, *, once: bool) -> None:
    """Record until Ctrl-C, then say on stderr how much it was. Raises as `Recorder.run`."""
    recorder = Recorder(path, state)
    try:
        await recorder.run(target, once=once)
    finally:
        if (done := recorder.recorded).samples:
            what = f"{done.samples} snapshots of up to {done.flows} flows in {done.seconds:.0f} s"
            print(f"flowtop: {path}: {what}, {done.size_bytes} bytes", file=sys.stderr)
