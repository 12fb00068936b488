"""A Resolver with a phone book for a resolver of the system: it hangs when it is told to, and counts.

office = Office(PhoneBook())
resolver = office.resolver()      # asks the book; office.close() sees to it that no thread is left
"""

import threading
from collections.abc import Callable

from flowtopd.enrich.rdns.hostname import Address
from flowtopd.enrich.rdns.resolver import Limits, Resolver
from testbed.netns import wait_until
from tests.flowtopd.enrich.rdns.test_breaker import Clock


class PhoneBook:
    """Knows everybody by the address with hyphens, but for those in `others`. While `open` is not set, it hangs."""

    def __init__(self) -> None:
        self.others: dict[str, str | Exception] = {}
        self.asked: list[str] = []
        self.open = threading.Event()
        self.open.set()
        self.held: set[str] = set()
        """Addresses for which the book is held shut; without any, it is for all."""
        self.meeting: threading.Barrier | None = None
        """Where those that are not held wait for one another."""
        self.clock = Clock()
        self.takes_s = 0.0

    def __call__(self, address: str) -> str:
        self.asked.append(address)
        if not self.held or address in self.held:
            assert self.open.wait(30)
        elif self.meeting:
            self.meeting.wait(30)
        self.clock.now_s += self.takes_s
        answer = self.others.get(address, f"host-{address.replace('.', '-').replace(':', '-')}.example")
        if isinstance(answer, Exception):
            raise answer
        return answer


class Office:
    """Makes resolvers that ask the book, and sees to it that none is left with a thread."""

    def __init__(self, book: PhoneBook) -> None:
        self._book = book
        self._made: list[Resolver] = []
        self.wall_ns = 1_700_000_000_000_000_000

    def resolver(self, limits: Limits | None = None, clock: Callable[[], float] | None = None) -> Resolver:
        clock, limits = clock or self._book.clock, limits or Limits()
        self._made.append(Resolver(self._book, clock, lambda: self.wall_ns, limits))
        return self._made[-1]

    def close(self) -> None:
        self._book.open.set()
        for resolver in self._made:
            resolver.stop()
        wait_until(lambda: not threads())


def threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "names"]


def told(resolver: Resolver, count: int = 1) -> dict[Address, str | None]:
    """Wait until so much was told."""
    found: dict[Address, str | None] = {}

    def enough() -> bool:
        found.update(resolver.take())
        return len(found) >= count

    wait_until(enough)
    return found
