"""Conntrack messages to columns: the decoder of the hot path. Blocks of a dump in, one `Batch` out, no I/O.

    block ─▶ nlmsg.split ─▶ by length ─▶ by layout ─▶ ctlayout.extract ─▶ columns
                                   └─ few, or of too many layouts ─▶ ctentry.decode_entry ─▶ columns

Rules: a column holds 0 where a message does not carry the value, and `has` says which it carries: 0 is not
unknown. A message that lies about a length raises MalformedMessage and no row is made of its block.
Rows come out grouped by layout within a block, not in the order of the dump: nobody may rely on their order.
"""

from collections.abc import Container
from dataclasses import dataclass
from enum import IntFlag
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from flowtopd.netlink import uapi
from flowtopd.netlink.ctentry import PAYLOAD, decode_entry
from flowtopd.netlink.ctlayout import Layout, extract, gather, learn, matches
from flowtopd.netlink.nlmsg import HEADER_WORDS, NFGENMSG, Indices, MalformedMessage, Split, Words, request, split

COLUMNS: Final[dict[str, str]] = {
    "src": "u8,u8",
    "dst": "u8,u8",
    "reply_src": "u8,u8",
    "reply_dst": "u8,u8",
    "orig_packets": "u8",
    "orig_bytes": "u8",
    "reply_packets": "u8",
    "reply_bytes": "u8",
    "start_ns": "u8",
    "sampled_s": "f8",
    "ctid": "u4",
    "status": "u4",
    "timeout": "u4",
    "mark": "u4",
    "zone": "u2",
    "sport": "u2",
    "dport": "u2",
    "reply_sport": "u2",
    "reply_dport": "u2",
    "icmp_id": "u2",
    "icmp_type": "u1",
    "icmp_code": "u1",
    "family": "u1",
    "proto": "u1",
    "state": "u1",
    "has": "u1",
}
"""Columns of a batch and their dtypes. Names are those of `ctattrs`, and three of our own: `family` (AF_INET or
AF_INET6), `has` (`Has` bits), `sampled_s` (monotonic seconds when the block was read). `u8,u8` is shape (n, 2): an
address as its high and low 64 bits. Units: bytes, packets, seconds (`timeout`), Unix nanoseconds (`start_ns`).
"""

DUMP_TYPE: Final = uapi.NFNL_SUBSYS_CTNETLINK << 8 | uapi.IPCTNL_MSG_CT_NEW
"""nlmsg_type of every entry in a dump."""

MIN_GROUP: Final = 8
"""Fewer messages than this are decoded one by one where their layout is not known yet: to learn it costs as much."""

MAX_LAYOUTS: Final = 256
"""Real tables show a dozen. Beyond this many the messages are hostile or broken, and are decoded one by one."""


FAMILY_MASK: Final = int(np.frombuffer(bytes((0xFF, 0, 0, 0)), np.uint32)[0])
"""The byte of nfgen_family in the first word of nfgenmsg."""


class Has(IntFlag):
    """What a row carries."""

    PORTS = 1
    ICMP = 2
    STATE = 4
    COUNTERS = 8
    START = 16


_HAS_BY_NAME: Final = {
    "sport": int(Has.PORTS),
    "icmp_type": int(Has.ICMP),
    "state": int(Has.STATE),
    "orig_bytes": int(Has.COUNTERS),
    "start_ns": int(Has.START),
}


@dataclass(frozen=True, slots=True)
class Batch:
    """All entries of one dump. `columns` has every name of COLUMNS, all of length `size`."""

    size: int
    columns: dict[str, NDArray[Any]]
    interrupted: bool
    """The kernel said that the table changed in a way that makes this dump inconsistent (NLM_F_DUMP_INTR)."""


def dump_request(seq: int) -> bytes:
    """Build the request for all entries of all families. Never with CTRZERO: others read these counters too."""
    return _dump_request(uapi.IPCTNL_MSG_CT_GET, seq)


def stats_request(seq: int) -> bytes:
    """Build the request for the statistics of each processor: small, and allowed to whom the table is."""
    return _dump_request(uapi.IPCTNL_MSG_CT_GET_STATS_CPU, seq)


def _dump_request(message: int, seq: int) -> bytes:
    payload = NFGENMSG.pack(0, uapi.NFNETLINK_V0, 0)  # AF_UNSPEC: every family
    kind = uapi.NFNL_SUBSYS_CTNETLINK << 8 | message
    return request(kind, uapi.NLM_F_REQUEST | uapi.NLM_F_DUMP, seq, payload)


def _allocate(size: int) -> dict[str, NDArray[Any]]:
    # zeros come from calloc: pages that no message fills are never touched and cost nothing
    return {
        name: np.zeros((size, 2), np.uint64) if dtype == "u8,u8" else np.zeros(size, dtype)
        for name, dtype in COLUMNS.items()
    }


def _has(names: Container[str]) -> int:
    """The `Has` bits of an entry that carries these values."""
    return sum(bit for name, bit in _HAS_BY_NAME.items() if name in names)


class Decoder:
    """Decodes dumps, and remembers the layouts it has seen from one to the next.

    Use: `begin`, then `feed` every block, then `finish`. A dump that is given up is simply begun anew.
    """

    def __init__(self) -> None:
        self._layouts: dict[int, list[Layout]] = {}
        self._layout_count = 0
        self._rare: dict[int, int] = {}
        self._columns: dict[str, NDArray[Any]] = {}
        self._size = 0
        self._interrupted = False

    def begin(self, expected: int) -> None:
        """Begin a batch of about `expected` rows; more may come."""
        self._columns = _allocate(expected)
        self._size = 0
        self._interrupted = False

    def feed(self, block: Any, seq: int, at_s: float) -> None:
        """Decode a block of whole messages (bytes-like, 4-byte aligned) that was read at `at_s` (monotonic).

        Raises MalformedMessage; the rows of the block are dropped then.
        """
        words = np.frombuffer(block, np.uint32)
        if not words.size:
            return
        found = split(words, DUMP_TYPE, uapi.NLM_F_MULTI, seq)
        first = self._size
        rows = self._reserve(len(found.offsets))
        try:
            self._decode(words, block, found)
        except ValueError:
            self._size = first
            for column in self._columns.values():
                column[first:] = 0
            raise
        self._columns["sampled_s"][rows] = at_s
        self._interrupted |= found.interrupted

    def finish(self) -> Batch:
        """Return the batch. Its arrays belong to the caller; the next dump gets its own."""
        batch = Batch(
            self._size, {name: column[: self._size] for name, column in self._columns.items()}, self._interrupted
        )
        self._columns = {}
        return batch

    def _reserve(self, rows: int) -> slice:
        end = self._size + rows
        capacity = len(self._columns["has"])
        if end > capacity:
            grown = _allocate(max(end, capacity * 3 // 2))
            for name, column in self._columns.items():
                grown[name][: self._size] = column[: self._size]
            self._columns = grown
        return slice(self._size, end)

    def _decode(self, words: Words, block: Any, found: Split) -> None:
        # family and length together keep nearly all layouts apart, so that whole groups match at once
        if found.lengths.min() < PAYLOAD:
            raise MalformedMessage(int(found.offsets[found.lengths.argmin()]), "a message without nfgenmsg")
        keys = found.lengths << 32 | words[(found.offsets >> 2) + HEADER_WORDS] & FAMILY_MASK
        left = len(keys)
        for key in list(self._layouts):
            chosen = (keys == key).nonzero()[0]
            if len(chosen):
                left -= len(chosen)
                self._decode_group(words, block, found.offsets[chosen], key)
        if left:
            for key in set(keys.tolist()) - self._layouts.keys():
                self._decode_unknown(words, block, found.offsets[keys == key], key)

    def _decode_unknown(self, words: Words, block: Any, offsets: Indices, key: int) -> None:
        if len(offsets) >= MIN_GROUP:
            self._decode_group(words, block, offsets, key)
        else:
            self._decode_singly(block, offsets, key >> 32)
            self._note_rare(key, len(offsets))

    def _note_rare(self, key: int, count: int) -> None:
        """Have a kind of message that is rare but comes in every dump learned with the next one."""
        seen = self._rare[key] = self._rare.get(key, 0) + count
        if seen >= MIN_GROUP:
            del self._rare[key]
            self._layouts[key] = []
        elif len(self._rare) > MAX_LAYOUTS:
            self._rare.clear()

    def _decode_group(self, words: Words, block: Any, offsets: Indices, key: int) -> None:
        """Decode messages of one length and family: by the layouts known, then by those learned from what is left."""
        length = key >> 32
        known = self._layouts.setdefault(key, [])
        matrix = gather(words, offsets >> 2, length)
        tried = 0
        while len(offsets):
            if tried == len(known):
                if self._layout_count >= MAX_LAYOUTS or (known and len(offsets) < MIN_GROUP):
                    self._decode_singly(block, offsets, length)
                    return
                known.append(learn(block, int(offsets[0]), int(offsets[0]) + length))
                self._layout_count += 1
            layout = known[tried]
            tried += 1
            same = matches(layout, matrix)
            if same is None:
                self._extract(layout, matrix)
                return
            self._extract(layout, matrix[same])
            offsets, matrix = offsets[~same], matrix[~same]

    def _extract(self, layout: Layout, matrix: NDArray[np.uint32]) -> None:
        if not len(matrix):
            return
        rows = slice(self._size, self._size + len(matrix))
        extract(layout, matrix, self._columns, rows)
        self._columns["family"][rows] = layout.family
        self._columns["has"][rows] = _has(layout.names)
        self._size = rows.stop

    def _decode_singly(self, block: Any, offsets: Indices, length: int) -> None:
        for offset in offsets.tolist():
            entry = decode_entry(block, offset, offset + length)
            row = self._size
            for name, column in self._columns.items():
                value = entry.get(name, 0)
                column[row] = (value >> 64, value & 0xFFFF_FFFF_FFFF_FFFF) if column.ndim == 2 else value
            self._columns["has"][row] = _has(entry)
            self._size += 1
