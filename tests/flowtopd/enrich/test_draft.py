import numpy as np
import pytest

from flowtopd.enrich.draft import CARRIED, Draft
from flowtopd.flows.schema import JOINED
from flowtopd.flows.snapshot import Snapshot
from flowtopd.flows.table import FlowTable
from tests.flowtopd.batches import Flow, batch, moment

ONE, TWO, THREE = (Flow(sport=number, ctid=number) for number in (1, 2, 3))


def ticks(*tables: tuple[Flow, ...]) -> list[Snapshot]:
    table = FlowTable()
    return [table.apply(batch(*flows, at_s=at), moment(at)) for at, flows in enumerate(tables)]


def written(snapshot: Snapshot, **values: list[int]) -> Draft:
    draft = Draft(snapshot, None)
    for name, column in values.items():
        draft.write(name, np.arange(snapshot.size), column)
    return draft


def test_at_first_all_flows_are_new_and_nothing_is_known() -> None:
    (snapshot,) = ticks((ONE, TWO))
    draft = Draft(snapshot, None)
    assert draft.new.tolist() == [0, 1]
    assert all(draft[name].tolist() == [0, 0] for name in CARRIED)


def test_what_was_known_moves_with_its_flow() -> None:
    first, second = ticks((ONE, TWO), (THREE, TWO))
    draft = Draft(second, written(first, owner=[7, 8]).publish())
    assert draft.new.tolist() == [0]
    assert draft["owner"].tolist() == [0, 8]


def test_nothing_is_copied_where_nothing_came_or_went() -> None:
    first, second = ticks((ONE, TWO), (ONE, TWO))
    last = written(first, owner=[7, 8]).publish()
    draft = Draft(second, last)
    assert len(draft.new) == 0
    assert draft.publish()["owner"] is last["owner"]


def test_what_another_draft_knew_is_taken_over_and_is_not_new() -> None:
    (alive,), (gone,) = ticks((ONE, TWO, THREE)), ticks((ONE, TWO))
    known = written(alive, owner=[7, 8, 9], due_s=[1, 2, 3]).publish()
    draft = Draft(gone, None)
    draft.bring(np.array([1]), known, np.array([2]))
    assert (draft["owner"].tolist(), draft["due_s"].tolist()) == ([0, 9], [0, 3])
    assert draft.new.tolist() == [0]


def test_a_write_leaves_what_was_published_as_it_was() -> None:
    first, second = ticks((ONE, TWO), (ONE, TWO))
    last = written(first, owner=[7, 8]).publish()
    draft = Draft(second, last)
    draft.write("owner", np.array([1]), 9)
    draft.replace("service", np.array([5, 6]))
    assert (draft["owner"].tolist(), last["owner"].tolist()) == ([7, 9], [7, 8])
    assert (draft["service"].tolist(), last["service"].tolist()) == ([5, 5], [0, 0])


def test_after_an_empty_table_all_flows_are_new() -> None:
    first, second = ticks((), (ONE,))
    assert Draft(second, Draft(first, None).publish()).new.tolist() == [0]


def test_published_columns_are_read_only_and_those_of_the_schema_are_joined() -> None:
    (snapshot,) = ticks((ONE,))
    draft = Draft(snapshot, None)
    draft.publish()
    assert set(draft.joined()) == set(JOINED)
    with pytest.raises(ValueError, match="read-only"):
        draft["owner"][0] = 1
