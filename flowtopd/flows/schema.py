"""Every column of a snapshot, once: what the kernel sent, and what the table makes of it.

A column is a numpy array of one value a flow, read-only once it has left the table. The kernel's columns are those
of `netlink.ctnetlink.COLUMNS`, with two changes that the table makes: counters go on where another program
set them back, and rows stand for flows (no flow twice).
"""

from typing import Final

from flowtopd.netlink.ctrecord import COLUMNS

COUNTERS: Final = ("orig_packets", "orig_bytes", "reply_packets", "reply_bytes")

DERIVED: Final[dict[str, str]] = {
    "key": "u8",
    "orig_rate": "f8",
    "reply_rate": "f8",
    "first_seen_s": "f8",
    "loopback": "?",
}
"""Made by the table. `key`: the identity of the flow, see `flows.identity`. Rates: bytes a second, NaN until two
samples exist or where nothing is counted. `first_seen_s`: Unix seconds of the first tick that had the flow.
`loopback`: one end is in 127.0.0.0/8 or is ::1.
"""

SCHEMA: Final[dict[str, str]] = COLUMNS | DERIVED
