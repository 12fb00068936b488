"""The thread that finds processes: at once for flows that the kernel says are new, and for those it is asked about.

    kernel ─ NEW ─▶ Subscription ─ opened here ─▶ Decoder ─▶ Attributor.attribute_early ─┐
           ─ DESTROY ─▶  │  ─▶ Endings, as they are                                      │
    tick ─ ask ───────────────────────────────────────────▶ Attributor.attribute ────────┴─▶ outbox

A program that runs for 50 ms is gone at the next tick; an event comes while it still waits for its first answer. What
events miss, the next dump shows: so lost events are counted, never asked for again, and where new flows come faster
than they can be looked for, some are passed over, and endings with them. Where that goes on for some seconds,
`hearing` does without events for a while.

    PASSING_S    is what a turn counts for in which nothing was opened here, OPENED_S any other. With FEW_S saved up,
                 events are taken at once as long as they are few, and gather for so long where there are more: a
                 turn costs 0.15 ms, most of it to wake up, whether it handles one forwarded flow or a hundred
    BUSY_SHARE   of a core is what events may cost; after a burst the thread lets them gather for longer, and the next
                 turn passes over what waits behind the first READS * EVENTS

The thread waits without a timer as long as nothing happens and there are events to wait for. `stop` ends it and closes
what it had open.
"""

import contextlib
import logging
import os
import select
import signal
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from flowtopd.enrich.process.attribution import Answers, Attributor
from flowtopd.enrich.process.budget import Budget
from flowtopd.enrich.process.endings import Endings
from flowtopd.enrich.process.hearing import Hearing
from flowtopd.enrich.process.sockets import Port
from flowtopd.flows.identity import flow_keys
from flowtopd.netlink.ctnetlink import Decoder
from flowtopd.netlink.ctsource import sources
from flowtopd.netlink.datagrams import EVENTS, Subscription
from flowtopd.netlink.nlmsg import Indices, MalformedMessage, Split
from flowtopd.netlink.sock_diag import Columns
from flowtopd.wire.messages import Events

BUSY_SHARE: Final = 0.25
BURST_S: Final = 0.1
"""Seconds of work that may be done at once after a quiet time."""

PASSING_S: Final = 0.02
OPENED_S: Final = 0.01
FEW_S: Final = 0.1

READS: Final = 4
"""Times that a turn reads as much as there is room for."""

AFTER_MISTAKE_S: Final = 1.0
PATIENCE_S: Final = 2.0
"""How long `stop` waits for the thread."""

_MOST_JOBS: Final = 16
"""Questions that wait: more come only where the thread hangs."""

AT_ONCE: Final = 32_768
"""Flows that are looked for at a time: each takes some 200 bytes meanwhile, and each time the sockets are read."""

_NOTHING: Final = Split(np.zeros(0, np.intp), np.zeros(0, np.intp), interrupted=False)

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Listening:
    """The ports on which processes of this host wait, by protocol."""

    ports: dict[int, frozenset[Port]]


Question = tuple[Columns, Indices]
Outbox = Callable[[Answers | Listening], None]


class Watcher:
    """Owns the thread. `attributor` is used in it alone, from `start` to `stop`; `outbox` is called in it.

    What `subscribe` hears of flows that end goes into `endings`. Nothing that a process or a file of /proc does ends
    the thread: what goes wrong in a turn is logged, and the next turn comes a second later.
    """

    def __init__(
        self,
        attributor: Attributor,
        outbox: Outbox,
        subscribe: Callable[[], Subscription] = Subscription,
        clock: Callable[[], float] = time.monotonic,
        *,
        busy: Callable[[], float] = time.thread_time,
        wall_ns: Callable[[], int] = time.time_ns,
        endings: Endings | None = None,
    ) -> None:
        self._wall_ns = wall_ns
        self._attributor = attributor
        self._outbox = outbox
        self._hearing = Hearing(subscribe, clock)
        self._clock = clock
        self._busy = busy
        self._endings = Endings() if endings is None else endings
        self._jobs: deque[Question | None] = deque()
        self._thread: threading.Thread | None = None
        self._wake = -1
        self._stopping = False
        self._decoder = Decoder()
        self._complaint = ""

    @property
    def lost(self) -> int:
        """Events that nobody has looked at: the kernel dropped them, or they were passed over."""
        return self._hearing.lost

    @property
    def passed_over(self) -> int:
        """Events of flows that were not looked at, because too many came at once."""
        return self._hearing.passed_over

    @property
    def events(self) -> Events:
        """Whether there are events."""
        return self._hearing.state

    @property
    def waiting(self) -> int:
        """Questions that nobody has begun to answer."""
        return len(self._jobs)

    def start(self) -> None:
        """Subscribe and begin, unless that was done. Where there are no events, only questions are answered."""
        if self._thread is not None:
            if self._thread.is_alive() or not self._stopping:
                return
            self._clean_up()  # it had not ended when it was to
        try:
            self._wake = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        except OSError as error:  # no descriptors are left: perhaps at the next tick
            self._complain(f"no processes: {error.strerror}")
            return
        self._stopping = False
        self._hearing.begin()
        self._thread = threading.Thread(target=self._run, name="processes", daemon=True)
        try:
            self._thread.start()
        except RuntimeError as error:  # no more threads for us: perhaps at the next tick
            self._complain(f"no processes: {error}")
            self._hearing.end()
            self._clean_up()

    def stop(self) -> None:
        """End the thread and close what it had open. Questions that were not answered are dropped.

        A thread that hangs (in /proc, over a process that does) is left to end when it can.
        """
        if self._thread is None:
            return
        self._stopping = True
        self._jobs.clear()
        os.eventfd_write(self._wake, 1)
        self._thread.join(PATIENCE_S)
        if not self._thread.is_alive():
            self._clean_up()

    def _clean_up(self) -> None:
        self._thread = None
        self._jobs.clear()
        os.close(self._wake)

    def ask(self, flows: Columns, rows: Indices) -> None:
        """Have these rows of flows, whose columns nobody changes, attributed; the answers come to the outbox."""
        self._put((flows, rows))

    def ask_listening(self) -> None:
        """Have the listening ports told to the outbox."""
        self._put(None)

    def _put(self, job: Question | None) -> None:
        if self._thread is not None and not self._stopping and len(self._jobs) < _MOST_JOBS:
            self._jobs.append(job)
            os.eventfd_write(self._wake, 1)

    def _run(self) -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        budget = Budget(BUSY_SHARE, BURST_S, self._clock)
        turns = Budget(1.0, FEW_S, self._clock)
        try:
            while not self._stopping:
                self._turn(budget, turns)
        finally:
            self._attributor.close()
            self._hearing.end()

    def _turn(self, budget: Budget, turns: Budget) -> None:
        rest_s = budget.rest_s()
        ready = self._wait(max(rest_s, turns.rest_s()))
        try:
            self._answer_questions()
            self._hearing.look()
            if ready and self._hearing.descriptor is not None:
                began_s = self._busy()
                turns.spend(self._handle_events(hurried=rest_s > 0))
                budget.spend(self._busy() - began_s)
        except Exception as error:  # whatever it is, the next flows are to be named
            if repr(error) != self._complaint:
                log.exception("the processes of some flows could not be looked for")
            self._complaint = repr(error)
            budget.spend(BURST_S + BUSY_SHARE * AFTER_MISTAKE_S)

    def _wait(self, rest_s: float) -> bool:
        """Wait for a question or an event, or while resting for a question only; return whether to look for events."""
        poll = select.poll()
        poll.register(self._wake, select.POLLIN)
        events, wait_s = self._hearing.descriptor, rest_s or self._hearing.wait_s()
        if events is not None and not rest_s:
            poll.register(events, select.POLLIN)
        ready = {descriptor for descriptor, _ in poll.poll(None if wait_s is None else wait_s * 1000)}
        if self._wake in ready:
            with contextlib.suppress(BlockingIOError):
                os.eventfd_read(self._wake)
        return not ready if rest_s else bool(ready - {self._wake})

    def _answer_questions(self) -> None:
        while self._jobs and not self._stopping:
            question = self._jobs.popleft()
            if question is not None:
                self._answer(*question)
            elif (ports := self._attributor.listening()) is not None:
                self._outbox(Listening(ports))

    def _answer(self, flows: Columns, rows: Indices) -> None:
        for start in range(0, len(rows), AT_ONCE):
            if not self._stopping:
                part = rows[start : start + AT_ONCE]
                self._outbox(self._attributor.attribute({name: column[part] for name, column in flows.items()}))

    def _handle_events(self, *, hurried: bool) -> float:
        """Handle what is there, not without end; return what this turn counts for. `hurried`: pass over the rest."""
        handled, opened, full = 0, 0, True
        while full and handled < READS * EVENTS:
            count, here = self._handle_block()
            full = count == EVENTS
            handled += count
            opened += here
        if full and hurried:
            self._hearing.pass_over()
        self._hearing.note(handled)
        return OPENED_S if opened else PASSING_S if handled else 0.0

    def _handle_block(self) -> tuple[int, int]:
        """Handle as many events as are read at a time; return how many, and how many flows were opened here."""
        try:
            found = self._hearing.receive()
        except MalformedMessage as error:
            self._complain_of_event(error)
            return 0, 0
        if found is None:
            return 0, 0
        block, new, ended = found
        opened = _NOTHING
        try:
            opened = self._opened_here(block, new)
            if len(opened.offsets):
                self._attribute(self._decoded(block, opened))
        except MalformedMessage as error:
            self._complain_of_event(error)
        finally:
            # behind the answers: whoever has taken an ending finds what was found out at the beginning
            self._endings.put(block, ended)
        return len(new.offsets) + len(ended.offsets), len(opened.offsets)

    def _opened_here(self, block: memoryview, new: Split) -> Split:
        """Those of the new flows that a process of this host may have opened."""
        if not len(new.offsets):
            return new
        addresses, known = sources(block, new)
        rows = np.flatnonzero(~known | self._attributor.is_here(addresses))
        return Split(new.offsets[rows], new.lengths[rows], interrupted=False)

    def _decoded(self, block: memoryview, new: Split) -> Columns:
        self._decoder.begin(len(new.offsets))
        self._decoder.feed_events(block, new, self._clock())
        return self._decoder.finish().columns

    def _attribute(self, columns: Columns) -> None:
        columns["key"] = flow_keys(columns)
        # these messages carry no start; an answer must not be taken for a later flow of the same tuple
        columns["start_ns"] = np.full(len(columns["key"]), self._wall_ns(), np.uint64)
        answers = self._attributor.attribute_early(columns)
        if len(answers.keys):
            self._outbox(answers)

    def _complain_of_event(self, error: MalformedMessage) -> None:
        self._complain(f"an event that makes no sense: {error}")

    def _complain(self, complaint: str) -> None:
        if complaint != self._complaint:  # once, not for every event
            log.warning("%s", complaint)
        self._complaint = complaint
