"""The collector, the enrichers and the hub, with a world around them in which nothing stays as it is.

In every second flows come and go, with addresses, processes and names that never were before, and in layouts that
were not there yet. Now and then a dump is inconsistent, the clock of the wall is set, another program sets the counters
back, the host moves to another network, and the last viewer leaves. What outlives its use shows as a table that grows.
"""

from collections import deque
from concurrent.futures import ThreadPoolExecutor
from typing import Final, cast

import numpy as np

from flowtopd.collector import Collector
from flowtopd.enrich import services
from flowtopd.enrich.directory import Directory
from flowtopd.enrich.geoip.places import Places
from flowtopd.enrich.pipeline import Pipeline
from flowtopd.enrich.process.endings import Endings
from flowtopd.enrich.process.events import Watcher
from flowtopd.enrich.process.ledger import Inbox, Ledger
from flowtopd.enrich.rdns.resolver import Resolver
from flowtopd.enrichers import INBOX
from flowtopd.flows.closed import ClosedFlows
from flowtopd.flows.schema import RATES
from flowtopd.flows.snapshot import KernelState, Tick
from flowtopd.netlink.nlsocket import NetlinkSocket
from flowtopd.query.execute import execute
from flowtopd.session.hub import Hub
from flowtopd.wire.messages import Query, View
from testbed.simulated.clock import Clock
from testbed.simulated.enrichers import NameServer, Processes, Surroundings
from testbed.simulated.kernel import MOST_BYTES, Kernel

_PAGE: Final = 60
_STATE: Final = KernelState(accounting=True, timestamps=True, max=262_144, tracking=True)


class SimulatedDaemon:
    """Of the daemon all but its sockets. Flows that have closed are kept for `kept_s`. `close` it at the end."""

    def __init__(self, *, flows: int, changed: int, kept_s: float = 60.0, seed: int = 1) -> None:
        self.clock = clock = Clock()
        self.kernel = Kernel(clock, flows, changed, seed)
        self.endings = Endings()
        self.resolver = Resolver(NameServer().name, clock.monotonic, clock.wall_ns)
        self._lan, self._places = Surroundings(), Places((), ())
        self.directory = Directory(self._lan, self._places, self.resolver, clock.monotonic)
        inbox: Inbox = deque(maxlen=INBOX)
        self.ledger = Ledger(cast("Watcher", Processes(inbox, clock)), inbox, clock.monotonic)
        closed = ClosedFlows(kept_s)
        self.pipeline = Pipeline(self.directory, self.ledger, services.load(), closed=closed, endings=self.endings)
        self._reader = ThreadPoolExecutor(1)
        self.collector = Collector(
            cast("NetlinkSocket", self.kernel),
            lambda _flows: _STATE,
            self._reader,
            self.pipeline,
            monotonic=clock.monotonic,
            wall=clock.wall,
            since_boot=clock.monotonic,
        )
        self.hub = Hub()
        self._seconds = 0

    def second(self) -> Tick:
        """Let a second go by."""
        number, self._seconds = self._seconds, self._seconds + 1
        self.clock.now_s += 1.0
        self.endings.put(*self.kernel.second())
        if number % 300 == 299:
            self.clock.ahead_s += 3600.0 * (-1) ** (number // 300)
        if number % 70 == 69:
            self.kernel.set_back()
        if number % 50 == 49:
            self.kernel.inconsistent = 1
        if number % 7200 == 100:  # the last viewer leaves, another one comes
            self.hub.clear()
            self.collector.forget()
        tick = self.collector.tick({2.0, 10.0} if number % 200 < 100 else {40.0})
        self.hub.publish(tick, 1.0)
        return tick

    def look(self) -> None:
        """Be viewers for a moment: a page of all flows, one of the views in turn, and the names of the newest flows."""
        assert self.hub.latest is not None
        results, snapshot = self.hub.latest.results, self.hub.latest.tick.snapshot
        views = list(View)
        page = Query(closed=True, offset=self._seconds % self.kernel.size, limit=_PAGE)
        for query in (page, Query(view=views[self._seconds % len(views)], sort="orig_rate")):
            execute(results.looking(query), query)
        newest = np.argsort(snapshot.columns["ctid"])[-_PAGE:]
        self.pipeline.want_names((high, low) for high, low in snapshot.columns["dst"][newest].tolist())

    def mistakes(self, tick: Tick) -> list[str]:
        """What the tick says that is not so in the kernel."""
        snapshot, found = tick.snapshot, []
        if not np.array_equal(np.sort(snapshot.columns["ctid"]), np.sort(self.kernel.ids)):
            found.append(f"{snapshot.size} flows, which are not the {self.kernel.size} of the kernel")
        for name in RATES:
            rates = snapshot.columns[name]
            if ((rates < 0) | (rates > MOST_BYTES * 1.01)).any():
                found.append(f"{name} from {np.nanmin(rates)} to {np.nanmax(rates)}, {MOST_BYTES} at most were moved")
        return found

    def close(self) -> None:
        """End the threads."""
        self.pipeline.close()
        self._reader.shutdown()
        self._lan.close()  # `Background.close` drops their closing, where it has not begun
        self._places.close()
