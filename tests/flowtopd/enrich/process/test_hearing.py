"""flowtopd.enrich.process.hearing: on the real events of a kernel's table, with a clock that the test moves."""

import errno
import logging
import os
from collections.abc import Iterator

import pytest

from flowtopd.enrich.process.hearing import Hearing
from flowtopd.enrich.process.overload import PAUSES_S, WINDOW_S, WINDOWS
from flowtopd.netlink.datagrams import Subscription, open_all_flows
from flowtopd.wire.messages import Events
from testbed import conntrack
from testbed.entries import mix
from testbed.inject import inject
from testbed.netns import Namespace
from tests.flowtopd.enrich.process.agents import Clock

pytestmark = pytest.mark.kernel


class Ears:
    """A hearing in a namespace."""

    def __init__(self, namespace: Namespace) -> None:
        self.clock = Clock()
        self.namespace = namespace
        self.hearing = Hearing(self._subscribe, self.clock)
        self.refused: OSError | None = None

    def _subscribe(self) -> Subscription:
        if self.refused:
            raise self.refused
        with self.namespace.entered():
            return Subscription(open_all_flows)

    def storm(self, count: int) -> None:
        """So many flows begin."""
        conntrack.flush(self.namespace)
        inject(self.namespace, mix(count))

    def read(self) -> int:
        """Read all that is there, over the empty read that says that some were lost; return how many flows began."""
        got = empty = 0
        while empty < 2:
            found = self.hearing.receive()
            assert found is not None
            got += len(found[1].offsets)
            empty = 0 if len(found[1].offsets) + len(found[2].offsets) else empty + 1
        return got

    def overload(self) -> None:
        """Miss what comes, for as long as it takes."""
        for _window in range(WINDOWS + 1):
            self.storm(1000)
            self.hearing.pass_over()
            self.clock.now += WINDOW_S
            self.hearing.note(0)


@pytest.fixture
def ears(namespace: Namespace) -> Iterator[Ears]:
    made = Ears(namespace)
    made.hearing.begin()
    yield made
    made.hearing.end()


def state(ears: Ears) -> str:
    return ears.hearing.state


def listeners(namespace: Namespace) -> int:
    """Netlink sockets of this process that are in a group of the namespace."""
    with namespace.entered(), open("/proc/thread-self/net/netlink", encoding="ascii") as table:  # noqa: PTH123
        rows = [line.split() for line in table.readlines()[1:]]
    return sum(row[1] == "12" and int(row[3], 16) > 0 for row in rows)


def test_every_event_is_read_or_counted_as_lost(ears: Ears, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flowtopd.netlink.datagrams.EVENT_BUFFER", 1 << 16)
    ears.hearing.end()
    ears.hearing.begin()
    made = got = 0
    for count in (3000, 10, 5000, 300):
        inject(ears.namespace, list(mix(made + count))[made:])
        made += count
        got += ears.read()
    assert ears.hearing.dropped > 7000
    assert got + ears.hearing.dropped == made


def test_where_too_many_come_for_some_seconds_the_kernel_makes_no_more(
    ears: Ears, caplog: pytest.LogCaptureFixture
) -> None:
    assert listeners(ears.namespace) == 1
    with caplog.at_level(logging.WARNING):
        ears.overload()
    assert ears.hearing.state is Events.OVERLOADED
    assert listeners(ears.namespace) == 0
    assert ears.hearing.descriptor is None
    assert len(caplog.messages) == 1
    assert "faster than they can be read" in caplog.messages[0]
    lost = ears.hearing.lost
    ears.storm(1000)
    assert ears.hearing.receive() is None
    assert ears.hearing.lost == lost, "what was not made is not lost"


def test_what_was_there_when_it_gave_up_is_counted(ears: Ears) -> None:
    ears.overload()
    # the first storm began on an empty table, each later one after the endings of the one before it
    assert ears.hearing.lost == (WINDOWS + 1) * 1000 + WINDOWS * 1000


def test_when_it_is_calm_events_come_again(ears: Ears, caplog: pytest.LogCaptureFixture) -> None:
    ears.overload()
    caplog.clear()
    assert ears.hearing.wait_s() == PAUSES_S[0]
    ears.hearing.look()
    assert listeners(ears.namespace) == 0, "it waits"
    ears.clock.now += PAUSES_S[0]
    with caplog.at_level(logging.INFO):
        ears.hearing.look()
        assert listeners(ears.namespace) == 1
        assert ears.hearing.state is Events.OVERLOADED, "a trial is no promise"
        assert ears.hearing.wait_s() == WINDOW_S
        ears.clock.now += WINDOW_S
        ears.hearing.look()
    assert state(ears) == "on"
    assert caplog.messages == ["events of flows are read again"]
    assert ears.hearing.wait_s() is None, "no timer while there are events"
    ears.storm(10)
    assert ears.read() == 10


def test_a_trial_in_a_storm_ends_soon_and_says_nothing(ears: Ears, caplog: pytest.LogCaptureFixture) -> None:
    ears.overload()
    caplog.clear()
    with caplog.at_level(logging.INFO):
        for _trial in range(3):
            wait_s = ears.hearing.wait_s()
            assert wait_s is not None
            ears.clock.now += wait_s
            ears.hearing.look()
            ears.storm(5000)
            ears.hearing.pass_over()
            ears.hearing.note(0)
            ears.hearing.look()
            assert (ears.hearing.state, listeners(ears.namespace)) == (Events.OVERLOADED, 0)
    assert ears.hearing.wait_s() == PAUSES_S[1]
    assert caplog.messages == []


def test_a_descriptor_that_was_lost_is_opened_again(ears: Ears, caplog: pytest.LogCaptureFixture) -> None:
    assert ears.hearing.descriptor is not None
    os.close(ears.hearing.descriptor)
    with caplog.at_level(logging.WARNING):
        assert ears.hearing.receive() is None
    assert caplog.messages == ["no more events of new flows: Bad file descriptor"]
    assert ears.hearing.state is Events.OFF
    ears.clock.now += PAUSES_S[0]
    ears.hearing.look()
    assert state(ears) == "on"
    ears.storm(3)
    assert ears.read() == 3


def test_who_may_not_listen_asks_now_and_then_and_says_it_once(ears: Ears, caplog: pytest.LogCaptureFixture) -> None:
    ears.hearing.end()
    ears.refused = PermissionError(errno.EPERM, "Operation not permitted")
    with caplog.at_level(logging.WARNING):
        ears.hearing.begin()
        for _trial in range(3):
            ears.clock.now += PAUSES_S[1]
            ears.hearing.look()
    assert caplog.messages == ["no events of new flows: Operation not permitted"]
    ears.refused = None
    ears.clock.now += PAUSES_S[1]
    ears.hearing.look()
    assert state(ears) == "on"
