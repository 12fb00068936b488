"""flowtopd.enrich.directory: what happens when something in the background hangs. The rest is tested end to end."""

import threading
from collections.abc import Iterator
from typing import Any, cast

import numpy as np
import pytest

from flowtopd.enrich import background
from flowtopd.enrich.directory import LAN_S, Directory
from flowtopd.enrich.geoip.places import Places
from flowtopd.enrich.lan.lan import Lan, Neighbourhood
from flowtopd.enrich.rdns.resolver import Resolver
from flowtopd.flows.addresses import Pairs
from flowtopd.flows.dimensions import Place
from testbed.netns import wait_until
from tests.flowtopd.enrich.process.agents import Clock

GERMANY = Place(country="DE")


class Hanging:
    """Lan and Places at once, which hang until they are let go."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.looks = 0

    def glance(self) -> Neighbourhood:
        self.looks += 1
        self.gate.wait(30)
        return Neighbourhood()

    def look(self) -> Neighbourhood:
        return Neighbourhood()

    def refresh(self) -> bool:
        return False

    def places(self, addresses: Pairs) -> list[Place]:
        self.gate.wait(30)
        return [GERMANY] * len(addresses)

    def close(self) -> None:
        pass


@pytest.fixture
def hanging() -> Iterator[Hanging]:
    made = Hanging()
    yield made
    made.gate.set()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def directory(hanging: Hanging, clock: Clock) -> Iterator[Directory]:
    made = Directory(cast("Lan", hanging), cast("Places", hanging), Resolver(), clock)
    yield made
    hanging.gate.set()
    made.close()


def addresses(first: int, count: int) -> Pairs:
    return np.stack((np.zeros(count), np.arange(first, first + count) + 0xFFFF_0800_0000), axis=1).astype(np.uint64)


def test_one_tick_waits_for_what_hangs_and_the_others_do_not(
    directory: Directory, hanging: Hanging, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(background, "PATIENCE_S", 0.01)
    for _tick in range(3):
        clock.now += 1
        directory.learn()
    clock.now += LAN_S
    for _tick in range(100):
        directory.learn()
    assert hanging.looks == 1
    assert directory._background._jobs.qsize() <= background.MOST_JOBS


def known(directory: Directory) -> list[str | None]:
    return [directory.places[number].country for number in directory.columns["place"][1:].tolist()]


def ready(hanging: Hanging, directory: Directory) -> None:
    """Go on with a Neighbourhood."""
    hanging.gate.set()
    directory.learn()
    wait_until(lambda: directory._background._jobs.qsize() == 0)
    hanging.gate.clear()


def test_rows_are_not_dropped_while_their_places_are_on_the_way(directory: Directory, hanging: Hanging) -> None:
    ready(hanging, directory)
    directory.rows(addresses(0, 10))
    directory.learn()
    used = np.ones(11, np.bool_)
    assert directory.compact(used) is None


def test_places_that_do_not_come_do_not_keep_rows_for_ever_and_are_asked_for_again(
    directory: Directory, hanging: Hanging
) -> None:
    ready(hanging, directory)
    directory.rows(addresses(0, 10))
    directory.learn()
    used = np.arange(11) > 7
    mapping: Any = directory.compact(used, urgent=True)
    assert mapping.tolist() == [0] * 8 + [1, 2, 3]
    assert directory.size == 4
    directory.rows(addresses(100, 5))
    directory.learn()
    hanging.gate.set()

    def all_known() -> bool:
        directory.learn()
        return known(directory) == ["DE"] * 8

    wait_until(all_known)
    assert list(directory.places) == [Place(), GERMANY]
