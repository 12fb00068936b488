"""One tick: dump → decode → table → snapshot → enriched. Runs in a thread of its own; one at a time.

    NetlinkSocket.dump ─▶ Decoder.feed … finish ─▶ FlowTable.apply ─▶ Pipeline.enrich ─▶ Tick
      (reader thread)       (this thread)

The kernel writes a dump while it is being read, without the interpreter's lock: a second thread reads the next block
while this one decodes the last. That hides the whole decoding behind the kernel's own work.

A dump that the kernel calls inconsistent, or that lost answers, is read again; the table only ever sees whole
ones. When it stays inconsistent the last one counts: flows listed twice are made one by the table, and what was
missed is in the next tick.
"""

import contextlib
import errno
import time
from collections.abc import Callable, Collection, Generator
from concurrent.futures import Executor
from typing import Final

from flowtopd.enrich.pipeline import Pipeline
from flowtopd.flows.history import sample
from flowtopd.flows.snapshot import KernelState, Moment, Tick
from flowtopd.flows.table import FlowTable
from flowtopd.netlink.ctnetlink import Batch, Decoder, dump_request
from flowtopd.netlink.nlmsg import NetlinkError
from flowtopd.netlink.nlsocket import Block, NetlinkSocket
from flowtopd.wire.messages import Events

ATTEMPTS: Final = 3

TIDY_S: Final = 5.0
"""How often memory is given back in which nothing lives any more."""

STEP_S: Final = 0.5
"""By how much the wall clock must be off to have been set. What it is slewed by is taken for a step when it adds up."""

_AGAIN: Final = frozenset(
    (
        *(errno.ENOBUFS, errno.EINTR, errno.EBUSY),
        *(errno.EBADF, errno.ENOTSOCK, errno.ECONNREFUSED),  # the socket was lost: the next attempt opens another
    )
)


def since_boot() -> float:
    """Seconds since this machine was started, those included in which it slept."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Collector:
    """Reads the kernel's table.

    `read_kernel` is told the number of flows and returns the state of the kernel. `reader` runs one thing at a time,
    in another thread than `tick`. Without a `pipeline`, flows are what the kernel says of them and no more. `tidy`
    gives memory back: after the first tick, every TIDY_S, and when the table is forgotten.
    """

    def __init__(
        self,
        netlink: NetlinkSocket,
        read_kernel: Callable[[int], KernelState],
        reader: Executor,
        pipeline: Pipeline | None = None,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
        since_boot: Callable[[], float] = since_boot,
        tidy: Callable[[], None] = lambda: None,
    ) -> None:
        self._netlink = netlink
        self._read_kernel = read_kernel
        self._reader = reader
        self._pipeline = pipeline
        self._monotonic = monotonic
        self._wall = wall
        self._since_boot = since_boot
        self._tidy = tidy
        self._tidy_at_s: float | None = None
        self._booted_s: float | None = None
        self._decoder = Decoder()
        self._table = FlowTable()
        self._expected = 0

    def tick(self, mean_s: Collection[float] = (), watched: Collection[int] = ()) -> Tick:
        """Take one sample. Raises NetlinkError or MalformedMessage; the next tick starts afresh then.

        `mean_s`: over how many seconds somebody wants means of the rates. `watched`: keys of flows whose details
        somebody has open.
        """
        started = self._monotonic()
        self._tidy_up(started)
        batch = self._dump()
        # room for some growth, so that the next dump seldom has to move its columns
        self._expected = batch.size + batch.size // 16 + 256
        snapshot = self._table.apply(batch, self._now(), mean_s)
        lost, events, places = 0, Events.OFF, None
        if self._pipeline is not None:
            snapshot = self._pipeline.enrich(snapshot, watched)
            lost, events, places = self._pipeline.events_lost, self._pipeline.events, self._pipeline.places
        kernel = self._read_kernel(snapshot.size)
        moved = sample(snapshot)
        took_s = self._monotonic() - started
        return Tick(snapshot, kernel, took_s, lost, sample=moved, places=places, events=events)

    def rest(self) -> None:
        """Do nothing until the next tick: those who look have paused."""
        if self._pipeline is not None:
            self._pipeline.rest()

    def forget(self) -> None:
        """Free what was kept for the next tick; it will have no rates."""
        if self._pipeline is not None:
            self._pipeline.forget()
        self._table.forget()
        self._netlink.close()
        self._tidy()
        self._tidy_at_s = None

    def _tidy_up(self, now_s: float) -> None:
        """Give memory back where it is time: before a tick, when nobody is being answered."""
        if self._tidy_at_s is None:
            self._tidy_at_s = now_s  # the first tick takes more than any other
        elif now_s >= self._tidy_at_s:
            self._tidy_at_s = now_s + TIDY_S
            self._tidy()

    def _now(self) -> Moment:
        """The time, and whether the wall clock was set: it is then another time at which this machine was started."""
        wall_s, before_s = self._wall(), self._booted_s
        self._booted_s = wall_s - self._since_boot()
        set_s = 0.0 if before_s is None else self._booted_s - before_s
        if abs(set_s) < STEP_S and before_s is not None:
            self._booted_s, set_s = before_s, 0.0  # a clock that is slewed, or two that are not read at the same time
        return Moment(wall_s, self._monotonic(), set_s)

    def _dump(self) -> Batch:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                batch = self._dump_once()
            except NetlinkError as error:
                if error.errno not in _AGAIN or attempt == ATTEMPTS:
                    raise
            else:
                if not batch.interrupted:
                    break
        return batch

    def _dump_once(self) -> Batch:
        self._decoder.begin(self._expected)
        with contextlib.closing(self._netlink.dump(dump_request)) as blocks:
            read = self._read(blocks)
            while read is not None:
                block, at_s = read
                # nothing follows the last block, and small tables have no other: no thread is woken for them
                ahead = None if block.last else self._reader.submit(self._read, blocks)
                try:
                    self._decoder.feed(block.data, block.seq, at_s)
                finally:  # also when it raised: the dump cannot be closed while it is being read
                    read = self._read(blocks) if ahead is None else ahead.result()
        return self._decoder.finish()

    def _read(self, blocks: Generator[Block, None, None]) -> tuple[Block, float] | None:
        """Read the next block; return it with the time, None after the last."""
        for block in blocks:
            return block, self._monotonic()
        return None
