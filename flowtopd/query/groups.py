"""Flows put together by what they point at: processes, devices, hosts, countries, networks, services, containers.

    rows ─▶ a number for each: the first record that says the same ─▶ groups of equal numbers ─▶ sums

One way for all views; a view is a function that numbers the rows, and one that says what a number means, together with
a filter that means the very same flows. Sums are exact: bytes are added up as whole numbers.
"""

from collections.abc import Container
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from flowtopd.flows.snapshot import Snapshot
from flowtopd.netlink.ctrecord import Has, carries
from flowtopd.query.grouping import VIEWS, Numbers, Rows, Values
from flowtopd.query.joins import ADDRESS_JOINS
from flowtopd.query.sort import address_ranks, ranks
from flowtopd.wire.fields import SORT_SUMS
from flowtopd.wire.messages import View

_RATES: Final = ("orig_rate", "reply_rate")
_BYTES: Final = ("orig_bytes", "reply_bytes")


@dataclass(frozen=True, slots=True, eq=False)
class Groups:
    """The groups of a selection, a place in each array a group. Rates are NaN, bytes masked where nothing is known."""

    view: View
    numbers: Numbers
    sample: Rows
    """A flow of each."""
    flows: NDArray[np.int64]
    orig_rate: NDArray[np.float64]
    reply_rate: NDArray[np.float64]
    orig_bytes: NDArray[np.uint64]
    reply_bytes: NDArray[np.uint64]
    counted: NDArray[np.bool_]

    @property
    def size(self) -> int:
        """How many groups there are."""
        return len(self.numbers)


def group(snapshot: Snapshot, rows: Rows, view: View) -> Groups:
    """Put these rows together."""
    numbers, which = _distinct(VIEWS[view].number(snapshot, rows))
    size = len(numbers)
    columns = snapshot.columns
    counted = carries(columns["has"][rows], Has.COUNTERS)

    def rate(name: str) -> NDArray[np.float64]:
        values = columns[name][rows]
        known = ~np.isnan(values)
        sums = np.bincount(which[known], values[known], size).astype(np.float64)
        sums[np.bincount(which[known], minlength=size) == 0] = np.nan
        return sums

    def total(name: str) -> NDArray[np.uint64]:
        # in two halves, because a float64 has 53 bits: 2³² times 2²⁰ flows fit
        values = np.where(counted, columns[name][rows], np.uint64(0))
        low, high = values & np.uint64(0xFFFF_FFFF), values >> np.uint64(32)
        parts = [np.bincount(which, half, size).astype(np.uint64) for half in (low, high)]
        return parts[0] + (parts[1] << np.uint64(32))

    sample = np.zeros(size, np.intp)
    sample[which] = rows
    return Groups(
        view,
        numbers,
        sample,
        np.bincount(which, minlength=size),
        rate("orig_rate"),
        rate("reply_rate"),
        total("orig_bytes"),
        total("reply_bytes"),
        np.bincount(which[counted], minlength=size) > 0,
    )


def render_groups(
    snapshot: Snapshot, groups: Groups, places: Rows, fields: tuple[str, ...], hidden: Container[str] = frozenset()
) -> list[list[Any]]:
    """Return one list of values for each of the groups at `places`, in the order of `fields`."""
    rows = []
    for place in places.tolist():
        values = _values(snapshot, groups, place) | _sums(groups, place)
        rows.append([None if field in hidden else values.get(field) for field in fields])
    return rows


def _values(snapshot: Snapshot, groups: Groups, place: int) -> Values:
    """What a group is: its key, the filter of its flows, and the fields that name it."""
    return VIEWS[groups.view].values(snapshot, int(groups.numbers[place]), int(groups.sample[place]))


def _sums(groups: Groups, place: int) -> Values:
    rates = {name: float(getattr(groups, name)[place]) for name in _RATES}
    counted = bool(groups.counted[place])
    return {
        "flows": int(groups.flows[place]),
        **{name: None if np.isnan(rate) else rate for name, rate in rates.items()},
        **{name: int(getattr(groups, name)[place]) if counted else None for name in _BYTES},
    }


def addresses_of(groups: Groups, places: Rows) -> Rows:
    """Rows of the address table that these groups stand for; none where groups are no addresses."""
    return groups.numbers[places].astype(np.intp) if groups.view is View.HOSTS else np.zeros(0, np.intp)


def sort_values(snapshot: Snapshot, groups: Groups, field: str) -> NDArray[np.float64]:
    """Return a number for every group to sort by, NaN where the field is unknown."""
    if field in SORT_SUMS:
        first, second = (sort_values(snapshot, groups, name) for name in SORT_SUMS[field])
        return first + second
    if field in _RATES or field == "flows":
        values: NDArray[np.float64] = getattr(groups, field).astype(np.float64)
        return values
    if field in _BYTES:
        return np.where(groups.counted, getattr(groups, field).astype(np.float64), np.nan)
    if groups.view is View.HOSTS:
        return _host_ranks(snapshot, groups.numbers, field)
    return ranks(_values(snapshot, groups, place).get(field) for place in range(groups.size))


def _host_ranks(snapshot: Snapshot, numbers: Numbers, field: str) -> NDArray[np.float64]:
    """Hosts may be as many as flows: what their records say is looked at once for each record."""
    addresses = snapshot.dimensions.addresses
    if field not in ADDRESS_JOINS:
        return address_ranks(addresses["address"][numbers])
    kind, value = ADDRESS_JOINS[field]
    records, which = _distinct(addresses[kind][numbers].astype(np.int64))
    if not len(records):
        return np.zeros(0)
    return ranks(value(snapshot.dimensions, number) for number in records.tolist())[which]


def _distinct(numbers: Numbers) -> tuple[Numbers, Rows]:
    """The different numbers, and for each row which of them it has. Small ranges are counted, others are sorted."""
    if not len(numbers):
        return numbers, numbers.astype(np.intp)
    low, high = int(numbers.min()), int(numbers.max())
    if high - low > 4 * len(numbers) + 65_536:
        found, which = np.unique(numbers, return_inverse=True)
        return found, which
    there = np.zeros(high - low + 1, np.bool_)
    there[numbers - low] = True
    place = np.cumsum(there) - 1
    return np.flatnonzero(there) + low, place[numbers - low]
