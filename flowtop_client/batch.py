"""Snapshots for scripts: JSON Lines, CSV or the table as text, on stdout; of flows, or of the groups of a view.

Rules:
- A window may come in parts; rows are written as they come, so that a hundred thousand flows need no memory here.
  Only the table waits for the last part: its columns are as wide as their longest text.
- Of several hosts, the table and CSV have one snapshot of all, with a column that names the host; it is held in memory
  until it is merged. JSON has an object a snapshot a host, each as it comes.
- A recording ends the output with its last snapshot; one that is broken then says so.
- With a condition nothing is written before a snapshot has rows that fit; then these, and that is the end.
- `--once` waits for the first snapshot with rates. Without it, output goes on until the reader is gone or Ctrl-C.
- JSON is ASCII, and text from the network is cleaned in CSV and in the table: the output may end up on a terminal.
- CSV has one header; lists are joined with `|`, unknown is empty, booleans are `true` and `false`. A text that a
  spreadsheet would take for a formula gets a `'` in front: a stranger chooses the name of an address. JSON is exact.
- The table has no blanks inside its values. Into a pipe it has every column at full width; on a terminal it fits.
"""

import asyncio
import csv
import json
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from contextlib import aclosing
from dataclasses import asdict, replace
from typing import Any, Final, Protocol, TextIO

from flowtop_client.columns.column import Align, Column, Row, Units, cells, needed_fields
from flowtop_client.columns.fit import Placed, cut, fit, speaking
from flowtop_client.columns.flows import flow_columns
from flowtop_client.columns.groups import group_columns, whole_of
from flowtop_client.columns.text_width import text_width
from flowtop_client.connection.link import Down, Link, Unavailable, named
from flowtop_client.formats import Format
from flowtop_client.humanize import clean
from flowtop_client.view_state.state import ViewState, query_for
from flowtopd.wire.errors import ErrorCode
from flowtopd.wire.fields import VIEW_FIELDS
from flowtopd.wire.messages import Error, Query, Snapshot, Status, View

_STATUS_KEYS: Final = (
    "flows",
    "matched",
    "max",
    "accounting",
    "timestamps",
    "events_lost",
    "events",
    "resets",
    "tick_seconds",
    "viewers",
)
_FORMULA: Final = ("=", "+", "-", "@", "＝", "＋", "－", "＠")  # noqa: RUF001  # some read the wide ones too
"""https://owasp.org/www-community/attacks/CSV_Injection; tabs and line ends, which it names too, become `?`."""
_UNLIMITED_WIDTH: Final = 1_000_000


class Refused(Exception):  # noqa: N818  # the daemon's word, not ours
    """The daemon does not accept the query: a sort field or a filter is wrong. `error` is what it says."""

    def __init__(self, error: Error) -> None:
        super().__init__(clean(error.message))
        self.error = error


class Writer(Protocol):
    """Writes one snapshot after the other: `begin`, `rows` for each part, `end`."""

    def begin(self, snapshot: Snapshot) -> None:
        """Write what stands before the rows; `snapshot` is the first part."""

    def rows(self, snapshot: Snapshot) -> None:
        """Write, or keep, the rows of one part."""

    def end(self) -> None:
        """Write the rest."""


class Out(Protocol):
    """What is written to."""

    def write(self, text: str, /) -> int:
        """Write this, at the latest when it is flushed."""

    def flush(self) -> None:
        """Write what was not written yet."""


class JsonWriter:
    """One object a line, with the keys and in the order of the documented contract."""

    def __init__(self, out: Out, host: str) -> None:
        self._out = out
        self._host = host
        self._dump = json.JSONEncoder(separators=(",", ":")).encode
        self._first = True

    def begin(self, snapshot: Snapshot) -> None:
        """Everything up to the first row."""
        head = {
            "time": snapshot.time,
            "seq": snapshot.seq,
            "interval": snapshot.interval,
            "host": self._host,
            "view": snapshot.view,
            "status": _status(snapshot.status),
            "totals": asdict(snapshot.totals),
        }
        rows = "flows" if snapshot.view is View.FLOWS else "groups"
        self._out.write(f'{self._dump(head)[:-1]},"{rows}":[')
        self._first = True

    def rows(self, snapshot: Snapshot) -> None:
        """An object a row."""
        for row in snapshot.rows:
            values = self._dump(dict(zip(snapshot.fields, row, strict=True)))
            self._out.write(values if self._first else "," + values)
            self._first = False

    def end(self) -> None:
        """The end of the line."""
        self._out.write("]}\n")


def _status(status: Status) -> dict[str, Any]:
    return {key: getattr(status, key) for key in _STATUS_KEYS}


class CsvWriter:
    """A header, then a line a row, for all snapshots."""

    def __init__(self, out: TextIO) -> None:
        self._csv = csv.writer(out, lineterminator="\n")
        self._first = True

    def begin(self, snapshot: Snapshot) -> None:
        """The header before the first one; nothing stands between two snapshots."""
        if self._first:
            self._csv.writerow(snapshot.fields)
            self._first = False

    def rows(self, snapshot: Snapshot) -> None:
        """A line a row."""
        self._csv.writerows([_csv_value(value) for value in row] for row in snapshot.rows)

    def end(self) -> None:
        """Nothing stands between two snapshots."""


def _csv_value(value: Any) -> Any:
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return f"'{clean(value)}" if value.startswith(_FORMULA) else clean(value)
        case list():
            return _csv_value("|".join(map(str, value)))
        case _:
            return value


class TextWriter:
    """The table, with its titles, and an empty line between two snapshots."""

    def __init__(self, out: TextIO, state: ViewState, width: int | None) -> None:
        self._out = out
        self._columns = _columns(state)
        self._state = state
        self._units = Units(state.bits)
        self._width = width
        self._table: list[list[str]] = []
        self._between = ""

    def begin(self, snapshot: Snapshot) -> None:
        """Forget the last table."""
        self._units = Units(self._state.bits, whole_of(snapshot.totals, self._state.sort))
        self._table.clear()

    def rows(self, snapshot: Snapshot) -> None:
        """Keep the texts until the widths are known."""
        texts = cells(self._columns, snapshot.fields, self._units)
        self._table += ([text.replace(" ", "_") for text in texts(row)] for row in snapshot.rows)

    def end(self) -> None:
        """The titles and the rows."""
        by_column = zip(*self._table, strict=True) if self._table else ((),) * len(self._columns)
        contents = [
            max((text_width(text) for text in texts if text not in column.blank), default=0)
            for column, texts in zip(self._columns, by_column, strict=True)
        ]
        at = range(len(contents)) if self._width is None else speaking(self._columns, contents)
        columns, widths = [self._columns[place] for place in at], [contents[place] for place in at]
        placed = fit(columns, widths, self._width or _UNLIMITED_WIDTH)
        index = [self._columns.index(place.column) for place in placed]
        self._out.write(self._between + _line(placed, [place.column.title for place in placed]))
        self._out.writelines(_line(placed, [row[at] for at in index]) for row in self._table)
        self._between = "\n"


def _line(placed: Iterable[Placed], texts: Row) -> str:
    parts = []
    for place, text in zip(placed, texts, strict=True):
        shown = cut(text, place.width, place.column.cut, text_width)
        pad = " " * (place.width - text_width(shown))
        parts.append(pad + shown if place.column.align is Align.RIGHT else shown + pad)
    return " ".join(parts).rstrip() + "\n"


def _columns(state: ViewState) -> tuple[Column, ...]:
    hosts = bool(state.hosts)
    if state.view is View.FLOWS:
        return flow_columns(source=state.source, names=state.names, geoip=state.geoip, hosts=hosts)
    return group_columns(state.view, state.sort, names=state.names, geoip=state.geoip, hosts=hosts)


def query_of(state: ViewState, form: Format, limit: int | None) -> Query:
    """What `state` asks for, as every row up to `limit` with the fields that `form` needs."""
    fields = VIEW_FIELDS[state.view]
    if form is Format.TEXT and state.view is View.FLOWS:
        fields = needed_fields(_columns(replace(state, hosts=())))
    return replace(query_for(state), offset=0, limit=limit, fields=fields, history=False)


def writer_for(form: Format, out: TextIO, state: ViewState, *, host: str, width: int | None) -> Writer:
    """The writer of a format. `width` is the terminal's, None where the output is none."""
    match form:
        case Format.JSON:
            return JsonWriter(out, host)
        case Format.CSV:
            return CsvWriter(out)
        case _:
            return TextWriter(out, state, width)


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
