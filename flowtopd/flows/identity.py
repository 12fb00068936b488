"""Which flow a row is, as one 64-bit number that stays the same from tick to tick.

CTA_ID alone is a 32-bit hash: of 100 000 flows two will share one. The key mixes it with the whole original tuple
and the zone, 360 bits in all, into 64: two of 1 000 000 flows share a key with a probability of 3 in 10⁸
(n²/2⁶⁵). Nobody on the network can aim for that, because CTA_ID is a keyed hash of the kernel's
(nf_ct_get_id, net/netfilter/nf_conntrack_core.c).

A slot of the kernel can be used again for the same tuple and then has the same CTA_ID; the start time tells the two
apart, and is compared beside the key.
"""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

IDENTITY: Final = (
    "ctid",
    "start_ns",
    "src",
    "dst",
    "sport",
    "dport",
    "proto",
    "zone",
    "family",
    "icmp_id",
    "icmp_type",
    "icmp_code",
)
"""Columns that are the same in two ticks where it is the same flow: those of the key, and the start."""

_MULTIPLIER: Final = np.uint64(0x9E3779B97F4A7C15)  # 2^64 / golden ratio, odd (Knuth, TAOCP 6.4)
_SHIFT: Final = np.uint64(29)


def flow_keys(columns: dict[str, NDArray[Any]]) -> NDArray[np.uint64]:
    """Return the key of every row, from the columns of a batch."""

    def shifted(name: str, bits: int) -> NDArray[np.uint64]:
        made: NDArray[np.uint64] = np.left_shift(columns[name], np.uint64(bits), dtype=np.uint64)
        return made

    ports = shifted("sport", 48) | shifted("dport", 32) | shifted("icmp_id", 16) | columns["zone"]
    kinds = shifted("ctid", 32) | shifted("proto", 24) | shifted("family", 16)
    kinds |= shifted("icmp_type", 8) | columns["icmp_code"]
    src, dst = columns["src"], columns["dst"]
    keys = kinds
    for word in (src[:, 0], src[:, 1], dst[:, 0], dst[:, 1], ports):
        keys *= _MULTIPLIER
        keys ^= keys >> _SHIFT
        keys ^= word
    for _round in range(2):
        keys *= _MULTIPLIER
        keys ^= keys >> _SHIFT
    return keys
