"""What the kernel said of flows when it destroyed them, on its way from the thread that hears it to the one that ticks.

    Watcher ── put: messages as they came ──▶ Endings ── take: all since the last tick, decoded together ──▶ tick

To keep a message costs 0.3 µs, so that a storm of endings is as cheap as it can be; to decode one by one what can
be decoded in bulk would cost a hundred times as much. At most MOST are kept (about 4 MB), the oldest go first: the next
dump shows that those flows are gone all the same.
"""

import logging
from collections import deque
from typing import Final

import numpy as np

from flowtopd.flows.identity import flow_keys
from flowtopd.netlink.ctnetlink import Decoder
from flowtopd.netlink.ctrecord import Columns
from flowtopd.netlink.nlmsg import MalformedMessage, Split, align

MOST: Final = 10_000

log = logging.getLogger(__name__)


class Endings:
    """One thread puts, another one takes."""

    def __init__(self) -> None:
        self._messages: deque[bytes] = deque(maxlen=MOST)
        self._decoder = Decoder()
        self._complaint = ""

    def put(self, block: memoryview, found: Split) -> None:
        """Keep the messages that were found in a block."""
        places = zip(found.offsets.tolist(), found.lengths.tolist(), strict=True)
        self._messages.extend(bytes(block[at : at + length]) for at, length in places)

    def take(self, now_s: float) -> Columns:
        """Return what came since the last time: the columns of a batch, in no order, and `key`."""
        messages = [self._messages.popleft() for _ in range(len(self._messages))]
        lengths = np.array([len(message) for message in messages], np.intp)
        room = (lengths + 3) & ~3
        block = b"".join(message.ljust(align(len(message)), b"\0") for message in messages)
        self._decoder.begin(len(messages))
        try:
            self._decoder.feed_events(block, Split(np.cumsum(room) - room, lengths, interrupted=False), now_s)
        except MalformedMessage as error:
            if str(error) != self._complaint:  # once, not every tick
                log.warning("an event of an ended flow that makes no sense: %s", error)
            self._complaint = str(error)
        columns = self._decoder.finish().columns
        columns["key"] = flow_keys(columns)
        return columns

    def clear(self) -> None:
        """Drop what is there."""
        self._messages.clear()
