"""Several daemons as if they were one: a link that asks all of them, and puts together what they answer.

    ask(query) ──▶ router, ap, …     each for its rows up to the end of the window
                   ◀── snapshots     ──▶ one merged snapshot, when all have told something new
    watch(flow@router) ──▶ router    what is meant for one flow goes to its host
    events() ──▶ Members             which hosts are gone, and why, whenever that changes

Rules:
- A merged snapshot has rows that answer one query. It waits for every host that is there, but for none that is later
  than `LATE_S`: then it is made when one of the others tells something for the second time.
- The rows of a host that is gone are gone: sums are those of what is known now. Down is told when all are gone.
- With `whole`, no host may be missing: `open` fails where one does, and the first loss is a Down, for output that
  somebody counts with.
- A mistake in a query is told once, not by each of them.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import Any, Final

from flowtop_client.connection.link import (
    Connection,
    Down,
    Event,
    Members,
    Target,
    Unavailable,
    Up,
    named,
)
from flowtop_client.connection.merging import merged, past, present, query_of_host
from flowtop_client.several import HOST_FIELD, Member, Merged, at_host, split
from flowtopd.wire.messages import Delete, Detail, Done, Error, Kill, Query, Seek, Snapshot

LATE_S: Final = 0.5
_SILENT_PACES: Final = 3
_SILENT_S: Final = 5.0
_NO_NEWS: Final = "no news for a while"
_NAMED: Final = 3
"""So many hosts are named in a title."""
_QUERIES: Final = 64
"""Queries that may still be answered."""


@dataclass(slots=True)
class _Host:
    """One of the hosts, and what it has told. Mutable."""

    name: str
    connection: Connection
    trouble: str = ""
    may: tuple[str, ...] = ()
    begun: Snapshot | None = None
    """The parts of a window that are here, before it is whole."""
    answer: Snapshot | None = None
    fresh: bool = False
    """Whether the answer is in no merged snapshot yet."""
    heard: float = 0.0
    history: list[Any] = field(default_factory=list)
    news: bool = False
    """Whether the last point of the history has not been told."""

    def member(self, *, silent: bool) -> Member:
        """How it stands with this host."""
        return Member(self.name, self.trouble or (_NO_NEWS if silent else ""), self.may)


class Many:
    """A link to several daemons. `targets` are by the names of their hosts."""

    def __init__(
        self,
        targets: Sequence[tuple[str, Target]],
        query: Query,
        *,
        whole: bool = False,
        wall: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._hosts = [_Host(name, Connection(target, query_of_host(query))) for name, target in targets]
        self._whole = whole
        self._wall = wall
        self._monotonic = monotonic
        self._query = query
        self._queries = {query.tag: query}
        self._asked = monotonic()
        self._seq = 0
        self._told_past = False
        self._members: Members | None = None
        self._mistakes: set[Error] = set()

    @property
    def target(self) -> None:
        """There is none that somebody else could connect to."""
        return

    @property
    def _title(self) -> str:
        if len(self._hosts) > _NAMED:
            return f"{len(self._hosts)} hosts"
        return ", ".join(host.name for host in self._hosts)

    def _there(self) -> list[_Host]:
        return [host for host in self._hosts if not host.trouble]

    async def open(self) -> Up:
        """Connect to all. Raises Unavailable where none is there, or one is missing that must not be."""
        tries = await asyncio.gather(*(self._open(host) for host in self._hosts))
        wrong = [error for error in tries if error is not None]
        if wrong and (self._whole or not self._there()):
            await self.close()
            raise wrong[0]
        return self._up()

    async def _open(self, host: _Host) -> Unavailable | None:
        try:
            up = await host.connection.open()
        except Unavailable as error:
            host.trouble = _gone(host, error.what)
            return named(host.name, error)
        host.may, host.heard = up.may, self._monotonic()
        return None

    def _up(self) -> Up:
        return Up(self._title, "", tuple(sorted({right for host in self._there() for right in host.may})))

    def ask(self, query: Query) -> None:
        """Want this from now on, from all of them."""
        self._query = query
        self._queries[query.tag] = query
        while len(self._queries) > _QUERIES:
            del self._queries[next(iter(self._queries))]
        self._asked = self._monotonic()
        self._mistakes.clear()
        for host in self._hosts:
            host.fresh = False
            host.connection.ask(query_of_host(query))

    def watch(self, flow: str) -> None:
        """Want the details of this flow from its host, from the others none."""
        name, at = split(flow)
        for host in self._hosts:
            host.connection.watch(name if host.name == at else "")

    def tell(self, message: Delete | Kill | Seek) -> None:
        """Say this to the host of the flow; what is about no flow to all."""
        name, at = ("", "") if isinstance(message, Seek) else split(message.id)
        for host in self._hosts:
            if isinstance(message, Seek):
                host.connection.tell(message)
            elif host.name == at:
                host.connection.tell(replace(message, id=name))

    async def events(self) -> AsyncGenerator[Event, None]:
        """What happens at all of them."""
        came: asyncio.Queue[tuple[_Host, Event]] = asyncio.Queue(1)
        async with asyncio.TaskGroup() as tasks:
            following = [tasks.create_task(_follow(host, came)) for host in self._hosts]
            try:
                for members in self._muster():
                    yield members
                while True:
                    for event in self._take(*await came.get()):
                        yield event
            except GeneratorExit:
                pass  # a group would make an error of it
            finally:
                for task in following:
                    task.cancel()

    def _take(self, host: _Host, event: Event) -> Iterator[Event]:
        """Something came from a host."""
        host.heard = self._monotonic()
        ahead = host.fresh or host.answer is None  # one that joins is shown at once
        match event:
            case Snapshot():
                if not self._keep(host, event):
                    return
            case Up() | Down():
                ahead = isinstance(event, Down)  # its rows go at once
                yield from self._with(host, event) if isinstance(event, Up) else self._without(host, event)
            case Error():
                if event not in self._mistakes:
                    self._mistakes.add(event)
                    yield event
                return
            case _:
                yield from _of_flow(host, event)
                return
        yield from self._muster()
        if (snapshot := self._merged(again=ahead)) is not None:
            yield snapshot

    def _keep(self, host: _Host, part: Snapshot) -> bool:
        """Keep what a host has told; tell whether it is whole."""
        if (answer := _joined(host, part)) is None:
            return False
        host.answer, host.fresh = answer, True
        if answer.history:
            host.history, host.news = [*host.history, *answer.history][-1 if self._told_past else 0 :], True
        return True

    def _with(self, host: _Host, event: Up) -> Iterator[Event]:
        """A host is there."""
        first = not self._there()
        host.trouble, host.may, host.history = "", event.may, []
        if first:
            yield self._up()

    def _without(self, host: _Host, event: Down) -> Iterator[Event]:
        """A host is gone."""
        host.trouble = _gone(host, event.why, forever=event.forever)
        host.answer = host.begun = None
        host.fresh, host.may = False, ()
        if self._whole or not self._there():
            wrong = named(host.name, Unavailable(event.why, event.hint))
            yield Down(wrong.what, wrong.hint, event.forever)

    def _muster(self) -> Iterator[Members]:
        """How it stands with all hosts, where that is news."""
        now = self._monotonic()
        members = Members(tuple(host.member(silent=self._is_silent(host, now)) for host in self._hosts))
        if members != self._members:
            self._members = members
            yield members

    def _is_silent(self, host: _Host, now: float) -> bool:
        """Whether it should have told something by now."""
        pace = max(self._query.interval, host.answer.status.pace if host.answer else 0.0)
        return not self._query.paused and now - host.heard > max(_SILENT_S, _SILENT_PACES * pace)

    def _merged(self, *, again: bool) -> Merged | None:
        """One snapshot of what is here, where it is time for it; `again`: a host is ahead of the others."""
        there = self._there()
        if not any(host.answer for host in there) or not (again or any(host.fresh for host in there)):
            return None
        tags = {host.answer.tag if host.answer else None for host in there}
        if len(tags) == 1:
            if not again and not all(host.fresh for host in there):
                return None
        elif self._whole or not again or self._monotonic() - self._asked < LATE_S:
            return None
        tag = max(host.answer.tag for host in there if host.answer)
        told = [host for host in there if host.answer and host.answer.tag == tag]
        if (query := self._queries.get(tag)) is None:
            return None
        self._seq += 1
        for host in told:
            host.fresh = False
        now = self._wall()
        answers = {host.name: host.answer for host in told if host.answer}
        return replace(
            merged(query, answers, seq=self._seq, time=now),
            history=self._line(told, query, now) if query.history else None,
        )

    def _line(self, hosts: Sequence[_Host], query: Query, now: float) -> list[Any]:
        """What there is to tell about the rates of the whole line."""
        if not self._told_past:
            self._told_past = True
            known = [replace(host.answer, history=host.history) for host in hosts if host.answer]
            line = past(known, time=now, step_s=query.interval)
        elif any(host.news for host in hosts):
            line = present([host.history[-1] for host in hosts if host.history], time=now)
        else:
            line = []
        for host in hosts:
            host.news, host.history = False, host.history[-1:]
        return line

    async def close(self) -> None:
        """Leave all of them."""
        for host in self._hosts:
            await host.connection.close()


def _of_flow(host: _Host, event: Event) -> Iterator[Event]:
    """News of one flow, called as it is among those of several hosts."""
    match event:
        case Detail():
            flow = None if event.flow is None else {HOST_FIELD: host.name, **event.flow}
            yield replace(event, id=at_host(event.id, host.name), flow=flow)
        case Done():
            yield replace(event, id=at_host(event.id, host.name), text=f"{host.name}: {event.text}")


async def _follow(host: _Host, came: asyncio.Queue[tuple[_Host, Event]]) -> None:
    async with aclosing(host.connection.events()) as events:
        async for event in events:
            await came.put((host, event))


def _joined(host: _Host, part: Snapshot) -> Snapshot | None:
    """The whole window, when its last part is here."""
    begun = host.begun
    if begun is not None and (begun.tag, begun.seq, begun.offset + len(begun.rows)) == (
        part.tag,
        part.seq,
        part.offset,
    ):
        part = replace(part, offset=begun.offset, rows=begun.rows + part.rows, history=begun.history)
    host.begun = part if part.more else None
    return None if part.more else part


def _gone(host: _Host, why: str, *, forever: bool = False) -> str:
    """Why it is not here, without its name."""
    why = why.removeprefix(f"{host.name}: ")
    return f"gone: start flowtop again: {why}" if forever else f"gone: {why}: reconnecting…"
