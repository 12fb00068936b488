"""The columns of a batch, and the record: all columns of one entry side by side, in the kernel's byte order.

    record  ┌ family, has ┬ src ┬ dst ┬ … ┬ orig_bytes ┬ … ┐   32-bit words; a value begins with its word
            └ 1 word      ┴ 4   ┴ 4   ┴   ┴ 2          ┴   ┘

Messages of any layout become records with one copy of words (`ctlayout`), and the records of a whole block become
columns with one pass a column, however many layouts there were.
"""

import contextlib
from collections.abc import Container
from enum import IntFlag
from mmap import MADV_HUGEPAGE, MAP_ANONYMOUS, MAP_PRIVATE, mmap
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

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
    "stop_ns": "u8",
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
address as its high and low 64 bits. Units: bytes, packets, seconds (`timeout`), Unix nanoseconds (`start_ns`,
`stop_ns`; the latter only where the kernel says that an entry was destroyed). The widest come first: one behind the
other in memory, each is aligned.
"""

Columns = dict[str, NDArray[Any]]
Records = NDArray[np.uint32]
"""Shape (n, RECORD_WORDS)."""


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

_OURS: Final = frozenset(("family", "has", "sampled_s"))
_WORDS: Final = {"u8,u8": 4, "u8": 2, "u4": 1, "u2": 1, "u1": 1}

FIRST_WORD: Final = 0
"""The word that holds `family` and `has` in its first two bytes."""


def _places() -> dict[str, int]:
    places, word = {}, FIRST_WORD + 1
    for name, dtype in COLUMNS.items():
        if name not in _OURS:
            places[name] = word
            word += _WORDS[dtype]
    return places


PLACES: Final = _places()
"""The first word of every value that comes from an attribute."""

RECORD_WORDS: Final = max(at + _WORDS[COLUMNS[name]] for name, at in PLACES.items())

_BYTES: Final = {"family": FIRST_WORD * 4, "has": FIRST_WORD * 4 + 1} | {name: at * 4 for name, at in PLACES.items()}


def words_of(name: str) -> int:
    """How many words of a record the value takes."""
    return _WORDS[COLUMNS[name]]


def has_bits(names: Container[str]) -> int:
    """The `Has` bits of an entry that carries these values."""
    return sum(bit for name, bit in _HAS_BY_NAME.items() if name in names)


# made once: to read a dtype's text takes longer than to make a small column
_DTYPES: Final = {name: np.dtype(dtype[:2]) for name, dtype in COLUMNS.items()}
_PAIRS: Final = frozenset(name for name, dtype in COLUMNS.items() if dtype == "u8,u8")
_UNPACKED: Final = [
    (name, _BYTES[name], np.dtype(f">{COLUMNS[name][:2]}"), name in _PAIRS) for name in COLUMNS if name in _BYTES
]

ROW_BYTES: Final = sum(_DTYPES[name].itemsize * (1 + (name in _PAIRS)) for name in COLUMNS)

_MAPPED: Final = 128 * 1024
"""Bytes from which the columns of a batch are mapped and not taken from the heap. They live from one tick to the next,
and would leave holes there, in all sizes. Huge pages spare 4 000 faults a tick at 100 000 flows."""


def carries(has: NDArray[Any], bit: Has) -> NDArray[np.bool_]:
    """Tell which rows of a `has` column carry this."""
    # of the column's own type: with an IntFlag as it is, numpy makes everything eight bytes wide
    return (has & np.uint8(bit)).astype(np.bool_)


def allocate(size: int) -> Columns:
    """Make columns of that many rows, not initialised. Large ones are one mapping, which goes with the last of them."""
    shapes = {name: (size, 2) if name in _PAIRS else (size,) for name in _DTYPES}
    if size * ROW_BYTES < _MAPPED:
        return {name: np.empty(shapes[name], dtype) for name, dtype in _DTYPES.items()}
    mapped = mmap(-1, size * ROW_BYTES, flags=MAP_PRIVATE | MAP_ANONYMOUS)
    with contextlib.suppress(OSError):  # a kernel without huge pages
        mapped.madvise(MADV_HUGEPAGE)
    columns, start = {}, 0
    for name, dtype in _DTYPES.items():
        columns[name] = np.ndarray(shapes[name], dtype, mapped, start)
        start += columns[name].nbytes
    return columns


def unpack(records: Records, columns: Columns, first: int) -> None:
    """Write the records into the rows of the columns from `first` on, all columns but `sampled_s`."""
    count, stride = len(records), records.strides[0]
    if not count:
        return
    rows = slice(first, first + count)
    for name, offset, dtype, paired in _UNPACKED:
        # a view of the value in every record; the assignment copies it, swaps its bytes and aligns it
        shape, strides = ((count, 2), (stride, 8)) if paired else ((count,), (stride,))
        columns[name][rows] = np.ndarray(shape, dtype, records, offset, strides)
