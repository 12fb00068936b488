"""Snapshots for scripts: what connections deliver, in a format of `writers`, until enough is written.

Rules:
- Of several hosts, the table and CSV have one snapshot of all, with a column that names the host; it is held in memory
  until it is merged. JSON has an object a snapshot a host, each as it comes.
- A recording ends the output with its last snapshot; one that is broken then says so.
- With a condition nothing is written before a snapshot has rows that fit; then these, and that is the end.
- `--once` waits for the first snapshot with rates. Without it, output goes on until the reader is gone or Ctrl-C.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from dataclasses import replace
from typing import Any, TextIO

from flowtop_client.connection.link import Down, Link, Unavailable, named
from flowtop_client.humanize import clean
from flowtop_client.writers import JsonWriter, Out, Writer
from flowtopd.wire.errors import ErrorCode
from flowtopd.wire.messages import Error, Snapshot


class Refused(Exception):  # noqa: N818  # the daemon's word, not ours
    """The daemon does not accept the query: a sort field or a filter is wrong. `error` is what it says."""

    def __init__(self, error: Error) -> None:
        super().__init__(clean(error.message))
        self.error = error


Fits = Callable[[Mapping[str, Any]], bool]
"""Tells of a row, by the names of its fields, whether it fits a condition."""


Mind = Callable[[Snapshot], None]
"""Told of a snapshot, by its last part."""


async def run(
    connection: Link,
    writer: Writer,
    out: Out,
    *,
    once: bool,
    fits: Fits | None = None,
    mind: Mind = lambda _part: None,
) -> bool:
    """Write what an open connection delivers; return whether there were rows that fit, where that is asked for.

    `mind` is shown the last part of every snapshot.
    Raises Refused where the query is wrong, Unavailable when the connection ends, OSError when nobody reads.
    """
    writing: int | None = None
    fitting: Snapshot | None = None
    async with aclosing(snapshots(connection)) as parts:
        async for part in parts:
            if once and part.interval is None:
                continue
            if writing not in {None, part.seq}:
                raise Unavailable("the daemon broke off a snapshot")
            if fits is not None:
                fitting = _more_fitting(fitting if writing else None, part, fits)
            else:
                _write(writer, part, begins=writing is None)
            writing = part.seq
            if part.more:
                continue
            writing = None
            found = fitting is not None and bool(fitting.rows)
            if fitting is not None and found:
                _write(writer, fitting, begins=True)
            out.flush()
            mind(part)
            if once or found or _is_last(part):
                return found
    return False


class Lines:
    """Writes to `out` only when it is flushed: what several write at the same time stays in whole lines."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._parts: list[str] = []

    def write(self, text: str) -> int:
        """Keep this until the next flush."""
        self._parts.append(text)
        return len(text)

    def flush(self) -> None:
        """Write what was kept."""
        text, self._parts = "".join(self._parts), []
        self._out.write(text)
        self._out.flush()


async def run_each(connections: Mapping[str, Link], out: TextIO, *, once: bool, fits: Fits | None = None) -> bool:
    """Write what the open connections of several hosts deliver as JSON, a snapshot a line; else as `run`."""
    found: list[str] = []

    async def follow(host: str, connection: Link) -> None:
        lines = Lines(out)
        try:
            if not await run(connection, JsonWriter(lines, host), lines, once=once, fits=fits):
                return
        except Unavailable as error:
            raise named(host, error) from None
        found.append(host)
        for task in tasks:
            if task is not asyncio.current_task():
                task.cancel()

    tasks: list[asyncio.Task[None]] = []
    try:
        async with asyncio.TaskGroup() as group:
            tasks += [group.create_task(follow(host, connection)) for host, connection in connections.items()]
    except ExceptionGroup as several:
        raise several.exceptions[0] from None
    return bool(found)


def _write(writer: Writer, part: Snapshot, *, begins: bool) -> None:
    if begins:
        writer.begin(part)
    writer.rows(part)
    if not part.more:
        writer.end()


async def snapshots(connection: Link) -> AsyncGenerator[Snapshot, None]:
    """The snapshots that come, part by part. Raises Refused and Unavailable."""
    async with aclosing(connection.events()) as events:
        async for event in events:
            if isinstance(event, Down):
                raise Unavailable(f"lost the daemon: {event.why}", event.hint)
            if isinstance(event, Error):
                if event.code in {ErrorCode.SORT, ErrorCode.FILTER}:
                    raise Refused(event)
                raise Unavailable(f"the daemon says: {clean(event.message)}")
            if isinstance(event, Snapshot):
                yield event


def _more_fitting(before: Snapshot | None, part: Snapshot, fits: Fits) -> Snapshot:
    """The rows of a part that fit, behind those of the parts before it."""
    rows = [row for row in part.rows if fits(dict(zip(part.fields, row, strict=True)))]
    rows = [*before.rows, *rows] if before else rows
    return replace(part, rows=rows, offset=0, status=replace(part.status, matched=len(rows)))


def _is_last(snapshot: Snapshot) -> bool:
    """Whether a recording has ended with this one. Raises Unavailable where it should have gone on."""
    if snapshot.replay is None or not snapshot.replay.ended:
        return False
    if snapshot.replay.trouble:
        raise Unavailable(clean(snapshot.replay.trouble))
    return True
