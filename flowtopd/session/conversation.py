"""What is said in one session, without I/O: messages of the viewer in, messages of the daemon out.

    hello ─▶ receive ─┐                         ┌─▶ welcome
    query ─▶ receive ─┼─ newest query, request ─┼─▶ snapshot (in parts), error for a bad sort or filter
    flow  ─▶ receive ─┤                         ├─▶ detail, with every tick that is shown
    update ▶ receive ─┤   hear, progress ───────┼─▶ progress
    delete ▶ receive ─┘   hear, done or error ──┴─▶ done, error
    seek  ─▶ receive ─▶ seek                        answers(newest tick, …)

Rules: nothing is queued. A query, a flow request and a complaint each replace the one before, and a tick that was
not asked for in time is never sent: what a session holds does not depend on how fast its viewer reads. While the
viewer has paused, answers come from the tick that it saw last. Of the history a viewer is told what it has not been
told yet, from the first query on that asks for it. Receiving raises RemoteProtocolError for what ends
the session. Of an update the numbers replace one another, the news is kept, up to a limit that no update reaches. What
became of `delete` and `kill` is kept too, up to a limit that nobody reaches who reads.
"""

from collections import deque
from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from typing import Any, Final

from flowtopd.flows.snapshot import Tick
from flowtopd.query.details import addresses, details, ends
from flowtopd.query.execute import Page, check, execute, rendered
from flowtopd.query.naming import named_addresses
from flowtopd.query.predicate import TooSlowError
from flowtopd.query.rows import parse_flow_id, row_of
from flowtopd.session.hub import Published
from flowtopd.wire.errors import ErrorCode, RemoteProtocolError
from flowtopd.wire.fields import VIEW_FIELDS
from flowtopd.wire.messages import (
    MAX_SPEED,
    MIN_SPEED,
    PROTOCOL_VERSION,
    DaemonMessage,
    Delete,
    Detail,
    Done,
    Error,
    FlowRequest,
    Hello,
    Kill,
    Progress,
    Query,
    Right,
    Seek,
    Snapshot,
    Status,
    Update,
    ViewerMessage,
    Welcome,
    Whose,
)

ROWS_A_PART: Final = 500
"""Rows of one frame: about 10 ms of work with all fields, after which other viewers get their turn."""

MOST_NAMED: Final = 4000
"""Rows of one answer whose names are looked up: fewer than the resolver remembers, so that it comes to an end."""

WantNames = Callable[[list[tuple[int, int]]], None]
"""Told the addresses, as halves of 128 bits, that a viewer sees with names on; must not block."""

TakeSeek = Callable[[Seek], None]
"""Told what a viewer wants of the recording that is shown."""

_MOST_NEWS: Final = 200
"""Lines about an update that wait for a viewer that does not read."""

_MOST_ENDS: Final = 16
"""Answers to `delete` and `kill` that wait for it."""

MOST_SECONDS: Final = 1_000_000_000
"""Farthest that one seek may go."""

_SURVIVABLE: Final = frozenset({ErrorCode.SORT, ErrorCode.FILTER})


class Conversation:
    """The state of one session. `admit` is called at the hello; where no place is left, it raises."""

    def __init__(
        self,
        server: str,
        host: str,
        want_names: WantNames,
        may: Collection[Right] = (),
        *,
        seek: TakeSeek | None = None,
        whose: Whose = Whose.ALL,
        admit: Callable[[], None] = lambda: None,
    ) -> None:
        self._may = may
        self._seek = seek
        self._admit = admit
        self._welcome = Welcome(PROTOCOL_VERSION, server, host, tuple(may), whose)
        self._want_names = want_names
        self._greeted = False
        self._pending: list[DaemonMessage] = []
        self._complaint: Error | None = None
        self._watched = ""
        self._is_asked = False
        self._query: Query | None = None
        self._answered = False
        self._shown: Published | None = None
        self._told_seq = 0
        self._news: deque[Progress] = deque(maxlen=_MOST_NEWS)
        self._amount: Progress | None = None
        self._ends: deque[Done | Error] = deque(maxlen=_MOST_ENDS)
        self.wants_update = False
        self.wants_act: Delete | Kill | None = None

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

    @property
    def watched(self) -> int | None:
        """The key of the flow whose details the viewer has open, or had until it was gone."""
        return parse_flow_id(self._watched)

    def has_asked(self) -> bool:
        """Return whether the viewer waits for an answer to what it has said, not only for the next tick."""
        unanswered = self._query is not None and not self._answered
        return unanswered or self._is_asked or self._complaint is not None or bool(self._pending)

    def receive(self, message: ViewerMessage) -> None:
        """Take what the viewer said. Raises RemoteProtocolError when it may not say that."""
        if isinstance(message, Hello):
            self._greet(message)
        elif not self._greeted:
            raise RemoteProtocolError(ErrorCode.STATE, "hello comes first")
        elif isinstance(message, FlowRequest):
            self._watched, self._is_asked = message.id, True
        elif isinstance(message, Delete | Kill):
            self.wants_act = message
        elif isinstance(message, Update):
            if Right.UPDATE not in self._may:
                raise RemoteProtocolError(ErrorCode.DENIED, "only root and members of the daemon's group may update")
            self.wants_update = True
        elif isinstance(message, Seek):
            if self._seek is None:
                raise RemoteProtocolError(ErrorCode.STATE, "there is no recording to seek in")
            _check_seek(message)
            self._seek(message)
        else:
            self._ask(message)

    def hear(self, told: Progress | Done | Error) -> None:
        """Pass on how the update goes that this viewer has asked for, or what became of its `delete` or `kill`."""
        if not isinstance(told, Progress):
            self._ends.append(told)
        elif told.text or told.ended is not None:
            self._news.append(told)
            self._amount = None
        else:
            self._amount = told

    def _greet(self, hello: Hello) -> None:
        if self._greeted:
            raise RemoteProtocolError(ErrorCode.STATE, "a second hello")
        if hello.version != PROTOCOL_VERSION:
            older = "viewer" if hello.version < PROTOCOL_VERSION else "daemon"
            raise RemoteProtocolError(
                ErrorCode.VERSION,
                f"the viewer speaks protocol {hello.version}, the daemon {PROTOCOL_VERSION}: the {older} is older",
            )
        self._admit()
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
        """Yield what is due now, given what was published last, the pace of ticks and the number of viewers.

        The parts of a snapshot come last, or an error in their place.
        """
        pending, self._pending = self._pending, []
        yield from pending
        if self._complaint is not None:
            complaint, self._complaint = self._complaint, None
            yield complaint
        for waiting in (self._news, self._ends):
            while waiting:
                yield waiting.popleft()
        if self._amount is not None:
            amount, self._amount = self._amount, None
            yield amount
        if self._query is None or newest is None:
            return
        source = self._source(newest)
        is_due = self._is_due(newest, pace_s)
        if self._watched and (self._is_asked or is_due):
            self._is_asked = False
            detail = _detail(source, self._watched, self._query, self._want_names)
            self._watched = self._watched if detail.flow else ""
            yield detail
        if is_due:
            self._answered = True
            self._shown = source
            try:
                parts = _snapshots(source, self._query, pace_s, viewers, self._want_names)
                yield replace(next(parts), history=self._history(source))
                yield from parts
            except TooSlowError:
                self._query = None  # until the viewer asks for something else
                yield Error(ErrorCode.FILTER, "the regular expressions take too long on these flows", 0)

    def shown(self, newest: Published | None) -> Published | None:
        """Return the tick that the viewer sees, given what was published last."""
        return self._shown or newest

    def _source(self, newest: Published) -> Published:
        """The tick that answers come from."""
        return newest if self._shown is None or self._query is None or not self._query.paused else self._shown

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
        if newest.tick.jumps != self._shown.tick.jumps:
            return True
        since_s = newest.tick.snapshot.at.monotonic_s - self._shown.tick.snapshot.at.monotonic_s
        # ticks follow the fastest viewer: a slower one takes the tick that is nearest to its own interval
        return since_s > 0 and since_s >= self._query.interval - pace_s / 2


def _check_seek(seek: Seek) -> None:
    """Raise RemoteProtocolError when the values of a well-formed seek make no sense; NaN is in no range."""
    if not -MOST_SECONDS <= seek.seconds <= MOST_SECONDS:
        raise RemoteProtocolError(ErrorCode.FIELD, f"seek: seconds are from -{MOST_SECONDS} to {MOST_SECONDS}")
    if seek.speed is not None and not MIN_SPEED <= seek.speed <= MAX_SPEED:
        raise RemoteProtocolError(ErrorCode.FIELD, f"seek: speed is from {MIN_SPEED} to {MAX_SPEED:.0f}")


def _snapshots(
    source: Published, query: Query, pace_s: float, viewers: int, want_names: WantNames
) -> Iterator[Snapshot]:
    """Yield the answer to a query in parts of ROWS_A_PART rows, at least one."""
    snapshot = source.tick.snapshot
    results = source.results.looking(query)
    page = execute(results, query)
    status = _status(source.tick, page, pace_s, viewers)
    fields = query.fields or VIEW_FIELDS[query.view]
    for start in range(0, max(1, len(page.rows)), ROWS_A_PART):
        end = start + ROWS_A_PART
        if start < MOST_NAMED and (
            wanted := named_addresses(results, query, page.rows[start:end], fields, first=start == 0)
        ):
            want_names(wanted)
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
            replay=source.tick.replay,
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
        uncounted=page.uncounted,
        frozen=page.offloaded if tick.kernel.freezes else 0,
        places=tick.places,
        events=tick.events,
    )


def _detail(source: Published, flow_id: str, query: Query, want_names: WantNames) -> Detail:
    """What is known of a flow, also of one that has closed lately."""
    for table in (source.tick.snapshot, source.tick.snapshot.closed):
        row = None if table is None else row_of(table, flow_id)
        if table is None or row is None:
            continue
        if query.names:
            want_names(addresses(table, row))
        history = [list(point) for point in source.rates.of(table, row)]
        return Detail(flow_id, details(table, row, query), ends(table, row, query), history)
    return Detail(flow_id, None)
