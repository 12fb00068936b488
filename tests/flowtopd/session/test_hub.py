import asyncio
from dataclasses import replace

from flowtopd.flows.history import SAMPLES
from flowtopd.flows.snapshot import Sample
from flowtopd.session.hub import Hub
from tests.flowtopd.batches import Flow, tick


def nothing() -> None:
    pass


def test_the_shortest_interval_that_anybody_wants_is_the_demand() -> None:
    hub = Hub()
    slow, fast = (lambda: None), (lambda: None)
    hub.join(slow)
    hub.join(fast)
    assert hub.viewers == 2
    assert hub.interval_s is None
    hub.want(slow, 5.0)
    hub.want(fast, 0.5)
    assert hub.interval_s == 0.5
    hub.want(fast, None)
    assert hub.interval_s == 5.0
    hub.leave(slow)
    assert hub.viewers == 1
    assert hub.interval_s is None


def test_a_tick_wakes_everybody() -> None:
    hub, woken = Hub(), []
    hub.join(lambda: woken.append(1))
    hub.join(lambda: woken.append(2))
    published = tick(Flow())
    hub.publish(published, 1.5)
    assert (woken, hub.pace_s) == ([1, 2], 1.5)
    assert hub.latest is not None
    assert hub.latest.tick is published


def test_without_viewers_there_is_a_tick_as_often_as_the_history_wants_it() -> None:
    hub = Hub(10.0)
    assert hub.interval_s == 10.0
    hub.join(nothing)
    assert hub.interval_s == 10.0
    for wanted, paced in ((60.0, 10.0), (1.0, 1.0), (None, 10.0)):
        hub.want(nothing, wanted)
        assert hub.interval_s == paced


def test_the_means_that_anybody_wants_are_made_and_no_others() -> None:
    hub = Hub()
    others = lambda: None  # noqa: E731 - a viewer is known by its function
    for viewer in (nothing, others):
        hub.join(viewer)
    assert hub.mean_s == frozenset()
    hub.want(nothing, 1.0, 10.0)
    hub.want(others, 1.0, 40.0)
    assert hub.mean_s == {10.0, 40.0}
    hub.leave(others)
    hub.want(nothing, 1.0)
    assert hub.mean_s == frozenset()


def test_the_flows_at_which_viewers_look_are_known_as_long_as_they_do() -> None:
    hub = Hub()
    others = lambda: None  # noqa: E731 - a viewer is known by its function
    for viewer in (nothing, others):
        hub.join(viewer)
    hub.want(nothing, 1.0, watched=7)
    hub.want(others, 1.0, watched=8)
    assert hub.watched == {7, 8}
    hub.want(nothing, 1.0)
    assert hub.watched == {8}
    hub.leave(others)
    assert hub.watched == frozenset()


def test_the_history_goes_with_each_tick_and_ends_with_the_last_viewer() -> None:
    hub = Hub()
    for number in range(SAMPLES + 5):
        sampled = replace(tick(Flow()), sample=Sample(number, float(number), 1.0, 2.0) if number else None)
        hub.publish(sampled, 1.0)
    assert hub.latest is not None
    assert [one.seq for one in hub.latest.history] == list(range(5, SAMPLES + 5))
    hub.clear()
    hub.publish(tick(Flow()), 1.0)
    assert hub.latest.history == ()


def test_a_change_of_demand_is_noticed_once_also_when_it_came_before_the_wait() -> None:
    async def scenario() -> None:
        hub = Hub()
        hub.join(nothing)
        hub.want(nothing, 1.0)
        await asyncio.wait_for(hub.changed(), 5)
        hub.want(nothing, 1.0)  # the same again is no change
        waiting = asyncio.get_running_loop().create_task(hub.changed())
        await asyncio.sleep(0)
        assert not waiting.done()
        hub.leave(nothing)
        await asyncio.wait_for(waiting, 5)

    asyncio.run(scenario())


def test_the_rates_of_the_ticks_before_are_kept_until_nobody_looks() -> None:
    hub = Hub()
    for _ in range(3):
        hub.publish(tick(Flow()), 1.0)
    assert hub.latest is not None
    rates = hub.latest.rates
    assert len(rates) == 3
    hub.clear()
    assert len(rates) == 0


def test_who_wants_ticks_and_is_no_viewer_is_not_counted() -> None:
    hub = Hub()
    hub.join(nothing, viewer=False)
    hub.want(nothing, 1.0)
    assert (hub.viewers, hub.interval_s) == (0, 1.0)
    hub.leave(nothing)
    assert (hub.viewers, hub.interval_s) == (0, None)


def test_who_waits_can_be_stirred() -> None:
    async def run() -> None:
        hub = Hub()
        hub.stir()
        async with asyncio.timeout(10):
            await hub.changed()

    asyncio.run(run())
