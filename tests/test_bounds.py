"""Nothing grows for ever: an hour's half of a table that never stays the same, through collector, pipeline and hub.

The limits are those of the table `Bounds` in docs/operations.md. `make stress` runs the same daemon for eight hours.
"""

from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from flowtopd.enrich import pipeline
from flowtopd.enrich.process import endings
from flowtopd.enrich.rdns.resolver import Limits
from flowtopd.enrichers import INBOX
from flowtopd.flows import closed, history
from flowtopd.netlink.ctnetlink import MAX_LAYOUTS
from testbed.simulated.daemon import SimulatedDaemon
from testbed.simulated.tables import tables

TICKS = 1800
FLOWS = 300
CHANGED = 100
CLOSED = 60 * CHANGED
"""A minute of them."""

RECORDS = 2 * 3 * (FLOWS + CLOSED) + pipeline._ROOM
"""Twice those of the flows of now, of which each has an address, and perhaps a name and a process of its own."""

DIRECTORY = "collector._pipeline._directory"
BOUNDS = {
    f"{DIRECTORY}._table._keys": RECORDS + 4 * CHANGED,
    f"{DIRECTORY}._names._ids": RECORDS + 4 * CHANGED,
    f"{DIRECTORY}._places._ids": RECORDS,
    f"{DIRECTORY}._devices._ids": RECORDS,
    f"{DIRECTORY}._background._waiting": 64,
    "collector._pipeline._ledger.owners._ids": RECORDS + 4 * CHANGED,
    "collector._pipeline._ledger._early": 4096,
    "collector._pipeline._ledger._inbox": INBOX,
    "collector._pipeline._last_closed[]": closed.MOST,
    "collector._decoder._layouts": MAX_LAYOUTS,
    "collector._decoder._rare": MAX_LAYOUTS + 1,
    "collector._table._last.columns[]": FLOWS,
    "endings._kept": endings.MOST,
    "hub._history": history.SAMPLES,
    "hub._rates._samples": history.SAMPLES,
    "resolver._known._entries": Limits().known,
    "resolver._queue": Limits().queue,
    "resolver._outbox": Limits().known,
    "resolver._threads": Limits().threads,
    "resolver._spans._ring": Limits().spans,
}


@dataclass(slots=True)
class Report:
    """What was seen: `peaks` are the greatest lengths of all tables by their place, from the second half on.

    `early`: the same of the second quarter of the time, to compare with: what leaks is longer later.
    """

    early: dict[str, int] = field(default_factory=dict)
    peaks: dict[str, int] = field(default_factory=dict)
    mistakes: list[str] = field(default_factory=list)

    def grown(self) -> dict[str, tuple[int, int]]:
        """The tables that became longer than the noise: by place, their lengths early and late."""
        return {
            place: (self.early.get(place, 0), late)
            for place, late in self.peaks.items()
            if late > 1.5 * self.early.get(place, 0) + 256
        }


@pytest.fixture(scope="module")
def report() -> Report:
    seen = Report()
    with closing(SimulatedDaemon(flows=FLOWS, changed=CHANGED)) as daemon:
        roots = {name: getattr(daemon, name) for name in ("collector", "hub", "resolver", "endings")}
        for number in range(TICKS):
            seen.mistakes += daemon.mistakes(daemon.second())
            daemon.look()
            if number % 16 == 0 and number >= TICKS / 4:
                greatest = seen.early if number < TICKS / 2 else seen.peaks
                for place, length in tables(roots).items():
                    greatest[place] = max(greatest.get(place, 0), length)
    return seen


def test_every_table_keeps_to_its_bound(report: Report) -> None:
    peaks = dict.fromkeys(BOUNDS, 0) | report.peaks
    assert {place: peaks[place] for place, bound in BOUNDS.items() if peaks[place] > bound} == {}


def test_the_tables_are_those_that_the_simulation_fills(report: Report) -> None:
    """A bound on a name that is not there any more would hold always."""
    empty = {"collector._decoder._rare", "resolver._queue", "resolver._outbox", "endings._kept"}
    empty |= {"collector._pipeline._ledger._early", f"{DIRECTORY}._background._waiting", "resolver._threads"}
    assert {place for place in BOUNDS if not report.peaks.get(place)} <= empty
    assert BOUNDS.keys() <= report.peaks.keys()


def test_no_table_at_all_is_longer_late_than_early(report: Report) -> None:
    assert report.grown() == {}


def test_no_tick_is_wrong_whatever_the_clock_and_the_counters_do(report: Report) -> None:
    assert report.mistakes == []


def test_the_bounds_are_written_down() -> None:
    text = (Path(__file__).parent.parent / "docs" / "operations.md").read_text(encoding="utf-8")
    for number in (MAX_LAYOUTS, closed.MOST, history.SAMPLES, Limits().known, Limits().queue, pipeline._ROOM):
        assert f"{number:,}".replace(",", " ") in text
