from dataclasses import replace

from flowtopd.flows.dimensions import Dimensions, Owner
from flowtopd.flows.history import sample
from flowtopd.flows.snapshot import Snapshot, Tick
from flowtopd.session.hub import Hub
from flowtopd.session.own_hub import OwnHub
from tests.flowtopd.batches import Flow, joined, moment, snapshot, tick

OWNERS = (Owner(), Owner(1, uid=1000), Owner(2, uid=1001))
BEFORE = tuple(Flow(sport=number, ctid=number) for number in range(4))
NOW = tuple(flow.counted(1000 * (number + 1), 500) for number, flow in enumerate(BEFORE))


def published(hub: Hub, seq: int = 1, owners: tuple[int, ...] = (1, 2, 2, 0)) -> Tick:
    taken: Snapshot = joined(snapshot(*NOW, before=BEFORE), Dimensions(owners=OWNERS), owner=list(owners))
    taken = replace(taken, seq=seq, at=moment(10.0 + seq), resets=9)
    made = replace(tick(), snapshot=taken, sample=sample(taken), events_lost=7, seconds=0.3)
    hub.publish(made, 2.0)
    return made


def test_a_user_sees_the_own_flows_and_nothing_of_what_is_said_of_all() -> None:
    hub = Hub()
    own = OwnHub(hub, 1001)
    assert own.latest is None
    whole = published(hub)
    seen = own.latest
    assert seen is not None
    mine = seen.tick
    assert (mine.snapshot.size, seen.results.snapshot) == (2, mine.snapshot)
    assert (mine.events_lost, mine.snapshot.resets, mine.kernel.max, mine.seconds) == (0, 0, None, 1.0)
    assert (mine.kernel.accounting, mine.kernel.timestamps) == (True, True)
    assert hub.latest is not None
    assert hub.latest.tick is whole


def test_the_history_is_that_of_the_own_flows() -> None:
    hub = Hub()
    own, nobody = OwnHub(hub, 1001), OwnHub(hub, 4242)
    for seq in (1, 2, 3):
        published(hub, seq)
        for each in (own, nobody):
            assert each.latest is not None
    latest, none = own.latest, nobody.latest
    assert latest is not None
    assert none is not None
    assert [one.seq for one in latest.history] == [1, 2, 3]
    assert {one.orig_rate for one in latest.history} == {(2000 - 100) + (3000 - 100)}
    assert {(one.orig_rate, one.reply_rate) for one in none.history} == {(0.0, 0.0)}
    assert latest.tick.sample == latest.history[-1]
    hub.clear()
    assert own.latest is None
    published(hub, 4)
    assert own.latest is not None
    assert [one.seq for one in own.latest.history] == [4]


def test_what_a_user_sees_is_made_once_a_tick() -> None:
    hub = Hub()
    own = OwnHub(hub, 1000)
    published(hub)
    assert own.latest is own.latest
    first = own.latest
    published(hub, 2)
    assert own.latest is not first


def test_viewers_count_for_all_and_the_user_is_told_of_the_own_ones_alone() -> None:
    hub = Hub()
    own, other = OwnHub(hub, 1000), OwnHub(hub, 1001)
    wakes = [lambda: None, lambda: None, lambda: None]
    for each, wake in zip((own, own, other), wakes, strict=True):
        each.join(wake)
    assert (hub.viewers, own.viewers, other.viewers) == (3, 2, 1)
    own.want(wakes[0], 0.5, 10.0, 7)
    assert (hub.interval_s, hub.mean_s, hub.watched) == (0.5, frozenset({10.0}), frozenset({7}))
    own.leave(wakes[0])
    assert (hub.viewers, own.viewers, hub.interval_s) == (2, 1, None)
