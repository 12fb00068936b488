"""Samples made of snapshots, as a recorder makes them."""

from dataclasses import asdict, replace

import numpy as np

from flowtopd.flows.dimensions import Owner
from flowtopd.flows.snapshot import Snapshot
from flowtopd.query.rows import render_columns
from flowtopd.wire.fields import RECORDED_FIELD_NAMES
from flowtopd.wire.messages import Totals
from flowtopd.wire.samples import Sample
from tests.flowtopd.query.tables import OWNERS, table

NOTHING = asdict(Totals(None, None, None, None))


def sample(taken: Snapshot, at_s: float = 0.0) -> Sample:
    columns = render_columns(taken, np.arange(taken.size), RECORDED_FIELD_NAMES)
    named = dict(zip(RECORDED_FIELD_NAMES, columns, strict=True))
    return Sample(at_s, taken.at.wall_s, taken.interval_s, {"resets": taken.resets}, NOTHING, named)


def plain_table(seed: int, size: int) -> Snapshot:
    """A snapshot in which nobody is two people: one that shows a process under its first user alone."""
    taken = table(seed, size)
    owners = (*OWNERS[:3], Owner(13, None, "firefox", "firefox", 1001, "bob", None, None), *OWNERS[4:])
    return replace(taken, dimensions=replace(taken.dimensions, owners=owners))
