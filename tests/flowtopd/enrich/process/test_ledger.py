import dataclasses
from collections import deque
from typing import Any, cast

import numpy as np
import pytest

from flowtopd.enrich.draft import Columns, Draft
from flowtopd.enrich.process.attribution import FLOW_COLUMNS, MORE_COLUMNS, Answers
from flowtopd.enrich.process.events import Listening, Watcher
from flowtopd.enrich.process.ledger import AGAIN_S, LISTENING_S, RETRY_S, Inbox, Ledger
from flowtopd.flows.dimensions import Attribution, Owner
from flowtopd.flows.snapshot import Snapshot
from flowtopd.flows.table import FlowTable
from flowtopd.netlink.nlmsg import Indices
from tests.flowtopd.batches import Flow, batch, moment

ONE, TWO = Flow(sport=1, ctid=1), Flow(sport=2, ctid=2)
CURL, WGET = Owner(pid=10, process="curl"), Owner(pid=11, process="wget")


class Questions:
    """Instead of a Watcher: takes questions, and answers none."""

    def __init__(self) -> None:
        self.asked: list[Columns] = []
        self.asked_listening = 0
        self.waiting = 0
        self.lost = 0
        self.running = False

    def start(self) -> None:
        self.running = True

    def stop(self) -> None:
        self.running = False

    def ask(self, flows: Columns, rows: Indices) -> None:
        self.asked.append({name: column[rows] for name, column in flows.items()})

    def ask_listening(self) -> None:
        self.asked_listening += 1


class Scene:
    """A ledger over ticks at times that the test chooses."""

    def __init__(self) -> None:
        self.now_s = 100.0
        self.watcher = Questions()
        self.inbox: Inbox = deque()
        self.ledger = Ledger(cast("Watcher", self.watcher), self.inbox, lambda: self.now_s)
        self._table = FlowTable()
        self._last: Columns | None = None
        self.changed = False

    def tick(self, *flows: Flow, seconds: float = 1.0, moved: bool = False) -> Draft:
        self.now_s += seconds
        draft = Draft(self._table.apply(batch(*flows, at_s=self.now_s), moment(self.now_s)), self._last)
        self.changed = self.ledger.settle(draft, moved=moved)
        self._last = draft.publish()
        return draft

    def told(self, draft: Draft) -> list[tuple[str | None, Attribution]]:
        owners = [self.ledger.owners.values[number].process for number in draft["owner"].tolist()]
        return list(zip(owners, map(Attribution, draft["attribution"].tolist()), strict=True))

    def answer(
        self,
        keys: Any,
        how: Attribution,
        owner: Owner | None = None,
        *,
        final: bool = True,
        begun_by_ns: int = 0,
    ) -> None:
        owners = (Owner(),) if owner is None else (Owner(), owner)
        size = len(keys)
        self.inbox.append(
            Answers(
                np.array(keys, np.uint64),
                np.full(size, begun_by_ns, np.uint64),
                np.full(size, how, np.uint8),
                np.full(size, len(owners) - 1, np.int32),
                np.full(size, final),
                owners,
            )
        )


def keys(snapshot: Snapshot) -> list[int]:
    return cast("list[int]", snapshot.columns["key"].tolist())


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_new_flows_are_asked_for_at_once_with_all_that_is_read_of_them(scene: Scene) -> None:
    draft = scene.tick(ONE, TWO)
    (asked,) = scene.watcher.asked
    assert set(asked) == {*FLOW_COLUMNS, *MORE_COLUMNS}
    assert asked["key"].tolist() == keys(draft.snapshot)
    assert scene.watcher.running


def test_an_answer_is_in_the_next_tick_and_stays(scene: Scene) -> None:
    scene.answer(keys(scene.tick(ONE).snapshot), Attribution.EXACT, CURL)
    for _tick in range(3):
        assert scene.told(scene.tick(ONE)) == [("curl", Attribution.EXACT)]
    assert len(scene.watcher.asked) == 1


def test_a_flow_keeps_the_name_of_a_process_that_has_exited(scene: Scene) -> None:
    found = keys(scene.tick(ONE).snapshot)
    scene.answer(found, Attribution.LISTENER, CURL, final=False)
    scene.answer(found, Attribution.EXITED)
    assert scene.told(scene.tick(ONE)) == [("curl", Attribution.LISTENER)]


def test_a_better_answer_replaces_one_that_was_not_final(scene: Scene) -> None:
    found = keys(scene.tick(ONE).snapshot)
    scene.answer(found, Attribution.LISTENER, CURL, final=False)
    scene.tick(ONE)
    scene.answer(found, Attribution.EXACT, WGET)
    assert scene.told(scene.tick(ONE)) == [("wget", Attribution.EXACT)]


def test_what_is_open_is_asked_for_again_ever_more_seldom(scene: Scene) -> None:
    asked_at_s = []
    for _tick in range(100):
        before = len(scene.watcher.asked)
        scene.tick(ONE)
        if len(scene.watcher.asked) > before:
            asked_at_s.append(scene.now_s)
    gaps = np.diff(asked_at_s)
    assert gaps[:3].tolist() == [1, 1, 2]
    assert gaps[-1] == RETRY_S[1]


def test_nothing_is_asked_for_while_a_question_waits(scene: Scene) -> None:
    scene.watcher.waiting = 1
    scene.tick(ONE)
    assert not scene.watcher.asked
    scene.watcher.waiting = 0
    scene.tick(ONE)
    assert len(scene.watcher.asked) == 1


def test_an_answer_that_comes_before_its_flow_waits_for_it(scene: Scene) -> None:
    later = keys(Scene().tick(ONE).snapshot)
    scene.answer(later, Attribution.EXACT, CURL)
    scene.tick()
    scene.tick(TWO)
    assert scene.told(scene.tick(ONE, TWO)) == [("curl", Attribution.EXACT), (None, Attribution.PENDING)]
    assert [asked["sport"].tolist() for asked in scene.watcher.asked] == [[2], [2]]


def test_an_answer_whose_flow_never_comes_is_dropped(scene: Scene) -> None:
    scene.answer(keys(Scene().tick(ONE).snapshot), Attribution.EXACT, CURL)
    for _tick in range(5):
        scene.tick(TWO)
    assert scene.told(scene.tick(ONE)) == [(None, Attribution.PENDING)]


def test_a_flow_that_closed_before_any_dump_has_what_was_found_at_its_beginning(scene: Scene) -> None:
    closed = Draft(FlowTable().apply(batch(ONE, TWO), moment(100)), None)
    scene.answer(keys(closed.snapshot)[:1], Attribution.EXACT, CURL)
    scene.tick()
    scene.ledger.recall(closed)
    assert scene.told(closed) == [("curl", Attribution.EXACT), (None, Attribution.PENDING)]
    assert not scene.watcher.asked, "who has its ports now is another question"


def test_of_an_answer_for_many_each_flow_gets_its_own_and_the_rest_waits_on(scene: Scene) -> None:
    later = Scene().tick(ONE, TWO).snapshot
    closed = Draft(FlowTable().apply(batch(TWO), moment(100)), None)
    scene.answer(keys(later), Attribution.EXACT, CURL)
    scene.tick()
    for _tick in range(2):
        scene.ledger.recall(closed)
        assert scene.told(closed) == [("curl", Attribution.EXACT)]
    assert scene.told(scene.tick(ONE)) == [("curl", Attribution.EXACT)]


def test_an_answer_that_comes_after_its_flow_has_closed_is_written_to_it(scene: Scene) -> None:
    found = scene.tick(ONE).snapshot
    closed = Draft(found, None)
    scene.tick()
    scene.ledger.recall(closed)
    assert scene.told(closed) == [(None, Attribution.PENDING)]
    scene.answer(keys(found), Attribution.LISTENER, CURL)
    scene.tick()
    scene.ledger.recall(closed)
    assert scene.told(closed) == [("curl", Attribution.LISTENER)]


def test_listening_ports_are_asked_for_every_few_seconds_and_a_change_is_told(scene: Scene) -> None:
    scene.tick(ONE)
    scene.inbox.append(Listening({6: frozenset({80})}))
    scene.tick(ONE)
    assert scene.changed
    assert scene.ledger.listening == {6: frozenset({80})}
    scene.inbox.append(Listening({6: frozenset({80})}))
    scene.tick(ONE)
    assert not scene.changed
    assert scene.watcher.asked_listening == 1
    scene.tick(ONE, seconds=LISTENING_S)
    assert scene.watcher.asked_listening == 2


def test_owners_that_no_flow_has_any_more_are_dropped(scene: Scene) -> None:
    found = keys(scene.tick(ONE, TWO).snapshot)
    scene.answer(found[:1], Attribution.EXACT, CURL)
    scene.answer(found[1:], Attribution.EXACT, WGET)
    scene.tick(ONE, TWO)
    draft = Draft(dataclasses.replace(scene.tick(TWO).snapshot, previous=None), scene.tick(TWO).publish())
    scene.ledger.compact(draft)
    assert scene.ledger.owners.values == [Owner(), WGET]
    assert scene.told(draft) == [("wget", Attribution.EXACT)]


def test_what_is_forgotten_is_found_again(scene: Scene) -> None:
    scene.answer(keys(scene.tick(ONE).snapshot), Attribution.EXACT, CURL)
    scene.tick(ONE)
    scene.ledger.forget()
    assert not scene.watcher.running
    assert len(scene.ledger.owners.values) == 1


def test_an_answer_is_not_taken_for_a_later_flow_that_has_the_same_key(scene: Scene) -> None:
    """The kernel may use a slot again for the same tuple: the key is the same, the start is not."""
    first = dataclasses.replace(ONE, start_ns=1000)
    found = keys(scene.tick(first).snapshot)
    scene.answer(found, Attribution.EXACT, CURL, begun_by_ns=1000)
    later = dataclasses.replace(ONE, start_ns=2000)
    assert keys(scene.tick(later).snapshot) == found
    assert scene.told(scene.tick(later)) == [(None, Attribution.PENDING)]
    assert scene.watcher.asked[-1]["start_ns"].tolist() == [2000]


def test_without_starts_a_connection_that_opens_again_is_asked_for_anew(scene: Scene) -> None:
    scene.answer(keys(scene.tick(ONE).snapshot), Attribution.EXACT, CURL)
    assert scene.told(scene.tick(ONE)) == [("curl", Attribution.EXACT)]
    asked = len(scene.watcher.asked)
    assert scene.told(scene.tick(dataclasses.replace(ONE, state=1))) == [(None, Attribution.PENDING)]
    assert len(scene.watcher.asked) == asked + 1


def test_a_name_is_looked_at_again_after_a_while_and_may_become_another(scene: Scene) -> None:
    found = keys(scene.tick(ONE).snapshot)
    scene.answer(found, Attribution.EXACT, CURL)
    scene.tick(ONE)
    asked = len(scene.watcher.asked)
    scene.tick(ONE, seconds=AGAIN_S - 1)
    assert len(scene.watcher.asked) == asked
    scene.tick(ONE, seconds=20)
    assert len(scene.watcher.asked) == asked + 1
    scene.answer(found, Attribution.EXACT, WGET)
    assert scene.told(scene.tick(ONE)) == [("wget", Attribution.EXACT)]


def test_nobodys_flows_are_asked_for_again_when_this_host_has_other_addresses(scene: Scene) -> None:
    scene.answer(keys(scene.tick(ONE).snapshot), Attribution.FORWARDED)
    scene.tick(ONE)
    asked = len(scene.watcher.asked)
    scene.tick(ONE)
    assert len(scene.watcher.asked) == asked
    scene.tick(ONE, moved=True)
    assert len(scene.watcher.asked) == asked + 1


def test_while_nobody_looks_nothing_is_found(scene: Scene) -> None:
    scene.tick(ONE)
    scene.ledger.rest()
    assert not scene.watcher.running
    scene.tick(ONE)
    assert scene.watcher.running


ALICES, EVES = Owner(pid=20, process="server", uid=1000), Owner(pid=21, process="server", uid=1001)


@pytest.mark.parametrize(
    ("flow", "how", "becomes"),
    [
        (Flow(proto=17, state=None), Attribution.LISTENER, ALICES),
        (Flow(proto=17, state=None), Attribution.EXACT, ALICES),
        (Flow(), Attribution.LISTENER, ALICES),
        (Flow(), Attribution.EXACT, EVES),
    ],
)
def test_a_flow_becomes_another_users_only_with_the_very_connection(
    scene: Scene, flow: Flow, how: Attribution, becomes: Owner
) -> None:
    """Who binds the port of somebody else's server that has gone is not shown its flows."""
    snapshot = scene.tick(flow).snapshot
    scene.answer(keys(snapshot), Attribution.LISTENER, ALICES)
    scene.tick(flow)
    scene.answer(keys(snapshot), how, EVES)
    draft = scene.tick(flow)
    assert scene.ledger.owners.values[draft["owner"][0]] == becomes


def test_a_flow_may_become_another_process_of_the_same_user(scene: Scene) -> None:
    snapshot = scene.tick(ONE).snapshot
    scene.answer(keys(snapshot), Attribution.LISTENER, ALICES)
    scene.tick(ONE)
    scene.answer(keys(snapshot), Attribution.LISTENER, dataclasses.replace(ALICES, pid=22))
    draft = scene.tick(ONE)
    assert scene.ledger.owners.values[draft["owner"][0]].pid == 22
