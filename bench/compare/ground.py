"""Where the tools compete: the router of the test bed with a table that grows, and traffic through it.

    with Ground() as ground:
        ground.grow(1_000)               # injected entries of others, as on a router (testbed.entries.mix)
        with ground.load(20_000):        # new flows a second, and four flows that go on
            ground.count()               # entries in the kernel's table now

All tools run in the router's namespace, one after another. The kernel's limit of entries is the machine's: `room_for`
raises it meanwhile where that may be done, and `allowed` says how many there is room for.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import psutil  # type: ignore[import-untyped]  # it ships no types

from testbed.churn import LIFE_S, Churn
from testbed.entries import Entry, Proto, mix
from testbed.inject import inject
from testbed.netns import Namespace
from testbed.router import Router
from testbed.traffic import Flow

_PROC: Final = Path("/proc/sys/net/netfilter")
_MARGIN: Final = 2_000
_ENTRY_BYTES: Final = 4096
"""More than an entry takes with its extensions, in the kernel and in all that shows it."""
_ENOUGH: Final = 0.9
_STEADY: Final = 4
_STEADY_RATE: Final = 100_000
_STEADY_S: Final = 120


def allowed(load: int) -> int:
    """How many entries may be put into a table that `load` new flows a second go through."""
    return int((_PROC / "nf_conntrack_max").read_text("ascii")) - _MARGIN - int(load * LIFE_S)


@contextmanager
def room_for(entries: int, load: int) -> Iterator[None]:
    """Let the machine's table hold so many, and a load beside them, while this lasts.

    Nothing is changed where the table is large enough, where the machine has too little memory for such a one, or where
    its limit is not ours to change, as in a namespace.
    """
    limit = _PROC / "nf_conntrack_max"
    before = limit.read_text("ascii")
    missing = entries - allowed(load)
    wanted = int(before) + missing
    if missing <= 0 or psutil.virtual_memory().available < wanted * _ENTRY_BYTES:
        yield
        return
    try:
        limit.write_text(str(wanted), "ascii")
    except PermissionError:
        yield
        return
    try:
        yield
    finally:
        limit.write_text(before, "ascii")


class Ground:
    """One router, and what is in its table."""

    def __init__(self, largest: int) -> None:
        self.network = Router(lan_hosts=1)
        self.flows = 0
        """Entries injected so far."""
        self.tcp = 0
        """How many of them are TCP."""
        self.short: list[str] = []
        """Where fewer flows were begun than there should have been."""
        self._entries = mix(largest)

    def __enter__(self) -> Self:
        self.network.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.network.__exit__(kind, error, trace)

    @property
    def namespace(self) -> Namespace:
        """The router's namespace: where the tools run."""
        return self.network.router

    def grow(self, flows: int) -> None:
        """Add entries until there are so many. The first ones are the same for every size."""
        inject(self.namespace, self._counted(flows - self.flows))
        self.flows = flows

    def _counted(self, count: int) -> Iterator[Entry]:
        for entry in islice(self._entries, count):
            self.tcp += entry.orig.proto == Proto.TCP
            yield entry

    def count(self) -> int:
        """Entries in the kernel's table now."""
        return int(self.namespace.sysctl("net.netfilter.nf_conntrack_count"))

    @contextmanager
    def load(self, rate: int) -> Iterator[None]:
        """Begin `rate` flows a second and let four more go on; nothing at all for 0."""
        if not rate:
            yield
            return
        with ExitStack() as stack:
            for port in range(5_001, 5_001 + _STEADY):
                lan, wan = self.network.lan[0], self.network.wan
                stack.enter_context(Flow(lan, wan, "1.1.1.1", port, rate=_STEADY_RATE, seconds=_STEADY_S))
            churn = stack.enter_context(Churn(self.network.lan[0], rate))
            yield
            churn.stop()
        if churn.reached < _ENOUGH * rate:
            what = f"{churn.reached:.0f} of {rate} new flows a second at {self.flows} entries"
            self.short.append(f"the tools left too little of the machine for {what}")
