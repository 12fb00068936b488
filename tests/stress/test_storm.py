"""The short form of `make stress`: a small storm keeps the same promises, but for those about time."""

from dataclasses import replace
from pathlib import Path

import pytest

from stress.storm import OTHERS, STAYING, Storm, report, storm
from testbed.netns import Namespace

FINE = Storm(1_200_000, 0, 50_000, [5.0], [100.0, 101.0], 59, 1.1, 0, 1, 0, [], [], 2300)


@pytest.mark.kernel
def test_a_storm_leaves_no_ghost_and_every_lost_event_is_counted(namespace: Namespace, tmp_path: Path) -> None:
    seen = storm(namespace, tmp_path, rate=4_000, seconds=3, warm_s=1)
    assert seen.sent == 12_000
    assert seen.failed == 0
    assert seen.staying == OTHERS + STAYING
    assert (seen.missing, seen.ghosts) == ([], [])
    assert seen.counted, (seen.dropped, seen.lost)
    assert seen.waits_ms
    assert seen.frames > 0


@pytest.mark.parametrize(
    "seen",
    [
        replace(FINE, sent=1_000_000),
        replace(FINE, missing=[("tcp",)]),
        replace(FINE, ghosts=[("tcp",)]),
        replace(FINE, dropped=5000, lost=1),
        replace(FINE, lost=3_000_000),
        replace(FINE, waits_ms=[5.0] * 50 + [101.0]),
        replace(FINE, memory_mb=[100.0, 120.0, 100.0]),
    ],
)
def test_each_promise_can_be_broken(seen: Storm) -> None:
    assert all(line.good is not False for line in report(FINE, 60))
    assert [line.good for line in report(seen, 60)].count(False) == 1
