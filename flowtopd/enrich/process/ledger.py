"""Who has each flow, kept from tick to tick: what the `Watcher` finds goes in, what is still open is asked for again.

    Watcher ── inbox ──▶ read ─▶ owner, attribution ─▶ Draft
            ◀── ask ─── due: at once when a flow is new, then after 0.5, 1, 2, … seconds until the answer is final;
                         of a name every half a minute, because a program may have become another

Rules: a flow that has a name keeps it when its process has exited since, and never becomes another user's, unless that
one has the very connection: who binds the port of a server that has gone must not be shown the flows that it had
(`[access] others`). An answer is for the flow that was meant: one
that began later and has the same key, because the kernel has used a slot again, is asked for anew. An answer that
came before its flow was in a dump waits for some ticks. Nothing is asked for while a question waits.
"""

import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from flowtopd.enrich.draft import Draft, Rows
from flowtopd.enrich.process.attribution import FLOW_COLUMNS, MORE_COLUMNS, Answers
from flowtopd.enrich.process.events import Listening, Watcher
from flowtopd.enrich.process.sockets import Port
from flowtopd.flows.dimensions import Attribution, Owner
from flowtopd.flows.interned import Interned
from flowtopd.flows.names import TCP
from flowtopd.netlink.nlmsg import Indices
from flowtopd.wire.messages import Events

RETRY_S: Final = (0.5, 30.0)
"""Seconds until the second question, and the most between two."""

AGAIN_S: Final = 30.0
"""Between two looks at a flow that has a name."""

LISTENING_S: Final = 5.0
"""Between two looks at the ports on which somebody waits."""

_MOST_TRIES: Final = 16
"""Counted so far; the pause has long been the longest."""

_EARLY_TICKS: Final = 3
_MOST_EARLY: Final = 4096

Inbox = deque[Answers | Listening]


class Ledger:
    """Belongs to the thread that ticks. `watcher` puts what it finds into `inbox`."""

    def __init__(self, watcher: Watcher, inbox: Inbox, clock: Callable[[], float] = time.monotonic) -> None:
        self._watcher = watcher
        self._inbox = inbox
        self._clock = clock
        self._begin()

    def _begin(self) -> None:
        self.owners = Interned(Owner())
        self.listening: Mapping[int, frozenset[Port]] = {}
        self._early: deque[tuple[int, Answers]] = deque(maxlen=_MOST_EARLY)
        self._listening_from_s = self._clock()

    @property
    def lost(self) -> int:
        """How many events of flows nobody has looked at."""
        return self._watcher.lost

    @property
    def events(self) -> Events:
        """Whether there are events of flows."""
        return self._watcher.events

    def settle(self, draft: Draft, *, moved: bool = False) -> bool:
        """Write what was found, and ask for what is open. Return whether other ports are listened on than before.

        `moved`: other addresses are this host's than before, and so flows that nobody had may be somebody's.
        """
        self._watcher.start()
        if moved:
            self._reopen(draft, np.flatnonzero(draft["owner"] == 0))
        self._reopen(draft, _begun_again(draft))
        draft.write("state", np.arange(draft.snapshot.size), draft.flows["state"])
        before = self.listening
        waiting, self._early = self._early, deque(maxlen=_MOST_EARLY)
        for ticks, answers in waiting:
            self._apply(draft, answers, ticks)
        while self._inbox:
            found = self._inbox.popleft()
            if isinstance(found, Listening):
                self.listening = found.ports
            else:
                self._apply(draft, found, 0)
        self._ask(draft)
        return self.listening != before

    def recall(self, closed: Draft) -> None:
        """Write what was found of flows that have closed before they were in a dump, or before the answer came.

        They are not asked for: another process may have their ports by now.
        """
        if not len(closed["owner"]) or not self._early:
            return
        # all looked up at once: each costs 20 µs, and under a storm there are thousands of them
        rows = closed.snapshot.rows_of(np.concatenate([answers.keys for _ticks, answers in self._early]))
        waiting, self._early = self._early, deque(maxlen=_MOST_EARLY)
        for ticks, answers in waiting:
            here, rows = np.split(rows, [len(answers.keys)])
            missing = np.flatnonzero(here < 0)
            if len(missing) < len(here):
                self._write(closed, answers, here)
            if len(missing):
                self._early.append((ticks, answers.chosen(missing)))

    def _apply(self, draft: Draft, answers: Answers, ticks: int) -> None:
        rows = draft.snapshot.rows_of(answers.keys)
        missing = np.flatnonzero(rows < 0)
        if ticks < _EARLY_TICKS and len(missing):
            self._early.append((ticks + 1, answers.chosen(missing)))
        self._write(draft, answers, rows)

    def _write(self, draft: Draft, answers: Answers, rows: Indices) -> None:
        """Write the answers into these rows of the draft, -1 where there is none, and where they mean another flow."""
        meant = rows >= 0
        meant[meant] = draft.flows["start_ns"][rows[meant]] <= answers.begun_by_ns[meant]
        answers, rows = answers.chosen(np.flatnonzero(meant)), rows[meant]
        owners = self.owners.ids(answers.owners)[answers.owner]
        # what was found while a process lived is not taken back
        before = draft["owner"][rows]
        better = (before == 0) | ((owners > 0) & (self._uids(before) == self._uids(owners)))
        # who accepts a connection may be another user than who listens
        better |= (owners > 0) & (answers.how == Attribution.EXACT) & (draft.flows["proto"][rows] == TCP)
        draft.write("owner", rows[better], owners[better])
        draft.write("attribution", rows[better], answers.how[better])
        settled = rows[answers.final]
        # not all of a busy host at once
        again_s = self._clock() + AGAIN_S + (draft.flows["key"][settled] & np.uint64(15))
        draft.write("due_s", settled, np.where(draft["owner"][settled] > 0, again_s, np.inf))

    def _uids(self, owners: NDArray[np.int32]) -> NDArray[np.int64]:
        """The users of these owners, -1 where unknown."""
        known, which = np.unique(owners, return_inverse=True)
        uids = (self.owners.values[number].uid for number in known.tolist())
        return np.fromiter((-1 if uid is None else uid for uid in uids), np.int64, len(known))[which]

    def _ask(self, draft: Draft) -> None:
        now = self._clock()
        rows = np.flatnonzero(draft["due_s"] <= now)
        if len(rows) and not self._watcher.waiting:
            tries = draft["tries"][rows]
            first, longest = RETRY_S
            draft.write("due_s", rows, now + np.minimum(first * 2.0**tries, longest))
            draft.write("tries", rows, np.minimum(tries + 1, _MOST_TRIES))
            self._watcher.ask({name: draft.flows[name] for name in (*FLOW_COLUMNS, *MORE_COLUMNS)}, rows)
        if now >= self._listening_from_s:
            self._listening_from_s = now + LISTENING_S
            self._watcher.ask_listening()

    def _reopen(self, draft: Draft, rows: Rows) -> None:
        """Ask for these flows as if they were new."""
        for name in ("owner", "attribution", "due_s", "tries"):
            draft.write(name, rows, 0)

    def rest(self) -> None:
        """Find nothing until the next tick: nobody looks."""
        self._watcher.stop()
        self._inbox.clear()

    def compact(self, *drafts: Draft) -> None:
        """Drop the owners that no flow has any more."""
        mapping = self.owners.compact(np.concatenate([draft["owner"] for draft in drafts]))
        for draft in drafts:
            draft.replace("owner", mapping)

    def forget(self) -> None:
        """End the watcher and drop everything."""
        self._watcher.stop()
        self._inbox.clear()
        self._begin()


_OPENING: Final = 2  # SYN_RECV; SYN_SENT is before it, see linux/netfilter/nf_conntrack_tcp.h


def _begun_again(draft: Draft) -> Rows:
    """Rows in which another connection has the ports of the last one, told by its state where there is no start."""
    state, flows = draft["state"], draft.flows
    return np.flatnonzero(
        (flows["start_ns"] == 0) & (flows["proto"] == TCP) & (state > _OPENING) & (flows["state"] <= _OPENING)
    )
