"""Snapshots in a format for scripts: JSON Lines, CSV or the table as text; of flows, or of the groups of a view.

Rules:
- A window may come in parts; rows are written as they come, so that a hundred thousand flows need no memory here.
  Only the table waits for the last part: its columns are as wide as their longest text.
- JSON is ASCII, and text from the network is cleaned in CSV and in the table: the output may end up on a terminal.
- CSV has one header; lists are joined with `|`, unknown is empty, booleans are `true` and `false`. A text that a
  spreadsheet would take for a formula gets a `'` in front: a stranger chooses the name of an address. JSON is exact.
- The table has no blanks inside its values. Into a pipe it has every column at full width; on a terminal it fits.
  While it stays empty it is not written again: titles above nothing, once a second, tell nobody anything.
"""

import csv
import json
from collections.abc import Iterable
from dataclasses import asdict, replace
from typing import Any, Final, Protocol, TextIO

from flowtop_client.columns.column import Align, Column, Row, Units, cells, needed_fields
from flowtop_client.columns.fit import Placed, cut, fit, speaking
from flowtop_client.columns.flows import flow_columns
from flowtop_client.columns.groups import group_columns, whole_of
from flowtop_client.columns.text_width import text_width
from flowtop_client.formats import Format
from flowtop_client.humanize import clean
from flowtop_client.view_state.state import ViewState, query_for
from flowtopd.wire.fields import VIEW_FIELDS
from flowtopd.wire.messages import Query, Snapshot, Status, View

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
    """The table, with its titles, and an empty line between two of them; of empty ones in a row the first alone."""

    def __init__(self, out: TextIO, state: ViewState, width: int | None) -> None:
        self._out = out
        self._columns = _columns(state)
        self._state = state
        self._units = Units(state.bits)
        self._width = width
        self._table: list[list[str]] = []
        self._between = ""
        self._was_empty = False

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
        if self._was_empty and not self._table:
            return
        self._was_empty = not self._table
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
