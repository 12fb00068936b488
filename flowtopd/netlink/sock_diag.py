"""The sockets of this host to columns: requests for sock_diag, and the decoder of its answers. Bytes only, no I/O.

    inet_diag_msg  ┌ family state timer retrans ┬ sport dport ┬ src 16 ┬ dst 16 ┬ if ┬ cookie 8 ┬ … ┬ uid ┬ inode ┐
    after nlmsghdr └ u8                         ┴ be16        ┴        ┴        ┴    ┴          ┴   ┴     ┴       ┘
                   then attributes, of which two matter: INET_DIAG_SKV6ONLY and INET_DIAG_CGROUP_ID

Rules: addresses are 128 bits, those of AF_INET sockets IPv4-mapped, so that an IPv4 flow meets both an AF_INET socket
and an AF_INET6 one that serves IPv4. The kernel calls the local end source. `inode` 0 is a socket without a file: not
yet accepted, or closed by its process. What a message does not carry is 0. A message that lies about a length raises
MalformedMessage. Source: linux/inet_diag.h, net/ipv4/{inet,tcp,udp}_diag.c.

The first 88 bytes of all messages are read at once; attributes are learned from one message of each length and hold
for all whose attribute headers are equal, as in `ctlayout`.
"""

import struct
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from flowtopd.netlink import uapi
from flowtopd.netlink.nlmsg import NLATTR, NLMSGHDR, Indices, MalformedMessage, Split, Words, attributes, request, split

COLUMNS: Final[dict[str, str]] = {
    "local": "u8,u8",
    "remote": "u8,u8",
    "cgroup": "u8",
    "inode": "u4",
    "uid": "u4",
    "ifindex": "u4",
    "local_port": "u2",
    "remote_port": "u2",
    "family": "u1",
    "protocol": "u1",
    "state": "u1",
    "v6only": "u1",
}
"""Columns of a table of sockets. `u8,u8`: an address as its high and low 64 bits, shape (n, 2). `cgroup`: the id of the
cgroup v2, which is the inode number of its directory (since Linux 5.8). `state`: one of net/tcp_states.h."""

Columns = dict[str, NDArray[Any]]

ALL_STATES: Final = 0xFFFF_FFFF
LIVE: Final = ALL_STATES & ~(1 << uapi.TCP_TIME_WAIT)
"""What processes may hold. A busy server has many more sockets in TIME_WAIT, and nobody holds those."""

REQUEST: Final = struct.Struct("=BBBxI")  # struct inet_diag_req_v2 up to the id
_PORTS: Final = struct.Struct(">HH")
_ANY: Final = struct.Struct("=III").pack(0, uapi.INET_DIAG_NOCOOKIE, uapi.INET_DIAG_NOCOOKIE)
_EMPTY_ID: Final = bytes(48)
_DATAGRAMS: Final = frozenset((17, 136))
"""UDP and UDP-lite. An exact request for them is read as a packet that arrives: its source is the remote end."""

_PAYLOAD: Final = NLMSGHDR.size + 72
"""Where the attributes of a message begin."""

_MAPPED: Final = np.uint64(0xFFFF << 32)
_FIELDS: Final = {"family": (16, "u1"), "state": (17, "u1"), "local_port": (20, ">u2"), "remote_port": (22, ">u2")} | {
    name: (offset, "u4") for name, offset in (("ifindex", 56), ("uid", 80), ("inode", 84))
}
_ADDRESSES: Final = {"local": 24, "remote": 40}


@dataclass(frozen=True, slots=True)
class Question:
    """The ends of one connection: numbers of family and protocol, addresses as their halves."""

    family: int
    protocol: int
    local: tuple[int, int]
    local_port: int
    remote: tuple[int, int]
    remote_port: int


def dump_request(family: int, protocol: int, states: int, seq: int) -> bytes:
    """Build the request for all sockets of one family and protocol in these states (a mask)."""
    payload = REQUEST.pack(family, protocol, 0, states) + _EMPTY_ID
    return request(uapi.SOCK_DIAG_BY_FAMILY, uapi.NLM_F_REQUEST | uapi.NLM_F_DUMP, seq, payload)


def exact_request(question: Question, seq: int) -> bytes:
    """Build the request for the socket that would receive what the remote end sends.

    That is the connected one, else one that is bound to the local port: check the tuple that comes back.
    """
    ends = [
        (_packed(question.family, question.local), question.local_port),
        (_packed(question.family, question.remote), question.remote_port),
    ]
    if question.protocol in _DATAGRAMS:
        ends.reverse()
    (src, sport), (dst, dport) = ends
    payload = REQUEST.pack(question.family, question.protocol, 0, ALL_STATES)
    payload += _PORTS.pack(sport, dport) + src + dst + _ANY
    return request(uapi.SOCK_DIAG_BY_FAMILY, uapi.NLM_F_REQUEST, seq, payload)


def _packed(family: int, address: tuple[int, int]) -> bytes:
    high, low = address
    if family == uapi.AF_INET:
        return (low & 0xFFFF_FFFF).to_bytes(4) + bytes(12)
    return high.to_bytes(8) + low.to_bytes(8)


def empty() -> Columns:
    """No sockets."""
    return {
        name: np.zeros((0, 2), np.uint64) if dtype == "u8,u8" else np.zeros(0, dtype) for name, dtype in COLUMNS.items()
    }


def joined(parts: Iterable[Columns]) -> Columns:
    """One table of several."""
    tables = [empty(), *parts]
    return {name: np.concatenate([table[name] for table in tables]) for name in COLUMNS}


def decode_dump(block: Any, seq: int, protocol: int) -> Columns:
    """Decode a block of a dump (bytes-like, 4-byte aligned, whole messages). Raises MalformedMessage."""
    words = np.frombuffer(block, np.uint32)
    if not words.size:
        return empty()
    return decode(block, split(words, uapi.SOCK_DIAG_BY_FAMILY, uapi.NLM_F_MULTI, seq), protocol)


def decode(block: Any, found: Split, protocol: int) -> Columns:
    """Decode the messages that were found in a block. Raises MalformedMessage."""
    words = np.frombuffer(block, np.uint32)
    if not found.offsets.size:
        return empty()
    if found.lengths.min() < _PAYLOAD:
        raise MalformedMessage(int(found.offsets[found.lengths.argmin()]), "a message without inet_diag_msg")
    starts = found.offsets >> 2
    width = _PAYLOAD >> 2
    # every row of this view begins one word after the one before it, so that indexing rows copies whole messages
    heads = np.ndarray((words.size - width + 1, width), np.uint32, words, 0, (4, 4))[starts]
    columns = {name: _field(heads, offset, dtype) for name, (offset, dtype) in _FIELDS.items()}
    for name, offset in _ADDRESSES.items():
        columns[name] = _addresses(heads, offset, columns["family"] == uapi.AF_INET)
    columns["protocol"] = np.full(len(starts), protocol, np.uint8)
    columns["v6only"] = np.zeros(len(starts), np.uint8)
    columns["cgroup"] = np.zeros(len(starts), np.uint64)
    for length in set(found.lengths.tolist()):
        rows = np.flatnonzero(found.lengths == length)
        while rows.size:
            rows = _read_attributes(block, words, starts, rows, columns, length=length)
    return columns


def _field(heads: NDArray[np.uint32], offset: int, dtype: str) -> NDArray[Any]:
    values: NDArray[Any] = np.ndarray((len(heads),), dtype, heads, offset, (heads.strides[0],))
    return values.astype(values.dtype.newbyteorder("="))


def _addresses(heads: NDArray[np.uint32], offset: int, is_ipv4: NDArray[np.bool_]) -> NDArray[np.uint64]:
    pairs = np.ndarray((len(heads), 2), ">u8", heads, offset, (heads.strides[0], 8)).astype(np.uint64)
    if is_ipv4.any():
        ipv4 = pairs[is_ipv4, 0] >> np.uint64(32) | _MAPPED
        pairs[is_ipv4, 0] = 0
        pairs[is_ipv4, 1] = ipv4
    return pairs


def _read_attributes(
    block: Any, words: Words, starts: Indices, rows: Indices, columns: Columns, *, length: int
) -> Indices:
    """Read the attributes of messages of one length that are laid out as the first; return the rows of the others."""
    headers, v6only_at, cgroup_at = _learn(block, int(starts[rows[0]]) * 4, length)
    at = starts[rows]
    same = (words[at[:, None] + headers] == words[at[0] + headers]).all(axis=1)
    chosen = rows[same]
    at = starts[chosen]
    if v6only_at:
        columns["v6only"][chosen] = np.frombuffer(block, np.uint8)[at * 4 + v6only_at]
    if cgroup_at:
        halves = words[at[:, None] + (cgroup_at // 4 + np.arange(2))]
        columns["cgroup"][chosen] = halves.view(np.uint64)[:, 0]
    others: Indices = rows[~same]
    return others


def _learn(block: Any, start: int, length: int) -> tuple[Indices, int, int]:
    """Return the words of the attribute headers, and the bytes of v6only and cgroup id, 0 where they are missing.

    All of them count from the beginning of the message.
    """
    headers, found = [], {uapi.INET_DIAG_SKV6ONLY: 0, uapi.INET_DIAG_CGROUP_ID: 0}
    for kind, value, end in attributes(block, start + _PAYLOAD, start + length):
        headers.append((value - NLATTR.size - start) // 4)
        if kind in found:
            if end - value != _SIZES[kind]:
                raise MalformedMessage(value, f"attribute {kind} of {end - value} bytes, not {_SIZES[kind]}")
            found[kind] = value - start
    return np.array(headers, np.intp), found[uapi.INET_DIAG_SKV6ONLY], found[uapi.INET_DIAG_CGROUP_ID]


_SIZES: Final = {uapi.INET_DIAG_SKV6ONLY: 1, uapi.INET_DIAG_CGROUP_ID: 8}
