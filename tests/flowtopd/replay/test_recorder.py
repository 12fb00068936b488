"""The recorder at a real hub, with ticks that are given to it."""

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from flowtopd.flows.snapshot import Tick
from flowtopd.query.rows import render
from flowtopd.replay.recorder import INTERVAL_S, Recorder, recorder, sample_of
from flowtopd.replay.snapshots import Snapshots
from flowtopd.session.hub import Hub
from flowtopd.wire.fields import RECORDED_FIELD_NAMES
from flowtopd.wire.recording_file import RecordingFile, open_recording
from flowtopd.wire.samples import Sample
from tests.flowtopd.batches import Flow, moment, tick
from tests.flowtopd.replay.samples import plain_table
from tests.flowtopd.wire.recorded import ABOUT, opened, written


def ticks(count: int, apart_s: float) -> list[Tick]:
    """The same flow, again and again."""
    base = tick(Flow())
    made = [replace(base.snapshot, seq=number, at=moment(10 + number * apart_s)) for number in range(count)]
    return [replace(base, snapshot=each) for each in made]


def record(
    recording: Recorder, given: list[Tick], pace_s: float, end: Callable[[Hub], Awaitable[None]] | None = None
) -> None:
    """Publish these ticks, one after the other was recorded or left out."""

    async def run(thread: Executor) -> None:
        hub = Hub()
        async with asyncio.TaskGroup() as tasks:
            task = tasks.create_task(recording.run(hub, thread))
            await asyncio.sleep(0)
            assert (hub.interval_s, hub.viewers) == (INTERVAL_S, 0)
            for each in given:
                hub.publish(each, pace_s)
                for _turn in range(3):  # woken, at work, waiting again
                    await asyncio.sleep(0)
                    await asyncio.get_running_loop().run_in_executor(thread, int)
            if end is not None:
                await end(hub)
            task.cancel()

    with ThreadPoolExecutor(1) as thread:
        asyncio.run(run(thread))


def test_every_tick_is_recorded_with_its_time(tmp_path: Path) -> None:
    with recorder(tmp_path / "x", ABOUT) as recording:
        record(recording, ticks(4, 1.0), 1.0)
    with open_recording(tmp_path / "x") as found:
        assert list(found.times) == [0.0, 1.0, 2.0, 3.0]
        assert found.sample(2)[1].time == moment(12).wall_s
        assert found.sample(0)[1].status["max"] == 262144
        assert found.sample(0)[1].totals["orig_bytes"] == 100


def test_of_the_ticks_of_a_fast_viewer_one_a_second_is_recorded(tmp_path: Path) -> None:
    with recorder(tmp_path / "x", ABOUT) as recording:
        record(recording, ticks(9, 0.25), 0.25)
    with open_recording(tmp_path / "x") as found:
        assert list(found.times) == [0.0, 1.0, 2.0]


def test_what_cannot_be_written_ends_the_recording_and_nothing_else(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    class Full(RecordingFile):
        def add(self, _sample: Sample) -> None:
            raise OSError(28, "No space left on device")

    async def end(hub: Hub) -> None:
        async with asyncio.timeout(10):
            await hub.changed()
        assert hub.interval_s is None

    with Full(tmp_path / "x", ABOUT) as file:
        record(Recorder(tmp_path / "x", file), ticks(3, 1.0), 1.0, end)
    assert caplog.text.count("the recording ends here: No space left on device") == 1


def test_what_is_recorded_is_what_was_seen() -> None:
    taken = plain_table(3, 50)
    found = opened(written([sample_of(replace(tick(), snapshot=taken), 0.0)]))
    made = Snapshots().make(found.sample(0)[1], 0.0)
    shown, seen = (render(each, np.arange(50), RECORDED_FIELD_NAMES) for each in (made, taken))
    assert shown == seen
