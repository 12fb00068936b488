"""The ground on a real kernel: what the tools see is what was asked for."""

import pytest

from bench.compare.ground import Ground
from testbed import conntrack
from testbed.netns import wait_until


@pytest.mark.kernel
def test_a_table_grows_and_a_load_leaves_nothing_of_its_flows_behind() -> None:
    with Ground(300) as ground:
        ground.grow(100)
        ground.grow(300)
        listed = conntrack.listing(ground.namespace)
        assert ground.count() == len(listed) >= 300
        assert ground.tcp == sum(entry["proto"] == "tcp" for entry in listed)
        before = ground.count()
        with ground.load(500):
            wait_until(lambda: ground.count() > before + 100)
        assert ground.count() < before + 20
        assert not [entry for entry in conntrack.listing(ground.namespace) if entry["dst"] == "8.8.4.4"]
