"""Every column of a snapshot, once: what the kernel sent, what the table makes of it, and what it points at.

A column is a numpy array of one value a flow, read-only once it has left the table. The kernel's columns are those
of `netlink.ctnetlink.COLUMNS`, with two changes that the table makes: counters go on where another program
set them back, and rows stand for flows (no flow twice).
"""

from typing import Final

from flowtopd.netlink.ctrecord import COLUMNS

COUNTERS: Final = ("orig_packets", "orig_bytes", "reply_packets", "reply_bytes")
RATES: Final = ("orig_rate", "reply_rate")

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

JOINED: Final[dict[str, str]] = {
    "src_at": "i4",
    "dst_at": "i4",
    "reply_src_at": "i4",
    "reply_dst_at": "i4",
    "local_at": "i4",
    "owner": "i4",
    "attribution": "u1",
    "service": "i4",
    "service_port": "u2",
    "service_by": "u1",
    "direction": "u1",
    "own": "?",
}
"""Where a flow stands in the dimensions, see `flows.dimensions`; all 0 until an enricher fills them in.

`src_at`, `dst_at`, `reply_src_at`, `reply_dst_at`, `local_at`: rows of the address table; `local_at` is the end in this
house, 0 where there is none. `owner`, `service`: ids. `attribution`, `service_by`, `direction`: codes of the enums.
`own`: the daemon's own lookup of a name.
"""

SCHEMA: Final[dict[str, str]] = COLUMNS | DERIVED | JOINED
