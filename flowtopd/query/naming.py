"""Which addresses a viewer wants names for: those that it sees, and some of those that its filter asks about."""

from collections.abc import Iterable
from typing import Final

import numpy as np

from flowtopd.flows.snapshot import Snapshot
from flowtopd.query.groups import addresses_of
from flowtopd.query.joins import NAME_FIELDS
from flowtopd.query.predicate import asks_names
from flowtopd.query.results import Results, Rows
from flowtopd.wire.filter_parser import parse
from flowtopd.wire.messages import Query, View

Address = tuple[int, int]
"""Halves of 128 bits."""

FILTERED: Final = 256
"""Addresses for which a filter wants names at a tick: others each time, so that all have their turn."""


def named_addresses(
    results: Results, query: Query, rows: Rows, fields: tuple[str, ...], *, first: bool = True
) -> list[Address]:
    """Return the addresses, each once, in the order of these rows of a page; none where the viewer wants no names.

    After those of the `first` rows come some that the filter asks about.
    """
    if not query.names:
        return []
    snapshot = results.snapshot
    if query.view is View.FLOWS:
        ends = [at for field, at in NAME_FIELDS.items() if field in fields]
        numbers = [_ends(snapshot, rows, ends)] if ends else []
    else:
        numbers = [addresses_of(results.groups(query), rows)] if "name" in fields else []
    if first and (meant := parse(query.filter)) is not None and asks_names(meant):
        numbers.append(_unnamed(snapshot))
    wanted = np.concatenate([np.zeros(0, np.intp), *numbers])
    _numbers, begin = np.unique(wanted, return_index=True)
    in_turn = wanted[np.sort(begin)]
    halves = snapshot.dimensions.addresses["address"][in_turn[in_turn > 0]]
    return [(high, low) for high, low in halves.tolist()]


def _ends(snapshot: Snapshot, rows: Rows, ends: Iterable[str]) -> Rows:
    return np.stack([snapshot.columns[at][rows] for at in ends], axis=1).ravel()


def _unnamed(snapshot: Snapshot) -> Rows:
    """Some addresses without a name, others at each tick."""
    unnamed = np.flatnonzero(snapshot.dimensions.addresses["name"] == 0)
    return np.roll(unnamed, -FILTERED * snapshot.seq)[:FILTERED]
