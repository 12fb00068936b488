"""flowtopd.enrich.pipeline: what happens to flows that close. Enrichment of the living is tested end to end."""

from collections import deque
from collections.abc import Collection, Mapping
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowtopd.enrich.attached import Attachments
from flowtopd.enrich.directory import Directory
from flowtopd.enrich.pipeline import Pipeline, _within
from flowtopd.enrich.process.attribution import Answers
from flowtopd.enrich.process.endings import Endings
from flowtopd.enrich.process.events import Watcher
from flowtopd.enrich.process.ledger import Inbox, Ledger
from flowtopd.enrich.services import Names
from flowtopd.flows.addresses import AddressTable, Columns
from flowtopd.flows.closed import ClosedFlows
from flowtopd.flows.dimensions import Attached, Attribution, Device, Direction, Owner, Place, Where
from flowtopd.flows.identity import flow_keys
from flowtopd.flows.snapshot import Snapshot
from flowtopd.flows.table import FlowTable
from tests.flowtopd.batches import Flow, batch, moment
from tests.flowtopd.enrich.process.test_ledger import Questions

CURL = Owner(pid=10, process="curl")
HERE = "10.0.0.1"


class Addresses:
    """Instead of a Directory: this host is 10.0.0.1, and nothing is looked up."""

    def __init__(self) -> None:
        self._table = AddressTable()
        self.names = [None]
        self.places = [Place()]
        self.devices = [Device()]
        self.rows = self._table.add

    @property
    def columns(self) -> Columns:
        return self._table.columns

    @property
    def size(self) -> int:
        return self._table.size

    def learn(self) -> bool:
        is_here = self.columns["address"][:, 1] == 0xFFFF_0A00_0001
        self._table.put("where", np.flatnonzero(is_here).astype(np.int32), Where.HOST)
        return False

    @property
    def records(self) -> int:
        return self.size

    def compact(self, used: Any, **_urgent: bool) -> Any:
        return self._table.compact(used)

    def own_lookups(self) -> Any:
        return np.zeros((0, 2), np.int64)

    def forget(self) -> None:
        pass


class Ended(Endings):
    """Says of these flows, once, that they have ended."""

    def __init__(self, flows: list[Flow]) -> None:
        super().__init__()
        self._flows = flows

    def take(self, now_s: float) -> Columns:
        columns = batch(*self._flows, at_s=now_s).columns
        self._flows.clear()
        return columns | {"key": flow_keys(columns)}


class Rules(Attachments):
    """Say of every flow that lives that it has a helper; of others what was said last."""

    def of(self, snapshot: Snapshot, keys: Collection[int]) -> Mapping[int, Attached]:
        living = {key for key in keys if key in snapshot.columns["key"].tolist()}
        self._known = {key: Attached("ftp", ()) for key in keys if key in living or key in self._known}
        return self._known


class Scene:
    """A pipeline over ticks of a second."""

    def __init__(self, keep_s: float = 60) -> None:
        self.inbox: Inbox = deque()
        self.ended: list[Flow] = []
        self.pipeline = Pipeline(
            cast("Directory", Addresses()),
            Ledger(cast("Watcher", Questions()), self.inbox),
            Names({}),
            closed=ClosedFlows(keep_s),
            endings=Ended(self.ended),
            attachments=Rules(),
        )
        self._table = FlowTable()
        self._now_s = 0.0

    def tick(self, *flows: Flow, watched: Collection[int] = ()) -> Snapshot:
        self._now_s += 1
        taken = self._table.apply(batch(*flows, at_s=self._now_s), moment(self._now_s))
        taken = self.pipeline.enrich(taken, watched)
        assert taken.closed is not None
        assert set(taken.closed.columns) == set(taken.columns)
        return taken

    def answer(self, *flows: Flow) -> None:
        found = flow_keys(batch(*flows).columns)
        size = len(found)
        self.inbox.append(
            Answers(
                found,
                np.zeros(size, np.uint64),
                np.full(size, 1, np.uint8),
                np.ones(size, np.int32),
                np.ones(size, np.bool_),
                (Owner(), CURL),
            )
        )

    def compact_next(self) -> None:
        self.pipeline._compact_at = 0


def flow(number: int) -> Flow:
    return Flow(src=HERE, dst=f"1.1.1.{number}", sport=number, ctid=number)


def known(taken: Snapshot) -> list[tuple[int, str | None, str, Direction]]:
    """Of each closed flow its port, process, destination and direction, by way of the dimensions."""
    gone, dimensions = taken.closed, taken.dimensions
    assert gone is not None
    assert gone.dimensions is dimensions
    names = ("sport", "owner", "dst_at", "direction")
    return [
        (
            port,
            dimensions.owners[owner].process,
            ".".join(map(str, int(dimensions.addresses["address"][dst_at][1]).to_bytes(8)[4:])),
            Direction(direction),
        )
        for port, owner, dst_at, direction in zip(*(gone.columns[name].tolist() for name in names), strict=True)
    ]


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_what_was_known_of_a_flow_stays_when_it_closes(scene: Scene) -> None:
    scene.tick(flow(1), flow(2))
    scene.answer(flow(2))
    scene.tick(flow(1), flow(2))
    for _tick in range(2):
        assert known(scene.tick(flow(1))) == [(2, "curl", "1.1.1.2", Direction.OUTBOUND)]


def test_what_is_attached_is_told_of_flows_at_which_somebody_looks_and_stays_when_they_close(scene: Scene) -> None:
    one, two = flow_keys(batch(flow(1), flow(2)).columns).tolist()
    helped = Attached("ftp", ())
    assert scene.tick(flow(1), flow(2), watched=[two]).attached == {two: helped}
    taken = scene.tick(flow(1), watched=[one, two])
    assert taken.attached == {one: helped, two: helped}
    assert taken.closed is not None
    assert taken.closed.attached[two] == helped
    assert scene.tick(flow(1)).attached == {}


def test_of_a_flow_that_no_dump_has_had_is_known_what_can_be(scene: Scene) -> None:
    scene.tick(flow(1))
    scene.answer(flow(3))
    scene.ended.append(flow(3))
    taken = scene.tick(flow(1))
    assert known(taken) == [(3, "curl", "1.1.1.3", Direction.OUTBOUND)]
    assert taken.closed is not None
    assert taken.closed.columns["service_port"].tolist() == [3]
    assert taken.closed.columns["attribution"].tolist() == [Attribution.EXACT]
    assert known(scene.tick(flow(1))) == known(taken)


def test_records_that_only_closed_flows_point_at_are_kept_when_others_are_dropped() -> None:
    scene = Scene(keep_s=2.5)
    scene.tick(*(flow(number) for number in range(1, 40)))
    scene.answer(flow(17))
    scene.tick(*(flow(number) for number in range(10, 40)))
    for _tick in range(2):
        scene.tick(*(flow(number) for number in range(30, 40)))
    scene.compact_next()
    closed = [*range(10, 30), *range(30, 35), *range(36, 40)]
    for ports in (closed, closed[20:]):  # up to 9 have gone for good, and up to 29 do with the second tick
        taken = scene.tick(flow(35))
        assert len(taken.dimensions.addresses["address"]) == 2 + 30
        assert known(taken) == [
            (port, "curl" if port == 17 else None, f"1.1.1.{port}", Direction.OUTBOUND) for port in ports
        ]


def test_nothing_is_left_of_them_when_all_is_forgotten(scene: Scene) -> None:
    scene.tick(flow(1), flow(2))
    scene.tick(flow(1))
    scene.pipeline.forget()
    scene._table.forget()
    assert known(scene.tick(flow(3))) == []


SPANS = st.lists(st.tuples(st.integers(0, 50), st.integers(0, 20)), max_size=12)


@given(st.lists(st.integers(0, 80), max_size=12), SPANS)
def test_a_moment_is_within_a_span_or_not(moments: list[int], spans: list[tuple[int, int]]) -> None:
    ends = [(begin, begin + length) for begin, length in spans]
    found = _within(np.array(moments, np.uint64), np.array(ends, np.int64).reshape(-1, 2))
    assert found.tolist() == [any(begin <= moment <= end for begin, end in ends) for moment in moments]
