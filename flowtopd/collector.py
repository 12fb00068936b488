"""One tick: dump → decode → table → snapshot. Runs in a thread of its own; one at a time.

    NetlinkSocket.dump ─▶ Decoder.feed … finish ─▶ FlowTable.apply ─▶ Tick

A dump that the kernel calls inconsistent, or that lost answers, is read again; the table only ever sees whole
ones. When it stays inconsistent the last one counts: flows listed twice are made one by the table, and what was
missed is in the next tick.
"""

import errno
import time
from collections.abc import Callable
from typing import Final

from flowtopd.flows.snapshot import KernelState, Moment, Tick
from flowtopd.flows.table import FlowTable
from flowtopd.netlink.ctnetlink import Batch, Decoder, dump_request
from flowtopd.netlink.nlmsg import NetlinkError
from flowtopd.netlink.nlsocket import NetlinkSocket

ATTEMPTS: Final = 3

_AGAIN: Final = frozenset({errno.ENOBUFS, errno.EINTR, errno.EBUSY})


class Collector:
    """Reads the kernel's table. `read_kernel` is told the number of flows and returns the state of the kernel."""

    def __init__(
        self,
        netlink: NetlinkSocket,
        read_kernel: Callable[[int], KernelState],
        monotonic: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._netlink = netlink
        self._read_kernel = read_kernel
        self._monotonic = monotonic
        self._wall = wall
        self._decoder = Decoder()
        self._table = FlowTable()
        self._expected = 0

    def tick(self) -> Tick:
        """Take one sample. Raises NetlinkError or MalformedMessage; the next tick starts afresh then."""
        started = self._monotonic()
        batch = self._dump()
        # room for some growth, so that the next dump seldom has to move its columns
        self._expected = batch.size + batch.size // 8 + 256
        snapshot = self._table.apply(batch, Moment(self._wall(), self._monotonic()))
        kernel = self._read_kernel(snapshot.size)
        return Tick(snapshot, kernel, self._monotonic() - started)

    def forget(self) -> None:
        """Free what was kept for the next tick; it will have no rates."""
        self._table.forget()
        self._netlink.close()

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
        for block, seq in self._netlink.dump(dump_request):
            self._decoder.feed(block, seq, self._monotonic())
        return self._decoder.finish()
