"""Who has each flow, kept from tick to tick: what the `Watcher` finds goes in, what is still open is asked for again.

    Watcher ── inbox ──▶ read ─▶ owner, attribution ─▶ Draft
            ◀── ask ─── due: at once when a flow is new, then after 0.5, 1, 2, … seconds until the answer is final

Rules: a flow that has a name keeps it when its process has exited since. An answer that came before its flow was in a
dump waits for some ticks. Nothing is asked for while a question waits.
"""

import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Final

import numpy as np

from flowtopd.enrich.draft import Draft
from flowtopd.enrich.process.attribution import FLOW_COLUMNS, Answers
from flowtopd.enrich.process.events import Listening, Watcher
from flowtopd.enrich.process.sockets import Port
from flowtopd.flows.dimensions import Owner
from flowtopd.flows.interned import Interned
from flowtopd.netlink.nlmsg import Indices

RETRY_S: Final = (0.5, 30.0)
"""Seconds until the second question, and the most between two."""

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
        """How often the kernel dropped events of new flows."""
        return self._watcher.lost

    def settle(self, draft: Draft) -> bool:
        """Write what was found, and ask for what is open. Return whether other ports are listened on than before."""
        self._watcher.start()
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
        """Write the answers into these rows of the draft, -1 where there is none."""
        answers, rows = answers.chosen(np.flatnonzero(rows >= 0)), rows[rows >= 0]
        owners = self.owners.ids(answers.owners)[answers.owner]
        # what was found while a process lived is not taken back
        better = (owners > 0) | (draft["owner"][rows] == 0)
        draft.write("owner", rows[better], owners[better])
        draft.write("attribution", rows[better], answers.how[better])
        draft.write("due_s", rows[answers.final], np.inf)

    def _ask(self, draft: Draft) -> None:
        now = self._clock()
        rows = np.flatnonzero(draft["due_s"] <= now)
        if len(rows) and not self._watcher.waiting:
            tries = draft["tries"][rows]
            first, longest = RETRY_S
            draft.write("due_s", rows, now + np.minimum(first * 2.0**tries, longest))
            draft.write("tries", rows, np.minimum(tries + 1, _MOST_TRIES))
            self._watcher.ask({name: draft.flows[name][rows] for name in (*FLOW_COLUMNS, "first_seen_s")})
        if now >= self._listening_from_s:
            self._listening_from_s = now + LISTENING_S
            self._watcher.ask_listening()

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
