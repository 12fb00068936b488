"""Samples: all flows of one tick as columns of wire values, and how they become maps that are short.

    key    every column                             {"values": […]} or {"table": [different values], "at": [places]}
    delta  rows that are gone, columns of new ones, and field by field the rows that changed

Rules
- Rows are told apart by `id`. A delta keeps the order of those that stay, and puts new ones behind them.
- Whole numbers that change are written as what they changed by, everything else as the value it has become.
- `duration` is not written: it is the time of the sample less `start`. Lists are written as texts with `|` between.
- Rates are expected to be what the bytes moved since the sample before, a second (`sampled`); only others are written.
- What was written comes back exactly. What comes in is checked: RecordingError, never anything else.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from types import NoneType
from typing import Any, Final

from flowtopd.wire.errors import RecordingError
from flowtopd.wire.fields import RECORDED_FIELDS, Kind

Column = list[Any]
Columns = dict[str, Column]

_KINDS: Final = {field.name: field.kind for field in RECORDED_FIELDS}
_STORED: Final[dict[Kind, set[type]]] = {
    Kind.TEXT: {str, NoneType},
    Kind.INT: {int, NoneType},
    Kind.FLOAT: {float, NoneType},
    Kind.BOOL: {bool, NoneType},
    Kind.LIST: {str, NoneType},
}
_DURATION: Final = "duration"
_RATES: Final = {"orig_rate": "orig_bytes", "reply_rate": "reply_bytes"}
_BETWEEN: Final = "|"
MAX_FLOWS: Final = 1 << 19
"""Flows of a sample."""

_MOST: Final = 1 << 62
"""Largest difference; msgpack has 64 bits."""


@dataclass(frozen=True, slots=True)
class Sample:
    """A snapshot: `columns` has a list of values for each field, all of the same length, in the order of the rows.

    `at_s`: seconds since the recording began. The others as in the message `snapshot`.
    """

    at_s: float
    time: float
    interval: float | None
    status: dict[str, Any]
    totals: dict[str, Any]
    columns: Columns

    @property
    def size(self) -> int:
        """How many flows there are."""
        return len(self.columns["id"])


def columns_of(fields: Sequence[str], rows: Iterable[Sequence[Any]]) -> Columns:
    """Turn rows into columns."""
    columns = [list(values) for values in zip(*rows, strict=True)]
    return dict(zip(fields, columns or [[] for _field in fields], strict=True))


class Encoder:
    """Remembers the sample before. `settle` makes the last one that was encoded the one before."""

    def __init__(self) -> None:
        self._known: Columns = {}
        self._next: Columns = {}

    def settle(self) -> None:
        """Go on from what was encoded last."""
        self._known = self._next

    def key(self, sample: Sample) -> dict[str, Any]:
        """Return all of a sample."""
        self._next = _stored(sample.columns)
        return _said(sample) | {"size": sample.size, "columns": _packed_all(self._next)}

    def delta(self, sample: Sample) -> dict[str, Any] | None:
        """Return what a sample has changed; None where it has other fields than the one before."""
        known, now = self._known, _stored(sample.columns)
        if known.keys() != now.keys():
            return None
        place = {name: row for row, name in enumerate(now["id"])}
        old = set(known["id"])
        gone = [row for row, name in enumerate(known["id"]) if name not in place]
        stay = [place[name] for name in known["id"] if name in place]
        new = [row for name, row in place.items() if name not in old]
        before = _without(known, gone)
        after = {name: [column[row] for row in stay] for name, column in now.items()}
        added = {name: [column[row] for row in new] for name, column in now.items()}
        expected = before | _expected_rates(before, after)
        changed = {name: _changes(_KINDS[name], expected[name], after[name]) for name in after}
        self._next = {name: after[name] + added[name] for name in now}
        return _said(sample) | {
            "gone": _gaps(gone),
            "size": len(new),
            "columns": _packed_all(added) if new else {},
            "changed": {name: change for name, change in changed.items() if change},
        }


Decoded = tuple[float, float | None, dict[str, Any], dict[str, Any], Columns]
"""What a Sample has but for its time in the recording."""


class Decoder:
    """Remembers the sample before."""

    def __init__(self) -> None:
        self._known: Columns = {}

    def key(self, plain: dict[str, Any]) -> Decoded:
        """Read a whole sample."""
        columns = _unpacked_all(plain)
        if "id" not in columns:
            raise RecordingError("flows without an id")
        self._known = columns
        return self._decoded(plain)

    def delta(self, plain: dict[str, Any]) -> Decoded:
        """Read what has changed since the sample that was read before this."""
        known = self._known
        before = _without(known, _places(plain.get("gone"), len(known["id"])))
        changed = _map(plain, "changed")
        after = dict(before)
        for name in changed.keys() & before.keys() - _RATES.keys():
            after[name] = _changed(_KINDS[name], before[name], changed[name])
        for name, rates in (before | _expected_rates(before, after)).items():
            if name in _RATES:
                after[name] = _changed(_KINDS[name], rates, changed[name]) if name in changed else rates
        size = _count(plain)
        if len(after["id"]) + size > MAX_FLOWS:
            raise RecordingError("more flows than there can be")
        added = _unpacked_all(plain) if size else {}
        if size and "id" not in added:
            raise RecordingError("flows without an id")
        self._known = {name: column + added.get(name, [None] * size) for name, column in after.items()}
        return self._decoded(plain)

    def _decoded(self, plain: dict[str, Any]) -> Decoded:
        time, interval = plain.get("time"), plain.get("interval")
        if type(time) is not float or type(interval) not in {float, NoneType}:
            raise RecordingError("a sample without its time")
        return time, interval, _map(plain, "status"), _map(plain, "totals"), _restored(self._known, time)


# what is written, and what is not


def _said(sample: Sample) -> dict[str, Any]:
    said = {"time": float(sample.time), "status": sample.status, "totals": sample.totals}
    return said | {"interval": None if sample.interval is None else float(sample.interval)}


def _stored(columns: Columns) -> Columns:
    def text(value: list[str] | None) -> str | None:
        return None if value is None else _BETWEEN.join(value)

    return {
        name: list(map(text, column)) if _KINDS[name] is Kind.LIST else column
        for name, column in columns.items()
        if name in _KINDS and name != _DURATION
    }


def _restored(stored: Columns, time: float) -> Columns:
    def values(text: str | None) -> list[str] | None:
        return None if text is None else text.split(_BETWEEN) if text else []

    columns = {
        name: list(map(values, column)) if _KINDS[name] is Kind.LIST else column for name, column in stored.items()
    }
    # a clock that was set back makes no negative durations
    starts = stored.get("start", [None] * len(stored["id"]))
    return columns | {_DURATION: [None if start is None else max(0.0, time - start) for start in starts]}


def _expected_rates(before: Columns, after: Columns) -> Columns:
    """The rates that follow from the bytes and the times of two samples, as the daemon makes them."""
    if not {"sampled", *_RATES, *_RATES.values()} <= after.keys():
        return {}

    def rate(then: int | None, now: int | None, seconds: float | None) -> float | None:
        return None if then is None or now is None or not seconds else (now - then) / seconds

    spans = [
        None if then is None or now is None or now <= then else now - then
        for then, now in zip(before["sampled"], after["sampled"], strict=True)
    ]
    return {name: list(map(rate, before[counter], after[counter], spans)) for name, counter in _RATES.items()}


# columns


def _packed_all(columns: Columns) -> dict[str, Any]:
    return {name: _packed(column) for name, column in columns.items()}


def _packed(column: Column) -> dict[str, Any]:
    different = {value: place for place, value in enumerate(dict.fromkeys(column))}
    if not column or 2 * len(different) > len(column):
        return {"values": column}
    at = [different[value] for value in column] if len(different) > 1 else None
    return {"table": list(different), "at": at}


def _unpacked_all(plain: dict[str, Any]) -> Columns:
    size, packed = _count(plain), _map(plain, "columns")
    return {name: _unpacked(packed[name], size, _KINDS[name]) for name in packed if name in _KINDS}


def _unpacked(packed: Any, size: int, kind: Kind) -> Column:
    if type(packed) is not dict:
        raise RecordingError("a column that is none")
    if "values" in packed:
        return _typed(_list(packed["values"], size), kind)
    table = _typed(_list(packed.get("table")), kind)
    if packed.get("at") is None:
        if len(table) != 1:
            raise RecordingError("a column without its values")
        return table * size
    places = _list(packed["at"], size)
    if not set(map(type, places)) <= {int} or (places and not 0 <= min(places) <= max(places) < len(table)):
        raise RecordingError("a value that is not in its table")
    return [table[place] for place in places]


def _typed(column: Column, kind: Kind) -> Column:
    if not set(map(type, column)) <= _STORED[kind]:
        raise RecordingError(f"a value that is no {kind}")
    return column


# changes


def _changes(kind: Kind, old: Column, new: Column) -> dict[str, Any] | None:
    """Return which rows of a column are others and what they are; None where there are none."""
    if old == new:
        return None
    rows = [row for row, (then, now) in enumerate(zip(old, new, strict=True)) if then != now]
    places = {"rows": None if len(rows) == len(new) else _gaps(rows)}
    if kind is Kind.INT and all(type(old[row]) is int and type(new[row]) is int for row in rows):
        by = [new[row] - old[row] for row in rows]
        if max(map(abs, by)) < _MOST:
            return places | {"by": _packed(by)}
    return places | {"to": _packed([new[row] for row in rows])}


def _changed(kind: Kind, old: Column, change: Any) -> Column:
    """Return a column after a change."""
    if type(change) is not dict:
        raise RecordingError("a change that is none")
    rows = list(range(len(old))) if change.get("rows") is None else _places(change["rows"], len(old))
    column = list(old)
    if "by" in change:
        by = _unpacked(change["by"], len(rows), Kind.INT)
        if kind is not Kind.INT or any(column[row] is None for row in rows) or None in by:
            raise RecordingError("a difference to what is no number")
        for row, number in zip(rows, by, strict=True):
            column[row] += number
    else:
        for row, value in zip(rows, _unpacked(change.get("to"), len(rows), kind), strict=True):
            column[row] = value
    return column


def _gaps(rows: list[int]) -> list[int]:
    """Rising numbers as the first one and the steps between them, which compress to nothing."""
    return rows[:1] + [after - before for before, after in pairwise(rows)]


def _places(gaps: Any, size: int) -> list[int]:
    steps = _list(gaps)
    if not set(map(type, steps)) <= {int} or min(steps, default=0) < 0 or 0 in steps[1:]:
        raise RecordingError("rows that do not rise")
    rows = list(accumulate(steps))
    if rows and rows[-1] >= size:
        raise RecordingError("a row that is not there")
    return rows


def _without(columns: Columns, gone: list[int]) -> Columns:
    if not gone:
        return columns
    absent = set(gone)
    stay = [row for row in range(len(columns["id"])) if row not in absent]
    return {name: [column[row] for row in stay] for name, column in columns.items()}


# shapes


def _count(plain: dict[str, Any]) -> int:
    size = plain.get("size")
    if type(size) is not int or not 0 <= size <= MAX_FLOWS:
        raise RecordingError("a sample without its size")
    return size


def _map(plain: dict[str, Any], name: str) -> dict[str, Any]:
    value = plain.get(name)
    if type(value) is not dict:
        raise RecordingError(f"a sample without its {name}")
    return value


def _list(value: Any, size: int | None = None) -> list[Any]:
    if type(value) is not list or (size is not None and len(value) != size):
        raise RecordingError("a column that is too short or too long")
    return value
