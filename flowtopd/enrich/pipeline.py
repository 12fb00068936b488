"""The enrichers in their order, once a tick: a snapshot in, the same with its joined columns and dimensions out.

    Snapshot ─▶ Draft       what was known of each flow a tick ago
              ─▶ Directory   addresses: what they are to this host, device, place, name
              ─▶ direction, local end
              ─▶ Ledger      process
              ─▶ services    which side is the service, and its name
              ─▶ own         lookups of the daemon itself
              ─▶ Attachments helper and labels of flows whose details are open
              ─▶ Snapshot

Flows that close go on in a draft of their own, with all that was known of them; those that lived and died between two
ticks take the same way there, once.

Nothing here waits for an answer: what comes late is in the next tick. Only rows that are new are worked on, and all of
them when something has changed that concerns all: the addresses of this host, the ports on which somebody listens.
"""

import os
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from flowtopd.enrich.attached import Attachments
from flowtopd.enrich.directory import Directory
from flowtopd.enrich.draft import Columns, Draft, Rows
from flowtopd.enrich.process.endings import Endings
from flowtopd.enrich.process.ledger import Ledger
from flowtopd.enrich.rdns.hostname import Address
from flowtopd.enrich.services import Names, sides
from flowtopd.flows.closed import ClosedFlows
from flowtopd.flows.dimensions import Dimensions, Direction, Where
from flowtopd.flows.names import TCP, UDP
from flowtopd.flows.snapshot import Snapshot
from flowtopd.wire.messages import Events

DNS: Final = 53

_POINTERS: Final = ("src_at", "dst_at", "reply_src_at", "reply_dst_at", "local_at")
_ROOM: Final = 16_384
_AT_ONCE: Final = 16_384
_PORTIONS: Final = 8
"""Flows whose addresses are looked up at a time, at least, and in how many portions, at most: all of a first tick at
once would take 290 bytes a flow more."""

_RECORDS_A_FLOW: Final = 17
"""At most: four addresses, each with a name, a place and a device, and a process."""


class Pipeline:
    """Enriches one snapshot after the other. Belongs to the thread that ticks, but for `want_names`.

    With `closed`, snapshots have the flows that have closed; `endings` says how they ended.
    """

    def __init__(
        self,
        directory: Directory,
        ledger: Ledger,
        services: Names,
        pid: int = os.getpid(),
        *,
        closed: ClosedFlows | None = None,
        endings: Endings | None = None,
        attachments: Attachments | None = None,
    ) -> None:
        self._directory = directory
        self._ledger = ledger
        self._services = services
        self._pid = pid
        self._closed = closed
        self._endings = Endings() if endings is None else endings
        self._attachments = Attachments() if attachments is None else attachments
        self._last: Columns | None = None
        self._last_closed: Columns | None = None
        self._last_snapshot: Snapshot | None = None
        self._compact_at = _ROOM
        self._renamed = False

    @property
    def events_lost(self) -> int:
        """How many events of flows nobody has looked at."""
        return self._ledger.lost

    @property
    def places(self) -> tuple[str, ...] | None:
        """What the databases can tell of an address; None before they were asked."""
        return self._directory.known_of_places

    @property
    def events(self) -> Events:
        """Whether there are events of flows."""
        return self._ledger.events

    def want_names(self, addresses: Iterable[Address]) -> None:
        """Have these addresses resolved. For any thread; does not block."""
        self._directory.want_names(addresses)

    def enrich(self, snapshot: Snapshot, watched: Collection[int] = ()) -> Snapshot:
        """Return the snapshot with all that is known by now.

        `watched`: keys of flows whose details somebody has open.
        """
        last = self._last_snapshot
        if last is not None and snapshot.seq != last.seq + 1:
            self._last = last = None
        draft = Draft(snapshot, self._last)
        closed = self._draft_closed(snapshot, last)
        for one in (draft, *closed):
            _locate(one, self._directory)
        everything = np.arange(snapshot.size)
        moved = self._directory.learn()
        _face(draft, everything if moved else draft.new, self._directory.columns["where"])
        changed = self._ledger.settle(draft, moved=moved)
        renamed, self._renamed = self._renamed, False
        self._serve(draft, everything if moved or changed or renamed else draft.new)
        self._tag_own(draft)
        for one in closed:
            self._enrich_closed(one, renamed=renamed)
        self._compact(draft, *closed)
        self._last, self._last_snapshot = draft.publish(), snapshot
        dimensions = Dimensions(
            self._directory.columns,
            self._directory.names,
            self._directory.places,
            self._directory.devices,
            self._ledger.owners.values,
            self._services.texts,
        )
        attached = self._attachments.of(snapshot, watched)
        gone = None
        for one in closed:
            self._last_closed = one.publish()
            gone = replace(_joined(one, dimensions), attached=attached)
        return replace(_joined(draft, dimensions), closed=gone, attached=attached)

    def _draft_closed(self, snapshot: Snapshot, last: Snapshot | None) -> tuple[Draft, ...]:
        """The flows that have closed, with what was known of them while they lived; nothing where they are not kept."""
        if self._closed is None:
            return ()
        closing = self._closed.follow(snapshot, last, self._endings.take(snapshot.at.monotonic_s))
        draft = Draft(closing.snapshot, self._last_closed)
        if self._last is not None:
            draft.bring(closing.came, self._last, closing.at)
        return (draft,)

    def _enrich_closed(self, closed: Draft, *, renamed: bool) -> None:
        """Find out what can be known of flows that no dump has had, and take what came too late for others.

        `renamed`: the ids of services are those of other names than at the last tick.
        """
        _face(closed, closed.new, self._directory.columns["where"])
        self._ledger.recall(closed)
        self._serve(closed, np.arange(closed.snapshot.size) if renamed else closed.new)
        if len(closed.new):
            self._tag_own(closed)

    def _serve(self, draft: Draft, rows: Rows) -> None:
        if len(rows):
            names = ("proto", "sport", "dport", "reply_sport", "has")
            flows = {name: draft.flows[name][rows] for name in names}
            where = self._directory.columns["where"]
            src_here, dst_here = (where[draft[at][rows]] == Where.HOST for at in ("src_at", "reply_src_at"))
            found = sides(flows, src_here, dst_here, self._ledger.listening, self._services)
            draft.write("service", rows, found.service)
            draft.write("service_port", rows, found.port)
            draft.write("service_by", rows, found.by)

    def _tag_own(self, draft: Draft) -> None:
        """Mark the flows of this very process, and those of its lookups that were over before anybody could see whose.

        The latter are queries that began while a lookup of ours ran that was answered at once. Of a slow one the socket
        is still there when its flow is seen.
        """
        ours = np.array([owner.pid == self._pid for owner in self._ledger.owners.values])
        own = ours[draft["owner"]]
        flows = draft.flows
        unnamed = draft["owner"] == 0
        unnamed &= (draft["direction"] == Direction.OUTBOUND) & (flows["dport"] == DNS)
        rows = np.flatnonzero(unnamed & ((flows["proto"] == UDP) | (flows["proto"] == TCP)))
        if len(rows):
            own[rows] |= _within(flows["start_ns"][rows], self._directory.own_lookups())
            own[rows] |= draft["own"][rows]  # what a lookup explains once is not explained again when it is forgotten
        changed = np.flatnonzero(own != draft["own"])
        draft.write("own", changed, own[changed])

    def _compact(self, *drafts: Draft) -> None:
        """Drop the records that no flow points at any more, when they are more than those in use.

        After a storm they go, too: there are never more than twice those that the flows of now can have, and _ROOM.
        """
        flows = sum(draft.snapshot.size for draft in drafts)
        limit = min(self._compact_at, 2 * _RECORDS_A_FLOW * flows + _ROOM)
        if self._records() < limit:
            return
        used = np.zeros(self._directory.size, np.bool_)
        for draft in drafts:
            for at in _POINTERS:
                used[draft[at]] = True
        mapping = self._directory.compact(used, urgent=self._records() >= 2 * limit)
        if mapping is None:
            return
        for draft in drafts:
            for at in _POINTERS:
                draft.replace(at, mapping)
        self._ledger.compact(*drafts)
        self._compact_at = 2 * self._records() + _ROOM

    def _records(self) -> int:
        return self._directory.records + len(self._ledger.owners.values)

    def rest(self) -> None:
        """Find nothing until the next snapshot: nobody looks just now."""
        self._ledger.rest()

    def forget(self) -> None:
        """Stop what runs and drop what is known."""
        self._ledger.forget()
        self._directory.forget()
        self._attachments.forget()
        self._endings.clear()
        if self._closed is not None:
            self._closed.forget()
        self._last = self._last_closed = self._last_snapshot = None
        self._compact_at = _ROOM

    def reload(self, names: Names, files: Sequence[Path], directories: Sequence[Path]) -> None:
        """Go on with these names of services, and look for databases of places there."""
        self._services = names
        self._renamed = True
        self._directory.look_in(files, directories)

    def close(self) -> None:
        """End all threads."""
        self._ledger.forget()
        self._attachments.forget()
        self._directory.close()


def _joined(draft: Draft, dimensions: Dimensions) -> Snapshot:
    """The snapshot of a draft, with what the draft says."""
    taken = draft.snapshot
    return replace(taken, columns=taken.columns | draft.joined(), dimensions=dimensions)


def _locate(draft: Draft, directory: Directory) -> None:
    """Give every new flow the rows of its addresses."""
    # each time the table of addresses is copied, so that it is not to be too often
    at_once = max(_AT_ONCE, -(-len(draft.new) // _PORTIONS))
    for start in range(0, len(draft.new), at_once):
        _locate_rows(draft, draft.new[start : start + at_once], directory)


def _locate_rows(draft: Draft, new: Rows, directory: Directory) -> None:
    """Without NAT the addresses of the reply are the same two."""
    src, dst, *answer = (draft.flows[end][new] for end in ("src", "dst", "reply_src", "reply_dst"))
    moved = [np.flatnonzero((ours != theirs).any(axis=1)) for ours, theirs in zip((dst, src), answer, strict=True)]
    parts = [src, dst, *(end[rows] for end, rows in zip(answer, moved, strict=True))]
    ids = np.split(directory.rows(np.concatenate(parts)), np.cumsum([len(part) for part in parts])[:-1])
    reply_src_at, reply_dst_at = ids[1].copy(), ids[0].copy()
    reply_src_at[moved[0]], reply_dst_at[moved[1]] = ids[2], ids[3]
    for name, column in zip(_POINTERS, (ids[0], ids[1], reply_src_at, reply_dst_at), strict=False):
        draft.write(name, new, column)


def _face(draft: Draft, rows: Rows, where: NDArray[np.uint8]) -> None:
    """Tell the direction of these flows, and which end is in this house.

    Who answers is the reply's source: behind a port that is forwarded it is another machine than the one called.
    """
    if not len(rows):
        return
    src, answering = draft["src_at"][rows], draft["reply_src_at"][rows]
    opener, opened = where[src], where[answering]
    from_here, to_here = opener == Where.HOST, opened == Where.HOST
    direction = np.full(len(rows), Direction.FORWARDED, np.uint8)
    direction[to_here | (opened == Where.GROUP)] = Direction.INBOUND
    direction[from_here] = Direction.OUTBOUND
    direction[from_here & to_here] = Direction.LOCAL
    draft.write("direction", rows, direction)
    ends = [(from_here, src), (to_here, answering), (opener == Where.LAN, src), (opened == Where.LAN, answering)]
    local = np.select([is_local for is_local, _ in ends], [end for _, end in ends], 0)
    draft.write("local_at", rows, local)


def _within(moments_ns: NDArray[np.uint64], spans_ns: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Tell which moments are in one of the spans."""
    if not len(spans_ns):
        return np.zeros(len(moments_ns), np.bool_)
    spans_ns = spans_ns[np.argsort(spans_ns[:, 0])]
    latest_ns = np.maximum.accumulate(spans_ns[:, 1])
    moments = moments_ns.astype(np.int64)
    before = np.searchsorted(spans_ns[:, 0], moments, "right") - 1  # the last span that begins in time
    inside: NDArray[np.bool_] = (before >= 0) & (moments <= latest_ns[before])
    return inside
