"""Metrics on stdout: one view after the other is asked for on one connection, and what they say becomes one text.

    flows (totals, table) ─▶ devices ─▶ processes ─▶ countries ─▶ services ─▶ openmetrics

The views are those of one tick or of two that follow one another.
"""

from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from typing import Any, TextIO

from flowtop_client.batch import snapshots
from flowtop_client.connection.link import Link, Unavailable
from flowtop_client.openmetrics import BREAKDOWNS, Group, openmetrics
from flowtop_client.view_state.state import ViewState, query_for
from flowtopd.wire.fields import VIEW_FIELDS
from flowtopd.wire.messages import Query, Snapshot, View


def first_query(state: ViewState) -> Query:
    """What is asked for first: totals and the state of the table, no rows."""
    query = replace(query_for(state), tag=1, view=View.FLOWS, offset=0, limit=0, sort="rate", fields=("id",))
    return replace(query, history=False, closed=False)


async def run(connection: Link, state: ViewState, out: TextIO, *, host: str, once: bool) -> None:
    """Write the metrics of every tick, or of the first one that has rates.

    Raises Refused, Unavailable, and OSError when nobody reads. `connection` has been opened with `first_query`.
    """
    query = first_query(state)
    async with aclosing(snapshots(connection)) as parts:
        while True:
            flows = await _answer(parts, query.tag)
            if once and flows.interval is None:
                continue
            groups: dict[View, list[Group]] = {}
            for breakdown in BREAKDOWNS:
                fields = VIEW_FIELDS[breakdown.view]
                query = replace(query, tag=query.tag + 1, view=breakdown.view, limit=None, fields=fields)
                connection.ask(query)
                answer = await _answer(parts, query.tag)
                groups[breakdown.view] = [dict(zip(fields, row, strict=True)) for row in answer.rows]
            out.write(openmetrics(host, flows, groups))
            out.flush()
            if once:
                return
            query = replace(first_query(state), tag=query.tag + 1)
            connection.ask(query)
            await _answer(parts, query.tag)  # at once, of the tick that was told already


async def _answer(parts: AsyncIterator[Snapshot], tag: int) -> Snapshot:
    """The next whole answer to the query with this tag."""
    rows: list[list[Any]] = []
    async for part in parts:
        if part.tag != tag:
            continue
        rows = [*rows, *part.rows] if part.offset else list(part.rows)
        if not part.more:
            return replace(part, rows=rows)
    raise Unavailable("lost the daemon")
