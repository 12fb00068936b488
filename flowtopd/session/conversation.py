"""What is said in one session, without I/O: messages of the viewer in, messages of the daemon out.

    hello ─▶ receive ─┐                         ┌─▶ welcome
    query ─▶ receive ─┼─ newest query, request ─┼─▶ snapshot (in parts), error for a bad sort or filter
    flow  ─▶ receive ─┤                         ├─▶ detail
    update ▶ receive ─┘   hear, progress ───────┴─▶ progress
                          answers(newest tick, …)

Rules: nothing is queued. A query, a flow request and a complaint each replace the one before, and a tick that was
not asked for in time is never sent: what a session holds does not depend on how fast its viewer reads. While the
viewer has paused, answers come from the tick that it saw last. Of the history a viewer is told what it has not been
told yet, from the first query on that asks for it. Receiving raises RemoteProtocolError for what ends
the session. Of an update the numbers replace one another, the news is kept, up to a limit that no update reaches.
"""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, Final

import numpy as np

from flowtopd.flows.snapshot import Snapshot as FlowSnapshot
from flowtopd.flows.snapshot import Tick
from flowtopd.query.execute import Page, check, execute, rendered
from flowtopd.query.naming import named_addresses
from flowtopd.query.predicate import TooSlowError
from flowtopd.query.rows import parse_flow_id, render
from flowtopd.session.hub import Published
from flowtopd.wire.errors import ErrorCode, RemoteProtocolError
from flowtopd.wire.fields import FLOW_FIELD_NAMES, VIEW_FIELDS
from flowtopd.wire.messages import (
    PROTOCOL_VERSION,
    DaemonMessage,
    Detail,
    Error,
    FlowRequest,
    Hello,
    Progress,
    Query,
    Snapshot,
    Status,
    Update,
    ViewerMessage,
    Welcome,
)

ROWS_A_PART: Final = 500
"""Rows of one frame: about 10 ms of work with all fields, after which other viewers get their turn."""

WantNames = Callable[[list[tuple[int, int]]], None]
"""Told the addresses, as halves of 128 bits, that a viewer sees with names on; must not block."""

_MOST_NEWS: Final = 200
"""Lines about an update that wait for a viewer that does not read."""

_SURVIVABLE: Final = frozenset({ErrorCode.SORT, ErrorCode.FILTER})


class Conversation:
    """The state of one session."""

    def __init__(self, server: str, host: str, want_names: WantNames, *, may_update: bool = False) -> None:
        self._may_update = may_update
        self._welcome = Welcome(PROTOCOL_VERSION, server, host)
        self._want_names = want_names
        self._greeted = False
        self._pending: list[DaemonMessage] = []
        self._complaint: Error | None = None
        self._requested: str | None = None
        self._query: Query | None = None
        self._answered = False
        self._shown: Published | None = None
        self._told_seq = 0
        self._news: deque[Progress] = deque(maxlen=_MOST_NEWS)
        self._amount: Progress | None = None
        self.wants_update = False

    @property
    def greeted(self) -> bool:
        """Whether the viewer has said hello."""
        return self._greeted

    @property
    def interval_s(self) -> float | None:
        """How often the viewer wants a new tick, None when it does not."""
        return None if self._query is None or self._query.paused else self._query.interval

    @property
    def mean_s(self) -> float:
        """Over how many seconds the viewer wants means of the rates in the ticks to come, 0: not."""
        return 0.0 if self._query is None or self._query.paused else self._query.mean

    def receive(self, message: ViewerMessage) -> None:
        """Take what the viewer said. Raises RemoteProtocolError when it may not say that."""
        if isinstance(message, Hello):
            self._greet(message)
        elif not self._greeted:
            raise RemoteProtocolError(ErrorCode.STATE, "hello comes first")
        elif isinstance(message, FlowRequest):
            self._requested = message.id
        elif isinstance(message, Update):
            if not self._may_update:
                raise RemoteProtocolError(ErrorCode.DENIED, "only root and members of the daemon's group may update")
            self.wants_update = True
        else:
            self._ask(message)

    def hear(self, progress: Progress) -> None:
        """Pass on how the update goes that this viewer has asked for."""
        if progress.text or progress.ended is not None:
            self._news.append(progress)
            self._amount = None
        else:
            self._amount = progress

    def _greet(self, hello: Hello) -> None:
        if self._greeted:
            raise RemoteProtocolError(ErrorCode.STATE, "a second hello")
        if hello.version != PROTOCOL_VERSION:
            older = "viewer" if hello.version < PROTOCOL_VERSION else "daemon"
            raise RemoteProtocolError(
                ErrorCode.VERSION,
                f"the viewer speaks protocol {hello.version}, the daemon {PROTOCOL_VERSION}: the {older} is older",
            )
        self._greeted = True
        self._pending.append(self._welcome)

    def _ask(self, query: Query) -> None:
        try:
            check(query)
        except RemoteProtocolError as error:
            if error.code not in _SURVIVABLE:
                raise
            self._complaint = Error(error.code, error.message, error.offset)
            return
        self._complaint = None
        self._query = query
        self._answered = False
        if not query.history:
            self._told_seq = 0

    def answers(self, newest: Published | None, pace_s: float, viewers: int) -> Iterator[DaemonMessage]:
        """Yield what is due now, given what was published last, the pace of ticks and the number of viewers."""
        pending, self._pending = self._pending, []
        yield from pending
        if self._complaint is not None:
            complaint, self._complaint = self._complaint, None
            yield complaint
        while self._news:
            yield self._news.popleft()
        if self._amount is not None:
            amount, self._amount = self._amount, None
            yield amount
        if self._query is None or newest is None:
            return
        source = newest if self._shown is None or not self._query.paused else self._shown
        if self._requested is not None:
            wanted, self._requested = self._requested, None
            yield _detail(source.tick.snapshot, wanted)
        if self._is_due(newest, pace_s):
            self._answered = True
            self._shown = source
            try:
                parts = _snapshots(source, self._query, pace_s, viewers, self._want_names)
                yield replace(next(parts), history=self._history(source))
                yield from parts
            except TooSlowError:
                self._query = None  # until the viewer asks for something else
                yield Error(ErrorCode.FILTER, "the regular expressions take too long on these flows", 0)

    def _history(self, source: Published) -> list[Any] | None:
        """What the viewer has not been told of the history, if it wants it; it is told now."""
        if self._query is None or not self._query.history:
            return None
        news = [one for one in source.history if one.seq > self._told_seq]
        self._told_seq = max(self._told_seq, source.tick.snapshot.seq)
        return [[one.wall_s, one.orig_rate, one.reply_rate] for one in news]

    def _is_due(self, newest: Published, pace_s: float) -> bool:
        if not self._answered or self._shown is None:
            return True
        if self._query is None or self._query.paused:
            return False
        since_s = newest.tick.snapshot.at.monotonic_s - self._shown.tick.snapshot.at.monotonic_s
        # ticks follow the fastest viewer: a slower one takes the tick that is nearest to its own interval
        return since_s > 0 and since_s >= self._query.interval - pace_s / 2


def _snapshots(
    source: Published, query: Query, pace_s: float, viewers: int, want_names: WantNames
) -> Iterator[Snapshot]:
    """Yield the answer to a query in parts of ROWS_A_PART rows, at least one."""
    snapshot = source.tick.snapshot
    results = source.results.looking(query)
    page = execute(results, query)
    status = _status(source.tick, page, pace_s, viewers)
    fields = query.fields or VIEW_FIELDS[query.view]
    if wanted := named_addresses(results, query, page, fields):
        want_names(wanted)
    for start in range(0, max(1, len(page.rows)), ROWS_A_PART):
        end = start + ROWS_A_PART
        yield Snapshot(
            tag=query.tag,
            seq=snapshot.seq,
            time=snapshot.at.wall_s,
            interval=snapshot.interval_s,
            view=query.view,
            status=status,
            totals=page.totals,
            fields=fields,
            offset=page.offset + start,
            rows=rendered(results, query, page.rows[start:end], fields),
            more=end < len(page.rows),
        )


def _status(tick: Tick, page: Page, pace_s: float, viewers: int) -> Status:
    return Status(
        flows=tick.snapshot.size,
        matched=page.matched,
        max=tick.kernel.max,
        accounting=tick.kernel.accounting,
        timestamps=tick.kernel.timestamps,
        tracking=tick.kernel.tracking,
        events_lost=tick.events_lost,
        resets=tick.snapshot.resets,
        tick_seconds=tick.seconds,
        pace=pace_s,
        viewers=viewers,
    )


def _detail(snapshot: FlowSnapshot, flow_id: str) -> Detail:
    key = parse_flow_id(flow_id)
    for table in (snapshot, snapshot.closed):
        if key is not None and table is not None and (row := table.rows_of(np.array([key], np.uint64)))[0] >= 0:
            (values,) = render(table, row, FLOW_FIELD_NAMES)
            return Detail(flow_id, dict(zip(FLOW_FIELD_NAMES, values, strict=True)))
    return Detail(flow_id, None)
