"""The ground on a real kernel: what the tools see is what was asked for."""

import pytest

from bench.compare.ground import Ground, allowed, room_for
from testbed import conntrack
from testbed.netns import Namespace, wait_until


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


@pytest.mark.kernel
def test_the_machines_table_is_made_larger_for_a_while_where_that_may_be_done(namespace: Namespace) -> None:
    before = allowed(0)
    with room_for(before + 1000, 0):
        assert allowed(0) in {before + 1000, before}  # a machine without memory for it keeps what it has
    assert allowed(0) == before
    with room_for(before, 0):
        assert allowed(0) == before
    with namespace.entered(), room_for(before + 1000, 0):  # where it is not ours
        assert allowed(0) == before


@pytest.mark.kernel
def test_a_table_for_which_there_is_no_memory_is_not_made() -> None:
    before = allowed(0)
    with room_for(10**9, 0):
        assert allowed(0) == before
