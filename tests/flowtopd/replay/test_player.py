"""The player against a real hub and a real event loop; the speed makes it quick."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from flowtopd.flows.snapshot import Tick
from flowtopd.replay.player import Player
from flowtopd.replay.recorder import sample_of
from flowtopd.session.hub import Hub
from flowtopd.wire.messages import MAX_SPEED, Replay, Seek
from flowtopd.wire.recording import Recording
from flowtopd.wire.samples import Sample
from tests.flowtopd.batches import Flow, snapshot, tick
from tests.flowtopd.wire.recorded import opened, written

LENGTH = 8


def sample(number: int) -> Sample:
    """So many flows as its number says, and one more."""
    flows = [Flow(ctid=each, sport=each) for each in range(1, number + 2)]
    return sample_of(replace(tick(), snapshot=snapshot(*flows)), float(number))


WHOLE = written([sample(number) for number in range(LENGTH)])


class Viewer:
    """Someone who wants ticks and remembers them."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self.seen: list[Tick] = []
        self._came = asyncio.Event()
        hub.join(self._wake)

    def _wake(self) -> None:
        assert self._hub.latest is not None
        self.seen.append(self._hub.latest.tick)
        self._came.set()

    def want(self, interval_s: float | None = 0.1) -> None:
        self._hub.want(self._wake, interval_s)

    async def until(self, condition: Callable[[Replay, int], bool]) -> Tick:
        """The first tick from now on of which this holds: told where it is and how many flows it has."""
        async with asyncio.timeout(10):
            while True:
                self._came.clear()
                await self._came.wait()
                last = self.seen[-1]
                assert last.replay is not None
                if condition(last.replay, last.snapshot.size):
                    return last


def play(
    steps: Callable[[Player, Viewer], Awaitable[None]],
    recording: Recording,
    *,
    speed: float = MAX_SPEED,
    loop: bool = False,
    executor: ThreadPoolExecutor | None = None,
) -> list[Tick]:
    """Run a player beside these steps; return what the viewer has seen."""

    async def run() -> list[Tick]:
        hub = Hub()
        with executor or ThreadPoolExecutor(1) as thread:
            player = Player(recording, hub, thread, speed=speed, loop=loop)
            viewer = Viewer(hub)
            async with asyncio.TaskGroup() as tasks:
                playing = tasks.create_task(player.run())
                await steps(player, viewer)
                playing.cancel()
        return viewer.seen

    return asyncio.run(run())


def test_it_begins_when_somebody_looks_and_plays_to_the_end() -> None:
    async def steps(_player: Player, viewer: Viewer) -> None:
        await asyncio.sleep(0)
        assert viewer.seen == []
        viewer.want()
        await viewer.until(lambda replay, _: replay.ended)

    seen = play(steps, opened(WHOLE), speed=20.0)
    sizes = [each.snapshot.size for each in seen]
    assert sizes == sorted(set(sizes))
    assert (sizes[0], sizes[-1]) == (1, LENGTH)
    last = seen[-1].replay
    assert last == Replay(LENGTH - 1.0, LENGTH - 1.0, 20.0, paused=False, ended=True)
    times = [each.snapshot.at.monotonic_s for each in seen]
    assert times == sorted(set(times))


def test_a_pause_holds_it_and_the_daemon_is_still_heard() -> None:
    async def steps(player: Player, viewer: Viewer) -> None:
        player.seek(Seek(paused=True))
        viewer.want()
        await viewer.until(lambda replay, size: replay.paused and size == 1)
        await viewer.until(lambda replay, size: replay.paused and size == 1)  # again, by itself
        player.seek(Seek(samples=2))
        await viewer.until(lambda replay, size: replay.paused and size == 3)
        player.seek(Seek(paused=False))
        await viewer.until(lambda replay, size: not replay.paused and size == LENGTH)

    play(steps, opened(WHOLE))


def test_seeking_is_shown_at_once_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flowtopd.replay.player.STILL_S", 1000.0)  # what stands still is not shown again by itself

    async def steps(player: Player, viewer: Viewer) -> None:
        viewer.want()
        await viewer.until(lambda replay, _: replay.ended)
        before = viewer.seen[-1].jumps
        player.seek(Seek(seconds=-100.0, paused=True))
        back = await viewer.until(lambda _, size: size == 1)
        assert back.jumps == before + 1

    play(steps, opened(WHOLE))


class Held(ThreadPoolExecutor):
    """A thread that begins its work when it is let go."""

    def __init__(self) -> None:
        super().__init__(1)
        self.reached = threading.Event()
        self.go = threading.Event()

    def submit(self, do: Callable[..., Any], /, *arguments: Any, **named: Any) -> Future[Any]:
        def held() -> Any:
            self.reached.set()
            assert self.go.wait(10)
            return do(*arguments, **named)

        return super().submit(held)


def test_a_seek_while_a_sample_is_read_never_shows_one_under_the_place_of_another() -> None:
    thread = Held()

    async def steps(player: Player, viewer: Viewer) -> None:
        viewer.want()
        assert await asyncio.to_thread(thread.reached.wait, 10)
        player.seek(Seek(samples=3, paused=True))
        thread.go.set()
        await viewer.until(lambda replay, _: replay.paused)

    for each in play(steps, opened(WHOLE), executor=thread):
        assert each.replay is not None
        assert each.snapshot.size == 1 + each.replay.position


def test_while_nobody_looks_no_time_passes() -> None:
    async def steps(player: Player, viewer: Viewer) -> None:
        player.seek(Seek(speed=10.0))
        viewer.want()
        await viewer.until(lambda _, size: size == 2)
        viewer.want(None)
        seen = len(viewer.seen)
        await asyncio.sleep(0.5)  # five samples long
        assert len(viewer.seen) <= seen + 1
        viewer.want()
        await viewer.until(lambda replay, size: size in {3, 4} and not replay.ended)

    play(steps, opened(WHOLE))


def test_a_loop_begins_anew() -> None:
    async def steps(_player: Player, viewer: Viewer) -> None:
        viewer.want()
        await viewer.until(lambda _, size: size == LENGTH)
        again = await viewer.until(lambda _, size: size < LENGTH)
        assert again.jumps > 0

    play(steps, opened(WHOLE), speed=10.0, loop=True)


@pytest.mark.parametrize("back", [5, 30])
def test_a_break_is_the_end_and_said(back: int, caplog: pytest.LogCaptureFixture) -> None:
    broken = bytearray(WHOLE)
    broken[-back] ^= 1

    async def steps(_player: Player, viewer: Viewer) -> None:
        viewer.want()
        last = await viewer.until(lambda replay, _: bool(replay.trouble) and replay.ended)
        assert last.snapshot.size == LENGTH - 1
        assert last.replay is not None
        assert last.replay.trouble.endswith("its checksum is wrong")

    play(steps, opened(bytes(broken)))
    assert "its checksum is wrong" in caplog.text
