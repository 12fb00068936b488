"""Snapshots of several hosts as one. Pure: a query, what each host answered, one answer out.

    router  ▸ 9M 5M 1M …  ─┐                    host    …  RATE
    ap      ▸ 7M 2M …     ─┴▶ 9M 7M 5M 2M 1M    router       9M
                                                ap           7M

Rules:
- Each host is asked for its rows from the first one on to the end of the window: no row of the window can come from
  further behind. The daemons sort; here sorted rows are merged, by the field that they were sorted by, which is asked
  for too. So rows of one host never change their order, and what is unknown comes last, as at a daemon.
- A row begins with its host, in a field of that name; groups stay groups of one host.
- Totals and amounts of the table are sums, of what is known; a limit is known where it is for all hosts.
- Rates of the whole line are added up by how long ago they were: the clocks of two hosts need not agree.
"""

import heapq
import ipaddress
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any, Final

from flowtop_client.several import HOST_FIELD, Merged
from flowtopd.wire.fields import SORT_SUMS, VIEW_FIELDS
from flowtopd.wire.messages import Query, Snapshot, Status, Totals

_ADDRESSES: Final = frozenset({"src", "dst", "reply_src", "reply_dst", "address"})
_HISTORY: Final = 600
"""Points of the line that are told at most."""

Row = list[Any]


def _parts(sort: str) -> tuple[str, ...]:
    return SORT_SUMS.get(sort, (sort,))


def asked_fields(query: Query) -> tuple[str, ...]:
    """The fields that a host is asked for: those of the query, then what is needed to merge."""
    wanted = query.fields or VIEW_FIELDS[query.view]
    return tuple(dict.fromkeys((*wanted, *_parts(query.sort))))


def query_of_host(query: Query) -> Query:
    """What each host is asked."""
    limit = None if query.limit is None else query.offset + query.limit
    return replace(query, offset=0, limit=limit, fields=asked_fields(query))


def merged(query: Query, answers: Mapping[str, Snapshot], *, seq: int, time: float) -> Merged:
    """The answers to `query_of_host`, by host, as one answer. There is at least one."""
    wanted = query.fields or VIEW_FIELDS[query.view]
    statuses = [answer.status for answer in answers.values()]
    status = _status(statuses)
    end = None if query.limit is None else query.limit
    offset = query.offset if end is None else min(query.offset, max(0, status.matched - end))
    key = _key(asked_fields(query), query.sort, descending=query.descending)
    # a host that answers an older query has other fields, and is left out before this is called
    sources = [[[host, *row] for row in answer.rows] for host, answer in answers.items()]
    rows = heapq.merge(*sources, key=lambda row: key(row[1:]), reverse=query.descending)
    intervals = [answer.interval for answer in answers.values()]
    known = [interval for interval in intervals if interval is not None]
    width = 1 + len(wanted)
    return Merged(
        tag=query.tag,
        seq=seq,
        time=time,
        interval=max(known) if len(known) == len(intervals) else None,
        view=query.view,
        status=status,
        totals=_totals([answer.totals for answer in answers.values()]),
        fields=(HOST_FIELD, *wanted),
        offset=offset,
        rows=[row[:width] for row in islice(rows, offset, None if end is None else offset + end)],
        hosts=tuple(zip(answers, statuses, strict=True)),
    )


def _key(fields: Sequence[str], sort: str, *, descending: bool) -> Callable[[Row], tuple[bool, Any]]:
    """What a row is merged by; the unknown is the last one in both directions."""
    places = [fields.index(name) for name in _parts(sort)]
    comparable = _number_of_address if sort in _ADDRESSES else _as_it_is

    def key(row: Row) -> tuple[bool, Any]:
        values = [row[place] for place in places]
        if None in values:
            return not descending, 0
        value = values[0] if len(values) == 1 else sum(values)
        return descending, comparable(value)

    return key


def _as_it_is(value: Any) -> Any:
    return "|".join(value) if isinstance(value, list) else value


def _number_of_address(value: str) -> int:
    try:
        address = ipaddress.ip_address(value)
    except ValueError:
        return 0
    # as the daemon holds it: IPv4 mapped into IPv6
    return int(address) | (0xFFFF << 32 if address.version == 4 else 0)


def _status(statuses: Sequence[Status]) -> Status:
    limits = [status.max for status in statuses if status.max is not None]
    tracking = {status.tracking for status in statuses}
    return Status(
        flows=sum(status.flows for status in statuses),
        matched=sum(status.matched for status in statuses),
        max=sum(limits) if len(limits) == len(statuses) else None,
        accounting=all(status.accounting for status in statuses),
        timestamps=all(status.timestamps for status in statuses),
        tracking=True if True in tracking else None if None in tracking else False,
        events_lost=sum(status.events_lost for status in statuses),
        resets=sum(status.resets for status in statuses),
        tick_seconds=max(status.tick_seconds for status in statuses),
        pace=max(status.pace for status in statuses),
        viewers=max(status.viewers for status in statuses),
    )


def _sum(values: Sequence[float | None]) -> Any:
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def _totals(totals: Sequence[Totals]) -> Totals:
    names = ("orig_rate", "reply_rate", "orig_bytes", "reply_bytes")
    return Totals(*(_sum([getattr(each, name) for each in totals]) for name in names))


def past(answers: Sequence[Snapshot], *, time: float, step_s: float) -> list[Any]:
    """How the rates of the whole line have been, by the histories of all hosts, in steps of `step_s` before `time`."""
    steps: dict[int, list[Any]] = {}
    for answer in answers:
        latest: dict[int, Any] = {}
        for at, orig, reply in answer.history or ():
            latest[round((answer.time - at) / step_s)] = (orig, reply)
        for age, rates in latest.items():
            steps.setdefault(age, []).append(rates)
    ages = sorted((age for age in steps if 0 <= age < _HISTORY), reverse=True)
    return [[time - age * step_s, *(_sum(rates) for rates in zip(*steps[age], strict=True))] for age in ages]


def present(newest: Sequence[Sequence[Any]], *, time: float) -> list[Any]:
    """The newest point of the line, from that of each host."""
    if not newest:
        return []
    return [[time, _sum([point[1] for point in newest]), _sum([point[2] for point in newest])]]
