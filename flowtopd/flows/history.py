"""The rates of the whole line over time, for a graph: all flows together, but for loopback and the daemon's own."""

from typing import Final

import numpy as np

from flowtopd.flows.schema import RATES
from flowtopd.flows.snapshot import Sample, Snapshot

SAMPLES: Final = 600
"""How many ticks are kept: ten minutes at one a second. About 0.1 MB."""


def sample(snapshot: Snapshot) -> Sample | None:
    """Add up the rates of a snapshot; None for the first one, which has none."""
    if snapshot.interval_s is None:
        return None
    columns = snapshot.columns
    seen = ~(columns["loopback"] | columns["own"])
    orig, reply = (columns[name][seen] for name in RATES)
    known = ~np.isnan(orig)  # both are counted or none
    if len(known) and not known.any():
        return Sample(snapshot.seq, snapshot.at.wall_s, None, None)
    return Sample(snapshot.seq, snapshot.at.wall_s, float(orig[known].sum()), float(reply[known].sum()))
