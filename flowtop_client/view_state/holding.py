"""Keeping the order of rows, and letting it go again. Pure.

Rules: the order is one of the rows that are here, a page before and a page after the screen. It lasts until the user
lets it go or asks for other rows or another order: `settled` forgets it then.
"""

from dataclasses import replace
from typing import Any

from flowtop_client.view_state.held_order import HeldOrder, ordered
from flowtop_client.view_state.state import ViewState, row_key, settled
from flowtopd.wire.messages import Snapshot, View


def held(state: ViewState) -> ViewState:
    """Rows stay where they are from now on."""
    new = state.snapshot
    if new is None or state.outdated:
        return state
    whole = new.offset == 0 and len(new.rows) >= new.status.matched
    return settled(state, replace(state, held=HeldOrder(new.offset, tuple(new.rows), new, whole=whole)))


def released(state: ViewState) -> ViewState:
    """Rows are in the order of the query again, at once."""
    if state.held is None:
        return state
    newest = state.held.newest
    total = newest.status.matched
    offset, cursor = max(0, min(state.offset, total - state.page)), max(0, min(state.cursor, total - 1))
    new = replace(state, held=None, snapshot=newest, total=total, offset=offset, cursor=cursor)
    return settled(state, replace(new, pinned=new.pinned and new.key(cursor)))


def _with_fields(order: HeldOrder, fields: tuple[str, ...]) -> HeldOrder:
    """Rows as those of a snapshot with these fields: other columns may be shown meanwhile."""
    if order.newest.fields == fields:
        return order
    old = [dict(zip(order.newest.fields, row, strict=True)) for row in order.rows]
    return replace(order, rows=tuple([row.get(name) for name in fields] for row in old))


def in_held_order(state: ViewState, snapshot: Snapshot) -> tuple[HeldOrder | None, Snapshot, int]:
    """The order after this snapshot, its rows in it, and how many rows there are in all."""
    if state.held is None or (state.view is View.FLOWS) != (snapshot.view is View.FLOWS):
        return None, snapshot, snapshot.status.matched
    name = row_key(state.view, snapshot.fields)

    def key(row: list[Any]) -> str:
        return str(name(row))

    order = ordered(_with_fields(state.held, snapshot.fields), snapshot, key)
    total = len(order.rows) if order.whole else max(snapshot.status.matched, order.begin + len(order.rows))
    return order, replace(snapshot, offset=order.begin, rows=list(order.rows)), total
