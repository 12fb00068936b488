"""A kernel's table of arrays: flows that come, move and go, written as the messages that ctnetlink would send.

    one message of each layout, made once ─▶ a matrix of as many copies as flows ─▶ values put into their places

A dump of 1 000 flows takes 0.1 ms. Two layouts: TCP over IPv4, UDP over IPv6, both with counters and a start.
"""

import struct
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from flowtopd.netlink.nlmsg import Split
from tests.flowtopd.netlink.ctmessages import attr, ip, message, nest, ports

NEW: Final = 1 << 8
DELETE: Final = 1 << 8 | 2
_START, _STOP = 1, 2
_MARKS: Final = {
    "src": ">u4",
    "dst": ">u4",
    "reply_src": ">u4",
    "reply_dst": ">u4",
    "sport": ">u2",
    "dport": ">u2",
    "reply_sport": ">u2",
    "reply_dport": ">u2",
    "orig_packets": ">u8",
    "orig_bytes": ">u8",
    "reply_packets": ">u8",
    "reply_bytes": ">u8",
    "start_ns": ">u8",
    "ctid": ">u4",
}
"""What is put into the messages. Of an IPv6 address the last 32 bits."""
_INVERSE: Final = {"reply_src": "dst", "reply_dst": "src", "reply_sport": "dport", "reply_dport": "sport"}
_BASE: Final = 4
"""The part of the flows, one in so many, that is UDP over IPv6."""


def _mark(name: str) -> bytes:
    """A value that stands nowhere else in the message, to find its place."""
    size = int(_MARKS[name][-1])
    return bytes((0xA0 + list(_MARKS).index(name),)) * size


class _Layout:
    """Messages of one kind: the bytes that all have, and where the others stand."""

    def __init__(self, family: int, proto: int, prefix: bytes) -> None:
        mark = {name: _mark(name) for name in _MARKS}
        orig = ip(1, prefix + mark["src"], prefix + mark["dst"], _ports(proto, mark["sport"], mark["dport"]))
        reply = ip(
            2,
            prefix + mark["reply_src"],
            prefix + mark["reply_dst"],
            _ports(proto, mark["reply_sport"], mark["reply_dport"]),
        )
        state = [nest(4, nest(1, attr(1, b"\x03")))] if proto == 6 else []
        self.bytes = message(
            *(family, orig, reply, attr(3, (0xE).to_bytes(4)), attr(7, (300).to_bytes(4))),
            nest(9, attr(1, mark["orig_packets"]), attr(2, mark["orig_bytes"])),
            nest(10, attr(1, mark["reply_packets"]), attr(2, mark["reply_bytes"])),
            nest(20, attr(_START, mark["start_ns"])),
            attr(12, mark["ctid"]),
            *state,
        )
        self._places = {name: self.bytes.index(value) for name, value in mark.items()}
        self._one = np.frombuffer(self.bytes, np.uint8)

    def write(self, values: dict[str, NDArray[Any]], kind: int, flags: int, seq: int) -> NDArray[np.uint8]:
        """The messages of these flows, a row each."""
        size = len(values["ctid"])
        matrix = np.tile(self._one, (size, 1))
        matrix[:, 4:12] = np.frombuffer(struct.pack("=HHI", kind, flags, seq), np.uint8)
        for name, place in self._places.items():
            found = values[_INVERSE.get(name, name)]
            written = found.astype(_MARKS[name]).view(np.uint8)
            width = int(_MARKS[name][-1])
            matrix[:, place : place + width] = written.reshape(size, width)
        return matrix


def _ports(proto: int, sport: bytes, dport: bytes) -> bytes:
    return ports(proto, int.from_bytes(sport), int.from_bytes(dport))


class Table:
    """The flows that live. `changed` of them end in each call of `change`, and as many begin."""

    most_bytes = 1_500_000
    """That a flow moves between two calls, in one direction."""

    def __init__(self, size: int, changed: int, seed: int = 3) -> None:
        self.size, self.changed = size, changed
        self._random = np.random.default_rng(seed)
        self._layouts = (_Layout(2, 6, b""), _Layout(10, 17, bytes.fromhex("20010db8") + bytes(8)))
        self._next_id = 1
        self._flows = self._new(size, 1_700_000_000.0)

    @property
    def ids(self) -> NDArray[np.uint32]:
        """CTA_ID of the flows that live."""
        ids: NDArray[np.uint32] = self._flows["ctid"].astype(np.uint32)
        return ids

    def _new(self, count: int, wall_s: float) -> dict[str, NDArray[Any]]:
        first, self._next_id = self._next_id, self._next_id + count
        draw = self._random.integers
        numbers = np.arange(first, first + count)
        return {
            "src": 0x0A00_0000 + draw(1, 250, count),
            "dst": draw(0x0B00_0000, 0xDF00_0000, count),
            "sport": 1024 + numbers % 60_000,
            "dport": draw(1, 2000, count),
            "ctid": numbers,
            "start_ns": np.full(count, int(wall_s * 1e9)),
        } | {name: np.zeros(count, np.int64) for name in ("orig_packets", "orig_bytes", "reply_packets", "reply_bytes")}

    def change(self, wall_s: float) -> tuple[memoryview, Split]:
        """Let flows move, end and begin; return the endings, as events."""
        flows, draw = self._flows, self._random.integers
        for name in ("orig", "reply"):
            moving = draw(0, 4, self.size) == 0
            moved = np.where(moving, draw(40, self.most_bytes, self.size), 0)
            flows[f"{name}_bytes"] += moved
            flows[f"{name}_packets"] += (moved + 1499) // 1500
        ending = np.zeros(self.size, np.bool_)
        ending[self._random.choice(self.size, self.changed, replace=False)] = True
        block, lengths = self._written({name: values[ending] for name, values in flows.items()}, DELETE, 0, 0)
        new = self._new(self.changed, wall_s)
        self._flows = {name: np.concatenate((values[~ending], new[name])) for name, values in flows.items()}
        return block, Split(np.cumsum(lengths) - lengths, lengths, interrupted=False)

    def set_back(self) -> None:
        """Do what a reader with CTRZERO does."""
        for name in ("orig_packets", "orig_bytes", "reply_packets", "reply_bytes"):
            self._flows[name][:] = 0

    def dump(self, seq: int) -> memoryview:
        """The messages of a dump."""
        return self._written(self._flows, NEW, 2, seq)[0]

    def _written(
        self, flows: dict[str, NDArray[Any]], kind: int, flags: int, seq: int
    ) -> tuple[memoryview, NDArray[np.intp]]:
        """The messages, and their lengths."""
        parts, lengths = [], []
        other = flows["ctid"] % _BASE == 0
        for layout, rows in zip(self._layouts, (~other, other), strict=True):
            found = layout.write({name: values[rows] for name, values in flows.items()}, kind, flags, seq)
            parts.append(found.reshape(-1))
            lengths.append(np.full(len(found), len(layout.bytes), np.intp))
        whole: Any = np.concatenate(parts)
        return memoryview(whole).cast("B"), np.concatenate(lengths)
