"""The short form of `make stress`: what a killed daemon had changed is put back."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from stress.kills import Killed, kill_again_and_again, report
from testbed.netns import Namespace

FINE = Killed(3, Counter(start=1, run=1, stop=1), 1, 1, [])


@pytest.mark.kernel
def test_killed_daemons_leave_nothing_that_is_not_put_back(tmp_path: Path) -> None:
    with Namespace() as namespace:
        seen = kill_again_and_again(namespace, tmp_path, kills=3, seed=4)
    assert seen.wrong == []
    assert seen.moments == Counter(start=1, run=1, stop=1)
    assert seen.stranded > 0, "nothing was tested: no daemon was killed while it had changed something"


def test_each_promise_can_be_broken() -> None:
    assert all(line.good for line in report(FINE))
    for seen in (replace(FINE, wrong=["sysctls"]), replace(FINE, stranded=0)):
        assert [line.good for line in report(seen)].count(False) == 1
