"""flowtopd.enrich.process.arrivals: who has come since the last look, and who is young still."""

from collections.abc import Iterator

import pytest

from flowtopd.enrich.process.arrivals import YOUNG_S, Arrivals
from flowtopd.enrich.process.procfs import INIT
from tests.flowtopd.enrich.process.agents import Clock, PidNamespace


@pytest.fixture(scope="module")
def house() -> Iterator[PidNamespace]:
    with PidNamespace() as made:
        yield made


@pytest.mark.kernel
def test_at_the_first_look_nobody_is_new(house: PidNamespace) -> None:
    arrivals = Arrivals(str(house.proc), Clock())
    assert arrivals.look() == []
    assert arrivals.listed == {INIT}


@pytest.mark.kernel
def test_a_process_is_told_as_long_as_it_is_young(house: PidNamespace) -> None:
    clock = Clock()
    arrivals = Arrivals(str(house.proc), clock)
    arrivals.look()
    with house.agent() as agent:
        assert arrivals.look() == [agent.pid]
        clock.now += YOUNG_S / 2
        assert arrivals.look() == [agent.pid]
        clock.now += YOUNG_S
        assert arrivals.look() == []
        assert arrivals.listed == {INIT, agent.pid}


@pytest.mark.kernel
def test_a_process_that_exits_young_is_forgotten(house: PidNamespace) -> None:
    arrivals = Arrivals(str(house.proc), Clock())
    arrivals.look()
    with house.agent() as agent:
        assert arrivals.look() == [agent.pid]
    assert arrivals.look() == []
