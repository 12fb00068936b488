"""Conntrack messages to columns: the decoder of the hot path. Blocks of a dump in, one `Batch` out, no I/O.

    block ─▶ nlmsg.split ─▶ by length ─▶ by layout ─▶ ctlayout.extract ─▶ records ─▶ ctrecord.unpack ─▶ columns
                                   └─ few, or of too many layouts ─▶ ctentry.decode_entry ────────────▶ columns

Rules: a column holds 0 where a message does not carry the value, and `has` says which it carries: 0 is not
unknown. A message that lies about a length raises MalformedMessage and no row is made of its block.
Rows come out grouped by layout within a block, not in the order of the dump: nobody may rely on their order.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from flowtopd.netlink import uapi
from flowtopd.netlink.ctentry import PAYLOAD, decode_entry
from flowtopd.netlink.ctlayout import Layout, Matrix, extract, gather, learn, matches
from flowtopd.netlink.ctrecord import RECORD_WORDS, Columns, allocate, has_bits, unpack
from flowtopd.netlink.nlmsg import HEADER_WORDS, NFGENMSG, Indices, MalformedMessage, Split, Words, request, split

DUMP_TYPE: Final = uapi.NFNL_SUBSYS_CTNETLINK << 8 | uapi.IPCTNL_MSG_CT_NEW
"""nlmsg_type of every entry in a dump."""

MIN_GROUP: Final = 8
"""Fewer messages than this are decoded one by one where their layout is not known yet: to learn it costs as much."""

MAX_LAYOUTS: Final = 256
"""Real tables show a dozen. Beyond this many the messages are hostile or broken, and are decoded one by one."""

FORGET_AFTER: Final = 512
"""Batches that may be decoded with as many layouts: those of now may be others than those of months ago."""


FAMILY_MASK: Final = int(np.frombuffer(bytes((0xFF, 0, 0, 0)), np.uint32)[0])
"""The byte of nfgen_family in the first word of nfgenmsg."""


@dataclass(frozen=True, slots=True)
class Batch:
    """All entries of one dump. `columns` has every name of COLUMNS, all of length `size`."""

    size: int
    columns: Columns
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


class Decoder:
    """Decodes dumps, and remembers the layouts it has seen from one to the next.

    Use: `begin`, then `feed` every block, then `finish`. A dump that is given up is simply begun anew.
    """

    def __init__(self) -> None:
        self._layouts: dict[int, list[Layout]] = {}
        self._layout_count = 0
        self._full_for = 0
        self._rare: dict[int, int] = {}
        self._columns: Columns = {}
        self._records = np.empty((0, RECORD_WORDS), np.uint32)
        self._recorded = 0
        self._singles: list[tuple[int, int]] = []
        self._splits: list[Split] = []
        self._guesses = iter(self._splits)
        self._size = 0
        self._interrupted = False

    def begin(self, expected: int) -> None:
        """Begin a batch of about `expected` rows; more may come."""
        self._full_for = self._full_for + 1 if self._layout_count >= MAX_LAYOUTS else 0
        if self._full_for > FORGET_AFTER:
            self._layouts, self._layout_count, self._full_for = {}, 0, 0
        self._columns = allocate(expected)
        self._guesses = iter(self._splits)
        self._splits = []
        self._size = 0
        self._interrupted = False

    def feed(self, block: Any, seq: int, at_s: float) -> None:
        """Decode a block of whole messages (bytes-like, 4-byte aligned) that was read at `at_s` (monotonic).

        Raises MalformedMessage; the rows of the block are dropped then.
        """
        words = np.frombuffer(block, np.uint32)
        if not words.size:
            return
        found = split(words, DUMP_TYPE, uapi.NLM_F_MULTI, seq, next(self._guesses, None))
        self._splits.append(found)
        self._append(words, block, found, at_s)

    def feed_events(self, block: Any, found: Split, at_s: float) -> None:
        """Decode the events that were found in a block. Raises MalformedMessage as `feed` does."""
        if found.offsets.size:
            self._append(np.frombuffer(block, np.uint32), block, found, at_s)

    def _append(self, words: Words, block: Any, found: Split, at_s: float) -> None:
        rows = self._reserve(len(found.offsets))
        self._decode(words, block, found)
        self._size = rows.stop
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
            grown = allocate(max(end, capacity * 3 // 2))
            for name, column in self._columns.items():
                grown[name][: self._size] = column[: self._size]
            self._columns = grown
        return slice(self._size, end)

    def _decode(self, words: Words, block: Any, found: Split) -> None:
        """Write the rows of a block behind those that are there."""
        if found.lengths.min() < PAYLOAD:
            raise MalformedMessage(int(found.offsets[found.lengths.argmin()]), "a message without nfgenmsg")
        if len(self._records) < len(found.offsets):
            self._records = np.empty((len(found.offsets), RECORD_WORDS), np.uint32)
        self._recorded = 0
        self._singles = []
        self._decode_groups(words, block, found)
        unpack(self._records[: self._recorded], self._columns, self._size)
        self._decode_singles(block, self._size + self._recorded)

    def _decode_groups(self, words: Words, block: Any, found: Split) -> None:
        # family and length together keep nearly all layouts apart, so that whole groups match at once
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
            self._note_singles(offsets, key >> 32)
            self._note_rare(key, len(offsets))

    def _note_rare(self, key: int, count: int) -> None:
        """Have a kind of message that is rare but comes in every dump learned with the next one."""
        seen = self._rare[key] = self._rare.get(key, 0) + count
        if seen >= MIN_GROUP:
            del self._rare[key]
            if len(self._layouts) < MAX_LAYOUTS:
                self._layouts[key] = []
        elif len(self._rare) > MAX_LAYOUTS:
            self._rare.clear()

    def _decode_group(self, words: Words, block: Any, offsets: Indices, key: int) -> None:
        """Decode messages of one length and family: by the layouts known, then by those learned from what is left."""
        length = key >> 32
        known = self._layouts.get(key, [])
        matrix = gather(words, offsets >> 2, length)
        tried = 0
        while len(offsets):
            if tried == len(known):
                if self._layout_count >= MAX_LAYOUTS or (known and len(offsets) < MIN_GROUP):
                    self._note_singles(offsets, length)
                    return
                known.append(learn(block, int(offsets[0]), int(offsets[0]) + length))
                self._layouts[key] = known
                self._layout_count += 1
            layout = known[tried]
            tried += 1
            same = matches(layout, matrix)
            if same is None:
                self._extract(layout, matrix)
                return
            self._extract(layout, matrix[same])
            offsets, matrix = offsets[~same], matrix[~same]

    def _extract(self, layout: Layout, matrix: Matrix) -> None:
        end = self._recorded + len(matrix)
        extract(layout, matrix, self._records[self._recorded : end])
        self._recorded = end

    def _note_singles(self, offsets: Indices, length: int) -> None:
        self._singles += ((offset, offset + length) for offset in offsets.tolist())

    def _decode_singles(self, block: Any, first: int) -> None:
        """Decode one by one what belongs to no layout, into the rows from `first` on."""
        for row, (start, end) in enumerate(self._singles, first):
            entry = decode_entry(block, start, end)
            for name, column in self._columns.items():
                value = entry.get(name, 0)
                column[row] = (value >> 64, value & 0xFFFF_FFFF_FFFF_FFFF) if column.ndim == 2 else value
            self._columns["has"][row] = has_bits(entry)
