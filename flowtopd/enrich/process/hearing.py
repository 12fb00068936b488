"""The events of flows over time: subscribed to, given up while there are too many, and taken up again.

           ┌────────── a pause ────────────┐
           ▼                               │ too much again
    ON ─ too much ─▶ OVERLOADED ─ pause ─▶ trial ─ a good second ─▶ ON
    ON ─ the socket is lost, or never was ─▶ OFF ─ pause ─▶ ON

While it is overloaded the kernel makes no events for us at all, and dumps alone tell of flows. Every event that was
made for us and that nobody has looked at is counted: `dropped` by the kernel, or `passed_over` here.

Belongs to the thread that reads events. The counts and the state may be read by any.
"""

import logging
from collections.abc import Callable
from typing import Final

from flowtopd.enrich.process.overload import PAUSES_S, WINDOW_S, Load, Pauses
from flowtopd.netlink.datagrams import EVENTS, Subscription
from flowtopd.netlink.nlmsg import MalformedMessage, Split
from flowtopd.wire.messages import Events

_BLOCKS: Final = 64
"""Blocks of events that are passed over in one go."""

log = logging.getLogger(__name__)


class Hearing:
    """Hears of flows through one subscription after the other."""

    def __init__(self, subscribe: Callable[[], Subscription], clock: Callable[[], float]) -> None:
        self._subscribe = subscribe
        self._clock = clock
        self._subscription: Subscription | None = None
        self._load = Load(clock)
        self._pauses = Pauses(clock)
        self._again_s: float | None = None
        self._dropped_before = self._noted = 0
        self._complaint = ""
        self.state = Events.OFF
        self.dropped = 0
        """Events that the kernel could not keep for us."""
        self.passed_over = 0
        """Events that were not looked at, because too many came at once."""

    @property
    def lost(self) -> int:
        """Events that nobody has looked at."""
        return self.dropped + self.passed_over

    @property
    def descriptor(self) -> int | None:
        """What to wait on for events; None while there are none."""
        return None if self._subscription is None else self._subscription.fileno()

    def begin(self) -> None:
        """Subscribe, if that is possible."""
        try:
            self._subscription = self._subscribe()
        except OSError as error:
            self._fail(f"no events of new flows: {error.strerror}")
            return
        self._again_s = None
        self._dropped_before = self.dropped
        self._load.begin()
        if self.state is not Events.OVERLOADED:
            self._go_on()

    def end(self) -> None:
        """Unsubscribe; nothing is tried again before the next `begin`."""
        self._close()
        self._again_s = None
        self.state = Events.OFF

    def wait_s(self) -> float | None:
        """After how long `look` has something to do; None: after an event at the earliest."""
        if self._again_s is not None:
            return max(0.0, self._again_s - self._clock())
        return WINDOW_S if self.state is Events.OVERLOADED else None

    def look(self) -> None:
        """Subscribe again when it is time, and see how a trial goes."""
        if self._again_s is not None and self._clock() >= self._again_s:
            self.begin()
        elif self._subscription is not None and self.state is Events.OVERLOADED:
            well = self._load.is_tried
            if well:
                log.info("events of flows are read again")
                self._go_on()
            elif well is False:
                self._give_up()

    def receive(self) -> tuple[memoryview, Split, Split] | None:
        """Read the events that are there, as `Subscription.receive`; None where there are none any more.

        Raises MalformedMessage.
        """
        if self._subscription is None:
            return None
        try:
            found = self._subscription.receive()
        except OSError as error:
            self._fail(f"no more events of new flows: {error.strerror}")
            return None
        finally:
            self._count()
        return found

    def pass_over(self) -> None:
        """Read what is there, and do nothing with it."""
        for _block in range(_BLOCKS):
            try:
                found = self.receive()
            except MalformedMessage:
                continue
            count = 0 if found is None else len(found[1].offsets) + len(found[2].offsets)
            self.passed_over += count
            if count < EVENTS:
                return

    def note(self, handled: int) -> None:
        """Take note that so many were looked at; give up where they come faster than that."""
        missed, self._noted = self.lost - self._noted, self.lost
        self._load.note(handled, missed)
        if self._load.is_too_much and self.state is Events.ON:
            self._give_up()

    def _go_on(self) -> None:
        self.state = Events.ON
        self._pauses.well()
        self._load.begin()

    def _give_up(self) -> None:
        self.state = Events.OVERLOADED
        if self._subscription is not None:
            self._subscription.mute()
            self.pass_over()
        self._close()
        pause_s = self._pauses.next()
        self._again_s = self._clock() + pause_s
        if pause_s == PAUSES_S[0]:  # said once, not at every trial of a long storm
            log.warning("events of flows come faster than they can be read: the table alone is read until it is calm")

    def _fail(self, complaint: str) -> None:
        self._complain(complaint)
        self._close()
        self.state = Events.OFF
        self._again_s = self._clock() + self._pauses.next()

    def _close(self) -> None:
        if self._subscription is not None:
            self._count()
            self._subscription.close()
            self._subscription = None
        self._noted = self.lost

    def _count(self) -> None:
        if self._subscription is not None:
            self.dropped = self._dropped_before + self._subscription.lost

    def _complain(self, complaint: str) -> None:
        if complaint != self._complaint:  # once, not for every event
            log.warning("%s", complaint)
        self._complaint = complaint
