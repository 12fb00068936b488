"""What the kernel said of flows when it destroyed them, on its way from the thread that hears it to the one that ticks.

    Watcher ── put: messages as they came ──▶ Endings ── take: all since the last tick, decoded together ──▶ tick

To keep messages costs 6 µs for any number of them, so that a storm of endings is as cheap as it can be; to decode one
by one what can be decoded in bulk would cost a hundred times as much. At most MOST are kept (about 3 MB), the oldest go
first: the next dump shows that those flows are gone all the same.
"""

import logging
import threading
from collections import deque
from typing import Final

import numpy as np

from flowtopd.flows.identity import flow_keys
from flowtopd.netlink.ctlayout import Matrix, gather
from flowtopd.netlink.ctnetlink import Decoder
from flowtopd.netlink.ctrecord import Columns
from flowtopd.netlink.nlmsg import Indices, MalformedMessage, Split

MOST: Final = 10_000

A_PART: Final = 1_024
"""Messages that are decoded together, for what is made on the way is as large as they are; a tenth of a millisecond."""

log = logging.getLogger(__name__)


class Endings:
    """One thread puts, another one takes."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: deque[tuple[Matrix, Indices]] = deque()
        self._count = 0
        self._decoder = Decoder()
        self._complaint = ""

    def put(self, block: memoryview, found: Split) -> None:
        """Keep the messages that were found in a block; each has as much room behind it as the longest needs."""
        if not found.offsets.size:
            return
        messages = gather(np.frombuffer(block, np.uint32), found.offsets >> 2, int(found.lengths.max()))
        with self._lock:
            self._kept.append((messages, found.lengths))
            self._count += len(messages)
            while self._count > MOST:
                messages, lengths = self._kept.popleft()
                over = min(len(messages), self._count - MOST)
                self._count -= over
                if over < len(messages):
                    self._kept.appendleft((messages[over:], lengths[over:]))

    def take(self, now_s: float) -> Columns:
        """Return what came since the last time: the columns of a batch, in no order, and `key`."""
        with self._lock:
            kept, self._kept = self._kept, deque()
            self._count = 0
        self._decoder.begin(sum(len(lengths) for _messages, lengths in kept))
        while kept:
            part = [kept.popleft()]
            while kept and sum(len(lengths) for _messages, lengths in part) < A_PART:
                part.append(kept.popleft())
            self._decode(part, now_s)
        columns = self._decoder.finish().columns
        columns["key"] = flow_keys(columns)
        return columns

    def _decode(self, part: list[tuple[Matrix, Indices]], now_s: float) -> None:
        rooms = np.concatenate([np.full(len(lengths), messages.shape[1] * 4) for messages, lengths in part])
        lengths = np.concatenate([lengths for _messages, lengths in part])
        block = np.concatenate([messages.reshape(-1) for messages, _lengths in part])
        found = Split(np.cumsum(rooms) - rooms, lengths, interrupted=False)
        try:
            self._decoder.feed_events(block.view(np.uint8), found, now_s)
        except MalformedMessage as error:
            if str(error) != self._complaint:  # once, not every tick
                log.warning("an event of an ended flow that makes no sense: %s", error)
            self._complaint = str(error)

    def clear(self) -> None:
        """Drop what is there."""
        with self._lock:
            self._kept.clear()
            self._count = 0
