"""Asks the system's resolver for names, in a few threads. Nobody else ever waits for it.

    want ─▶ known? ─ yes ─────────────────────────────────────▶ outbox ─▶ take
              └ no ─▶ queue ─▶ breaker ─▶ getnameinfo ─▶ known ─▶ outbox

It is getnameinfo since that honours /etc/hosts, nsswitch.conf and what else this host knows names by.

- The newest wish comes first, and of one wish the first address: a person who scrolls wants to see the names of what is
  on the screen now. What does not fit is dropped, the oldest first; who still wants it will say so at the next tick.
- As many lookups as there are threads may hang, no more: not even over `stop` and a new start.
- A lookup that failed says nothing: an answer from before stays where it is shown. When it is asked for again, `known`
  and `breaker` decide.
- Everything is bounded. Threads without work wait without a timer.
"""

import ctypes
import logging
import os
import signal
import socket
import struct
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from flowtopd.enrich.rdns.breaker import HANG_S, Breaker
from flowtopd.enrich.rdns.hostname import Address, address_text, host_name, may_have_name
from flowtopd.enrich.rdns.known import Answer, Known, Unknown
from flowtopd.enrich.rdns.spans import QUICK_NS, Spans

# names longer than NI_MAXHOST, which only files can hold, are no failures of the resolver
_NO_NAME: Final = (socket.EAI_NONAME, socket.EAI_NODATA, socket.EAI_OVERFLOW)

_NI_MAXHOST: Final = 1025  # netdb.h
_libc: Final = ctypes.CDLL(None, use_errno=True)
_libc.gai_strerror.restype = ctypes.c_char_p

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Limits:
    """How much of everything."""

    threads: int = 4
    """At 20 ms a name they find 200 a second, a few screens full, and burden no server."""
    queue: int = 1024
    known: int = 16_384
    """About 300 bytes each."""
    spans: int = 16_384
    pauses_s: tuple[float, float] = (1.0, 30.0)
    """Between two attempts at a resolver that hangs: so long it takes at most until names are back when it is."""


def system_name(address: str) -> str:
    """What this host calls an address. Raises OSError; may take half a minute."""
    # not socket.getnameinfo: before Python 3.12, as in Debian 12, it keeps the interpreter's lock while it waits, and
    # the whole daemon stands still as long as a name server does not answer. ctypes lets go of the lock
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    packed = socket.inet_pton(family, address)
    # linux/in.h, linux/in6.h
    place = struct.pack("=HH4s8x" if family == socket.AF_INET else "=HHI16sI", *_place(family, packed))
    name = ctypes.create_string_buffer(_NI_MAXHOST)
    code = _libc.getnameinfo(place, len(place), name, len(name), None, 0, socket.NI_NAMEREQD)
    if code == socket.EAI_SYSTEM:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    if code:
        raise socket.gaierror(code, _libc.gai_strerror(code).decode(errors="replace"))
    return os.fsdecode(name.value)


def _place(family: int, packed: bytes) -> tuple[int | bytes, ...]:
    """The fields of struct sockaddr_in or sockaddr_in6, port 0."""
    return (family, 0, packed) if family == socket.AF_INET else (family, 0, 0, packed, 0)


class Resolver:
    """For any thread: no method ever waits for a lookup."""

    def __init__(
        self,
        lookup: Callable[[str], str] = system_name,
        clock: Callable[[], float] = time.monotonic,
        wall_ns: Callable[[], int] = time.time_ns,
        limits: Limits = Limits(),
    ) -> None:
        self._lookup = lookup
        self._clock = clock
        self._wall_ns = wall_ns
        self._limits = limits
        self._changed = threading.Condition()  # guards all below
        self._known = Known(limits.known, clock)
        self._breaker = Breaker(limits.threads, limits.pauses_s, clock)
        self._spans = Spans(limits.spans)
        self._queue: OrderedDict[Address, None] = OrderedDict()
        self._asking: dict[Address, int] = {}
        """Since when, on the wall clock in ns."""
        self._outbox: dict[Address, str | None] = {}
        self._threads: set[threading.Thread] = set()
        self._stopped = True

    def want(self, addresses: Iterable[Address]) -> None:
        """Have these told by `take`: at once where they are known, else when they were found."""
        with self._changed:
            wishes: list[Address] = []
            for address in addresses:  # 0.4 µs each
                answer = self._recall(address)
                if answer is None or isinstance(answer, str):
                    self._put(address, answer)
                elif answer is Unknown.UNASKED and address not in self._asking and len(wishes) < self._limits.queue:
                    wishes.append(address)
            if wishes:
                self._enqueue(wishes)

    def take(self) -> dict[Address, str | None]:
        """Everything that was found or wanted again since the last call; None has no name."""
        with self._changed:
            taken, self._outbox = self._outbox, {}
        return taken

    def quick_lookups(self) -> NDArray[np.int64]:
        """When those of the last minute began and ended that took 0.1 s at most: ns, wall clock, (n, 2), unordered.

        Of one that runs the first 0.1 s count.
        """
        with self._changed:
            now_ns, begun_ns = self._wall_ns(), np.array(list(self._asking.values()), np.int64)
            running = np.stack((begun_ns, np.minimum(begun_ns + QUICK_NS, now_ns)), axis=1)
            return np.concatenate((self._spans.recent(now_ns), running))

    def forget(self) -> None:
        """Know nothing, and trust the resolver again: for when this host has moved to another network."""
        with self._changed:
            self._known.forget()
            self._breaker = Breaker(self._limits.threads, self._limits.pauses_s, self._clock)
            self._changed.notify_all()

    def stop(self) -> None:
        """Drop the wishes and end the threads, one that hangs when it comes back. What is known stays known."""
        with self._changed:
            self._stopped = True
            self._queue.clear()
            self._changed.notify_all()

    # with the lock held

    def _recall(self, address: Address) -> Answer:
        answer = self._known.recall(address)
        return answer if answer is not Unknown.UNASKED or may_have_name(address) else None

    def _put(self, address: Address, name: str | None) -> None:
        # when nobody takes what is here, more of it helps nobody
        if len(self._outbox) < self._limits.known or address in self._outbox:
            self._outbox[address] = name

    def _enqueue(self, wishes: list[Address]) -> None:
        for address in reversed(wishes):
            self._queue[address] = None
            self._queue.move_to_end(address)
        while len(self._queue) > self._limits.queue:
            self._queue.popitem(last=False)
        self._stopped = False
        self._start_threads()
        self._changed.notify(len(wishes))

    def _start_threads(self) -> None:
        while len(self._threads) < self._limits.threads:
            thread = threading.Thread(target=self._run, name="names", daemon=True)
            try:
                thread.start()
            except RuntimeError as error:  # no more threads for us: tried again at the next wish
                log.warning("no names: %s", error)
                return
            self._threads.add(thread)

    def _next(self) -> tuple[Address, bool] | None:
        """Wait for an address whose turn it is, and whether it is a trial. None: this thread has ended."""
        while not self._stopped:
            wait_s = self._breaker.wait_s() if self._queue else None
            if wait_s == 0:
                address, _ = self._queue.popitem()
                self._asking[address] = self._wall_ns()
                return address, self._breaker.begin()
            self._changed.wait(wait_s)
        # with the lock still held: a wish that comes next must not count on this thread
        self._threads.discard(threading.current_thread())
        return None

    def _learn(self, address: Address, answer: Answer, *, hung: bool, tried: bool) -> None:
        self._known.learn(address, answer)
        if not isinstance(answer, Unknown):
            self._put(address, answer)
        was_open = self._breaker.is_open
        self._breaker.end(hung=hung, tried=tried)
        if self._breaker.is_open and not was_open:
            log.warning("the resolver does not answer; it is asked now and then until it does")
        if was_open:  # others wait for how it went
            self._changed.notify_all()

    # in a thread of the pool

    def _run(self) -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        try:
            while True:
                with self._changed:
                    turn = self._next()
                if turn is None:
                    return
                self._serve(*turn)
        finally:
            with self._changed:
                self._threads.discard(threading.current_thread())

    def _serve(self, address: Address, tried: bool) -> None:
        answer: Answer = Unknown.FAILED
        begin_s = self._clock()
        try:
            answer = self._ask(address)
        finally:
            took_s = self._clock() - begin_s
            with self._changed:
                self._spans.add(self._asking.pop(address), self._wall_ns())
                self._learn(address, answer, hung=answer is Unknown.FAILED and took_s >= HANG_S, tried=tried)

    def _ask(self, address: Address) -> Answer:
        try:
            return host_name(self._lookup(address_text(address)))
        except socket.gaierror as error:
            return None if error.errno in _NO_NAME else Unknown.FAILED
        except UnicodeError:  # a name in bytes that are no text
            return None
        except OSError:
            return Unknown.FAILED
