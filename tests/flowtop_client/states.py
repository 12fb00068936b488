"""States as a viewer has them after an answer, for the tests of pure steps."""

from dataclasses import replace
from typing import Any

from flowtop_client.columns.column import needed_fields
from flowtop_client.columns.flows import flow_columns
from flowtop_client.view_state.moves import received
from flowtop_client.view_state.state import ViewState, query_for, settled
from flowtopd.wire.messages import Snapshot
from tests.flowtop_client.scripted_daemon import STATUS, Flow, flow, snapshot_for

FIELDS = needed_fields(flow_columns(source=True))


def answer(state: ViewState, table: list[Flow], *, seq: int = 1, **status: Any) -> Snapshot:
    """What the daemon says to the query of `state`, with `table` in the kernel's table."""
    snapshot = snapshot_for(query_for(state), table, seq, STATUS, 1.0)
    return replace(snapshot, status=replace(snapshot.status, **status)) if status else snapshot


def with_rows(count: int, *, page: int = 10, offset: int = 0, **values: Any) -> ViewState:
    """A state with the answer to its query: `count` TCP flows, flow number 1 the fastest."""
    state = replace(ViewState(fields=FIELDS, host="router"), page=page, **values)
    flows = [flow(number) for number in range(1, count + 1)]
    state = received(state, answer(state, flows))
    moved = settled(state, replace(state, offset=offset, cursor=offset))
    return received(moved, answer(moved, flows))
