"""The short form of `make stress`: a small crowd does not disturb the viewer that behaves."""

from dataclasses import replace
from pathlib import Path

import pytest

from stress.viewers import Crowded, crowded, report
from testbed.entries import mix
from testbed.inject import inject
from testbed.netns import Namespace

FINE = Crowded(60, [0.01] * 60, [], 1.0, 200, (50.0, 150.0), (20, 12), 1000)


@pytest.mark.kernel
def test_a_crowd_of_hostile_viewers_keeps_no_frame_from_one_that_behaves(namespace: Namespace, tmp_path: Path) -> None:
    inject(namespace, mix(200))
    seen = crowded(namespace, tmp_path, viewers=30, seconds=4)
    assert seen.frames >= 3
    assert seen.missed == []
    assert seen.killed > 0
    assert seen.descriptors[1] <= seen.descriptors[0]


@pytest.mark.parametrize(
    "seen",
    [
        replace(FINE, late_s=[0.01] * 50),
        replace(FINE, missed=[1]),
        replace(FINE, late_s=[0.01] * 59 + [0.6]),
        replace(FINE, memory_mb=(50.0, 250.0)),
        replace(FINE, descriptors=(20, 21)),
    ],
)
def test_each_promise_can_be_broken(seen: Crowded) -> None:
    assert all(line.good for line in report(FINE, 200))
    assert [line.good for line in report(seen, 200)].count(False) == 1
