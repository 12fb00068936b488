"""The table of flows over time: a batch of each tick goes in, an immutable snapshot comes out.

    this batch ──keys──index─┐
                             ├─ join ─▶ counters continued ─▶ rates from (old, new, seconds) ─▶ Snapshot
    last snapshot ───────────┘                                       └─▶ means, those that are wanted

Rules: a rate is made here and nowhere else, from two samples of the same flow. A counter that fell was set back
by another program: it goes on from where it was (`base` += last value), so that neither bytes nor rates are ever
negative. What is not counted stays unknown (`Has.COUNTERS` unset, rate NaN) and never becomes 0. When a flow was first
seen is told by the wall clock of now: where that was set, it moves along.
"""

from collections.abc import Collection
from typing import Final

import numpy as np
from numpy.typing import NDArray

from flowtopd.flows.identity import IDENTITY, flow_keys
from flowtopd.flows.index import KeyIndex, Rows
from flowtopd.flows.means import Mean
from flowtopd.flows.schema import COUNTERS, JOINED, RATES
from flowtopd.flows.snapshot import Columns, Moment, Rates, Snapshot
from flowtopd.netlink.ctnetlink import Batch
from flowtopd.netlink.ctrecord import Has, carries

Mask = NDArray[np.bool_]
Seconds = NDArray[np.float64]


_NOT_JOINED: Final = {name: np.zeros((), dtype) for name, dtype in JOINED.items()}
"""One value for all rows: these columns take no memory."""


class FlowTable:
    """Remembers one tick, to make the next one's rates from. Not for use by several threads."""

    def __init__(self) -> None:
        self._last: Snapshot | None = None
        self._base: Columns = {}
        self._means: dict[float, Mean] = {}
        self._seq = 0
        self._resets = 0

    def forget(self) -> None:
        """Drop the last tick and its memory: the next one is a first sample. `seq` and `resets` go on."""
        self._last = None
        self._base = {}
        self._means = {}

    def apply(self, batch: Batch, now: Moment, mean_s: Collection[float] = ()) -> Snapshot:
        """Make the snapshot of this tick out of a dump that was finished at `now`.

        `mean_s`: over how many seconds means are wanted. One that is wanted for the first time begins now.
        """
        last = self._last
        means: dict[float, Rates] = {}
        interval_s = None if last is None else now.monotonic_s - last.at.monotonic_s
        previous: Rows | None
        if last is None or not last.size:
            columns, index = _identified(batch.columns)
            previous = np.full(len(columns["key"]), -1, np.intp)
            columns["first_seen_s"] = np.full(len(columns["key"]), now.wall_s)
            columns["orig_rate"] = np.full(len(columns["key"]), np.nan)
            columns["reply_rate"] = np.full(len(columns["key"]), np.nan)
            self._base = {}
            self._means = {}
        else:
            columns, index, old, previous = self._join(batch.columns, last, now)
            known = np.ones(last.size, np.bool_) if previous is None else previous >= 0
            counted = known & carries(columns["has"] & old["has"], Has.COUNTERS)
            self._continue_counters(columns, old, known, counted)
            seconds = _add_rates(columns, old, counted)
            means = self._mean(columns, seconds, mean_s, now.monotonic_s - last.at.monotonic_s, previous)
        columns |= {name: np.broadcast_to(zero, len(columns["key"])) for name, zero in _NOT_JOINED.items()}
        for column in columns.values():
            column.flags.writeable = False
        self._seq += 1
        size = len(columns["key"])
        self._last = Snapshot(self._seq, now, interval_s, size, columns, self._resets, index, previous, means=means)
        return self._last

    def _join(self, raw: Columns, last: Snapshot, now: Moment) -> tuple[Columns, KeyIndex, Columns, Rows | None]:
        """Return the columns with identity and first seen, their index, what the last tick had of every row, and where.

        A flow is known that has the same key and start as one of the last tick, which must have had some. Rows that are
        not known hold values of some other flow.
        """
        if _same_flows(raw, last.columns):
            columns = raw | {name: last.columns[name] for name in ("key", "loopback", "first_seen_s")}
            if now.set_s:
                columns["first_seen_s"] = columns["first_seen_s"] + now.set_s
            old = last.columns | {f"base_{name}": base for name, base in self._base.items()}
            return columns, last.index, old, None
        columns, index = _identified(raw)
        rows = last.rows_of(columns["key"])
        names = (*COUNTERS, "first_seen_s", "sampled_s", "start_ns", "has")
        old = {name: last.columns[name][rows] for name in names}
        old |= {f"base_{name}": base[rows] for name, base in self._base.items()}
        known = (rows >= 0) & (columns["start_ns"] == old["start_ns"])
        columns["first_seen_s"] = np.where(known, old["first_seen_s"] + now.set_s, now.wall_s)
        return columns, index, old, np.where(known, rows, -1)

    def _continue_counters(self, columns: Columns, old: Columns, known: Mask, counted: Mask) -> None:
        """Add to every counter what it had when it was set back, and take note of those that just were."""
        fell = np.zeros(len(known), np.bool_)
        for name in COUNTERS:
            fell |= columns[name] < (old[name] - old[f"base_{name}"] if self._base else old[name])
        fell &= counted
        resets = int(np.count_nonzero(fell))
        self._resets += resets
        if not self._base and not resets:
            return
        for name in COUNTERS:
            base = np.where(known, old[f"base_{name}"], np.uint64(0)) if f"base_{name}" in old else None
            self._base[name] = np.where(fell, old[name], np.uint64(0) if base is None else base)
            columns[name] = columns[name] + self._base[name]

    def _mean(
        self, columns: Columns, seconds: Seconds, mean_s: Collection[float], elapsed_s: float, previous: Rows | None
    ) -> dict[float, Rates]:
        """Return the wanted means, and forget those that nobody wants any more."""
        self._means = {wanted: self._means.get(wanted) or Mean(wanted) for wanted in mean_s}
        if not self._means:
            return {}
        moved = np.stack([*(columns[name] * seconds for name in RATES), seconds]).astype(np.float32)
        moved[:, np.isnan(seconds)] = 0
        return {wanted: mean.add(moved, elapsed_s, previous) for wanted, mean in self._means.items()}


def _same_flows(ours: Columns, theirs: Columns) -> bool:
    """Whether the same flows stand in the same rows: on a quiet machine nothing comes or goes for seconds."""
    if len(ours["ctid"]) != len(theirs["ctid"]):
        return False
    return all((ours[name] == theirs[name]).all() for name in IDENTITY)


def _identified(raw: Columns) -> tuple[Columns, KeyIndex]:
    """Return the columns with `key` and `loopback`, each flow once, and the index of the keys.

    The kernel may list an entry twice when the table changes under a dump; the later row is the newer sample.
    """
    keys = flow_keys(raw)
    index = KeyIndex(keys)
    if not index.has_duplicates:
        return raw | {"key": keys, "loopback": loopback(raw)}, index
    order = np.lexsort((raw["sampled_s"], keys))
    last_of_key = np.append(keys[order][1:] != keys[order][:-1], True)
    keep: Rows = np.sort(order[last_of_key])
    return _identified({name: column[keep] for name, column in raw.items()})


def _add_rates(columns: Columns, old: Columns, counted: Mask) -> Seconds:
    """Add the rates of the flows that are counted in both samples, in bytes a second; NaN for the others.

    Return the seconds between the samples, NaN too for the others.
    """
    seconds = columns["sampled_s"] - old["sampled_s"]
    seconds[~(counted & (seconds > 0))] = np.nan
    for direction in ("orig", "reply"):
        # modulo 2^64: nonsense where the flow is another one, and there `seconds` is NaN
        moved = columns[f"{direction}_bytes"] - old[f"{direction}_bytes"]
        columns[f"{direction}_rate"] = moved / seconds
    return seconds


def loopback(columns: Columns) -> Mask:
    """Tell which flows have an end in 127.0.0.0/8 or ::1."""
    return is_loopback(columns["src"]) | is_loopback(columns["dst"])


def is_loopback(address: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """Tell which addresses are in 127.0.0.0/8 or ::1."""
    high, low = address[:, 0], address[:, 1]
    in_127: NDArray[np.bool_] = low >> np.uint64(24) == np.uint64(0xFFFF7F)  # low half of ::ffff:127.0.0.0/104
    in_127 |= low == np.uint64(1)
    if in_127.any():
        in_127 &= high == 0
    return in_127
