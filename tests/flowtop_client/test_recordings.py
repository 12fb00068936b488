"""The switch for recordings, against the scripted daemon."""

import asyncio
import socket
from pathlib import Path
from typing import Any

import pytest

from flowtop_client.connection.link import Unavailable
from flowtop_client.recorded import Recorded
from flowtop_client.recordings import Recordings
from flowtop_client.view_state.state import ViewState
from flowtopd.wire.fields import EXTRA_FIELDS
from tests.flowtop_client.conftest import MakeDaemon
from tests.flowtop_client.scripted_daemon import Flow, flow

EXTRAS: dict[str, Any] = dict.fromkeys(field.name for field in EXTRA_FIELDS)


def full(number: int) -> Flow:
    return flow(number, **EXTRAS)


def test_the_switch_of_a_viewer_writes_one_file_with_the_date_in_its_name(
    make_daemon: MakeDaemon, tmp_path: Path
) -> None:
    daemon = make_daemon([full(1)])
    over: list[tuple[Recorded, str]] = []

    async def run() -> Path:
        async with asyncio.timeout(20), asyncio.TaskGroup() as tasks:
            switch = Recordings(daemon.path, tasks, tmp_path, wall=lambda: 1_700_000_000.0)
            assert switch.recorded is None
            path = switch.start(ViewState(), lambda done, why: over.append((done, why)))
            while not (switch.recorded and switch.recorded.samples):  # noqa: ASYNC110  # it tells nobody when it writes
                await asyncio.sleep(0.01)
            switch.stop()
            while switch.recorded is not None:  # noqa: ASYNC110  # the task is over in some rounds of the loop
                await asyncio.sleep(0)
            switch.stop()
        return path

    path = asyncio.run(run())
    assert path.parent == tmp_path
    assert path.name.startswith("flowtop-202311")
    assert [(done.size_bytes, why) for done, why in over] == [(path.stat().st_size, "")]


def test_a_file_that_cannot_be_made_ends_the_recording_and_not_the_viewer(
    make_daemon: MakeDaemon, tmp_path: Path
) -> None:
    daemon = make_daemon([full(1)])
    over: list[str] = []

    async def run() -> None:
        async with asyncio.timeout(20), asyncio.TaskGroup() as tasks:
            switch = Recordings(daemon.path, tasks, tmp_path / "nowhere")
            switch.start(ViewState(), lambda _done, why: over.append(why))
            while not over:  # noqa: ASYNC110  # as above
                await asyncio.sleep(0.001)
            assert switch.recorded is None

    asyncio.run(run())
    assert over[0].endswith("No such file or directory")


def test_several_hosts_are_not_recorded(tmp_path: Path) -> None:
    async def start() -> None:
        async with asyncio.TaskGroup() as tasks:
            with pytest.raises(Unavailable, match="a recording is of one host"):
                Recordings(None, tasks, tmp_path).start(ViewState(), lambda _done, _why: None)

    asyncio.run(start())
    assert list(tmp_path.iterdir()) == []


def test_a_private_daemon_has_no_room_for_a_recorder(tmp_path: Path) -> None:
    async def run() -> None:
        ours, theirs = socket.socketpair()
        async with asyncio.TaskGroup() as tasks:
            with ours, theirs, pytest.raises(Unavailable, match="this viewer alone"):
                Recordings(ours, tasks, tmp_path).start(ViewState(), lambda _done, _why: None)

    asyncio.run(run())
    assert not list(tmp_path.iterdir())
