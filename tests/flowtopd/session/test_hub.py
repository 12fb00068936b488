import asyncio

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
