"""The recorder against the scripted daemon: what it asks for, what it writes, what ends it."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from flowtop_client.connection.link import Unavailable
from flowtop_client.recorded import Recorded
from flowtop_client.recorder import Recorder, recording_query
from flowtop_client.view_state.state import ProtocolGroup, ViewState
from flowtopd.wire.errors import ErrorCode
from flowtopd.wire.fields import EXTRA_FIELDS, RECORDED_FIELD_NAMES
from flowtopd.wire.messages import Error, Query, Snapshot, View
from flowtopd.wire.recording_file import open_recording
from tests.flowtop_client.conftest import MakeDaemon
from tests.flowtop_client.scripted_daemon import STATUS, Flow, flow, refusing, snapshot_for

EXTRAS: dict[str, Any] = dict.fromkeys(field.name for field in EXTRA_FIELDS)


def full(number: int) -> Flow:
    return flow(number, **EXTRAS)


def record(
    recorder: Recorder, target: str, until: Callable[[Recorded], bool] = lambda _: False, *, once: bool = False
) -> None:
    """Record until this holds, as a viewer would who stops it; asked whenever something has come."""

    async def run() -> None:
        async with asyncio.timeout(20), asyncio.TaskGroup() as tasks:
            task = tasks.create_task(recorder.run(target, once=once))
            while not task.done() and not until(recorder.recorded):  # noqa: ASYNC110  # it tells nobody when it writes
                await asyncio.sleep(0.01)
            task.cancel()

    try:
        asyncio.run(run())
    except* Unavailable as group:
        raise group.exceptions[0] from None


def test_it_asks_for_everything_of_what_the_viewer_looks_at() -> None:
    state = ViewState(
        protocols=frozenset({ProtocolGroup.UDP}), loopback=True, source=True, paused=True, page=60, offset=100
    )
    query = recording_query(state)
    assert (query.protocols, query.loopback, query.offset, query.limit, query.paused) == (
        (17, 136),
        True,
        0,
        None,
        False,
    )
    assert query.fields == RECORDED_FIELD_NAMES


@pytest.mark.parametrize("view", View)
def test_it_asks_for_flows_whatever_the_tab_is(view: View) -> None:
    query = recording_query(ViewState(view=view, filter="port 443"))
    assert (query.view, query.filter) == (View.FLOWS, "port 443")
    assert set(query.fields) <= set(RECORDED_FIELD_NAMES) != set()


def test_names_of_sources_are_asked_for_only_while_they_are_shown() -> None:
    assert set(RECORDED_FIELD_NAMES) - set(recording_query(ViewState()).fields) == {"src_name"}


def test_snapshots_become_samples(make_daemon: MakeDaemon, tmp_path: Path) -> None:
    daemon = make_daemon([full(1), full(2)])
    recorder = Recorder(tmp_path / "x", ViewState())

    def pushed(done: Recorded) -> bool:
        if done.samples == len(times):
            daemon.flows = daemon.flows[:1]
            daemon.push()
            times.append(done.seconds)
        return len(times) > 3

    times = [0.0]
    record(recorder, daemon.path, pushed)
    done = recorder.recorded
    assert (done.samples, done.flows, done.trouble) == (3, 2, "")
    assert (tmp_path / "x").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "x").stat().st_size == done.size_bytes
    with open_recording(tmp_path / "x") as found:
        samples = [found.sample(number)[1] for number in range(3)]
    assert [each.columns["id"] for each in samples] == [["1", "2"], ["1"], ["1"]]
    assert samples[0].columns["dst"] == ["192.0.2.2", "192.0.2.3"]
    assert found.about.host == "router"
    assert found.about.start > 1.7e9


def test_with_once_it_ends_when_there_are_rates(make_daemon: MakeDaemon, tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "x", ViewState())
    record(recorder, make_daemon([full(1)]).path, once=True)
    assert recorder.recorded.samples > 0


def test_a_window_that_comes_in_parts_is_one_sample_and_half_a_one_is_none(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "x", ViewState())
    parts = [part(1, "a", more=True), part(1, "b", more=False), part(2, "lost", more=True), part(3, "c", more=False)]
    taken = []
    for each in parts:
        if recorder._is_whole(each):
            taken.append([row[0] for row in recorder._rows])
            recorder._rows = []
    assert taken == [["a", "b"], ["c"]]


def part(seq: int, name: str, *, more: bool) -> Snapshot:
    whole = snapshot_for(Query(fields=("id",)), [flow(1, id=name)], seq, STATUS, 1.0)
    return replace(whole, more=more)


def test_a_daemon_that_comes_back_leaves_a_gap(make_daemon: MakeDaemon, tmp_path: Path) -> None:
    daemon = make_daemon([full(1)])
    recorder = Recorder(tmp_path / "x", ViewState())
    troubles: list[str] = []

    def back(done: Recorded) -> bool:
        if done.samples and not troubles:
            troubles.append("")
            daemon.close()
        elif done.trouble and len(troubles) == 1:
            troubles.append(done.trouble)
            daemon.listen()
        return len(troubles) == 2 and not done.trouble

    record(recorder, daemon.path, back)
    assert "closed the connection" in troubles[1]
    assert recorder.recorded.samples == 2


def test_a_file_that_is_there_is_left_alone(make_daemon: MakeDaemon, tmp_path: Path) -> None:
    (tmp_path / "x").write_text("dear")
    with pytest.raises(Unavailable, match=r"cannot record into .*/x: File exists"):
        record(Recorder(tmp_path / "x", ViewState()), make_daemon([full(1)]).path)
    assert (tmp_path / "x").read_text() == "dear"


def test_what_the_daemon_refuses_is_told(make_daemon: MakeDaemon, tmp_path: Path) -> None:
    daemon = make_daemon([full(1)], answer=refusing(Error(ErrorCode.FIELD, "no field 'sampled'")))
    with pytest.raises(Unavailable, match="the daemon says: no field 'sampled'"):
        record(Recorder(tmp_path / "x", ViewState()), daemon.path)


def test_without_a_daemon_no_file_is_made(tmp_path: Path) -> None:
    with pytest.raises(Unavailable):
        record(Recorder(tmp_path / "x", ViewState()), str(tmp_path / "none.sock"))
    assert not (tmp_path / "x").exists()
