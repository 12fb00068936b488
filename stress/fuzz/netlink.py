"""Netlink from a kernel that lies: dumps, events, answers and sockets, through the real readers.

    recorded messages ─ mutated ─▶ datagrams in a socket pair ─▶ NetlinkSocket, Subscription, Questioner ─▶ rows

What the columns say is held against a slow reader, message by message (`ctentry`; for sockets one of our own): the same
rows, or both refuse. Buffers are used again and again, as in the daemon, so that what stands behind a message is what
another one has left there.
"""

import contextlib
import errno
import socket
import struct
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from pathlib import Path
from random import Random
from typing import Any, Final, Self

import numpy as np

from flowtopd.netlink import rtnetlink, sock_diag, uapi
from flowtopd.netlink.ctentry import decode_entry
from flowtopd.netlink.ctnetlink import Batch, Decoder
from flowtopd.netlink.ctrecord import COLUMNS, has_bits
from flowtopd.netlink.datagrams import SLOT as EVENT_SLOT
from flowtopd.netlink.datagrams import Questioner, Subscription
from flowtopd.netlink.nlmsg import MalformedMessage, NetlinkError
from flowtopd.netlink.nlsocket import SLOT, NetlinkSocket
from stress.fuzz.mutate import mutated
from stress.fuzz.run import WrongAnswer

ROOT: Final = Path(__file__).parents[2]
DUMPS: Final = ROOT / "tests" / "flowtopd" / "netlink" / "dumps"
NEW: Final = uapi.NFNL_SUBSYS_CTNETLINK << 8 | uapi.IPCTNL_MSG_CT_NEW
DELETE: Final = uapi.NFNL_SUBSYS_CTNETLINK << 8 | uapi.IPCTNL_MSG_CT_DELETE
_HEAD: Final = struct.Struct("=IHHII")
_SEQ: Final = 0x5BD1E995
_SEQ_BYTES: Final = struct.pack("=I", _SEQ)
_NAMES: Final = [name for name in COLUMNS if name != "sampled_s"]
Row = tuple[Any, ...]


def _messages(data: bytes) -> list[bytes]:
    found, at = [], 0
    while at < len(data):
        length = _HEAD.unpack_from(data, at)[0]
        found.append(data[at : at + length])
        at += length + 3 & ~3
    return found


def _headed(message: bytes, kind: int, flags: int, seq: int) -> bytes:
    return _HEAD.pack(len(message), kind, flags, seq, 0) + message[_HEAD.size :]


@cache
def recorded(kind: int = NEW, flags: int = uapi.NLM_F_MULTI) -> tuple[tuple[bytes, ...], ...]:
    """The messages of each recorded dump, with this type and these flags."""
    files = (path.read_bytes() for path in sorted(DUMPS.glob("*.bin")))
    return tuple(tuple(_headed(one, kind, flags, _SEQ) for one in _messages(data)) for data in files)


class _Paired:
    """A socket pair in the place of the kernel: readers get `ours`, datagrams are put into `theirs`."""

    def __init__(self) -> None:
        self.last: object = b""
        self._ours, self._theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        for end in (self._ours, self._theirs):
            end.setblocking(False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._close()
        self._ours.close()
        self._theirs.close()

    def _open(self) -> socket.socket:
        """What a reader opens, and closes when something went wrong."""
        return self._ours.dup()

    def _drain(self) -> None:
        """Take what nobody has read: requests, and what comes behind a mistake."""
        for end in (self._ours, self._theirs):
            with contextlib.suppress(BlockingIOError):
                while end.recv(4096):
                    pass

    def _close(self) -> None:
        raise NotImplementedError


# flows


def _row(entry: dict[str, Any]) -> Row:
    values = entry | {"has": has_bits(entry)}
    return tuple(values.get(name, 0) for name in _NAMES)


def rows_of(batch: Batch) -> list[Row]:
    """The rows of a batch without the time, in a fixed order."""
    columns = [
        [high << 64 | low for high, low in batch.columns[name].tolist()]
        if batch.columns[name].ndim == 2
        else batch.columns[name].tolist()
        for name in _NAMES
    ]
    return sorted(zip(*columns, strict=True))


class Slow:
    """The general decoder, with a memory: most messages of a mutated dump are as they were."""

    def __init__(self) -> None:
        self._known: dict[bytes, Row | None] = {}

    def row(self, message: bytes) -> Row | None:
        """The row of a message, None where it is malformed. What its header says plays no part."""
        body = message[_HEAD.size :]
        if body not in self._known:
            if len(self._known) > 10_000:
                self._known.clear()
            try:
                self._known[body] = _row(decode_entry(message, 0, len(message)))
            except MalformedMessage:
                self._known[body] = None
        return self._known[body]

    def rows(self, block: bytes) -> tuple[list[Row], bool] | None:
        """The rows of a dump and whether it was interrupted; None where anything in it is wrong."""
        rows, interrupted, at = [], False, 0
        while at < len(block):
            if at + _HEAD.size > len(block):
                return None
            length, kind, flags, seq, _pid = _HEAD.unpack_from(block, at)
            if length < _HEAD.size or at + (length + 3 & ~3) > len(block):
                return None
            if (kind, flags & ~uapi.NLM_F_DUMP_INTR, seq) != (NEW, uapi.NLM_F_MULTI, _SEQ):
                return None
            interrupted |= bool(flags & uapi.NLM_F_DUMP_INTR)
            row = self.row(block[at : at + length])
            if row is None:
                return None
            rows.append(row)
            at += length + 3 & ~3
        return sorted(rows), interrupted


def some(chance: Random, dumps: Sequence[Sequence[bytes]]) -> list[bytes]:
    """Messages of a dump, sometimes of several, with many of one layout as in life; a few are mutated."""
    dump = chance.choice(dumps)
    first = chance.randrange(len(dump))
    chosen = list(dump[first : first + chance.randint(1, 24)])
    for _ in range(chance.choice((0, 1, 1, 1, 2, 3))):
        at = chance.randrange(len(chosen))
        chosen[at] = _mutated_message(chosen[at], chance, dump)
    if chance.getrandbits(2) == 0:  # enough of a kind for its layout to be learned, whatever it is
        chosen += [chance.choice(chosen)] * chance.randint(8, 12)
    return chosen


def _mutated_message(message: bytes, chance: Random, others: Sequence[bytes]) -> bytes:
    """Mostly the attributes are mutated, and the length is put right, so that the attributes are what decides."""
    if chance.getrandbits(3) == 0:
        return mutated(message, chance, others)
    changed = message[: _HEAD.size] + mutated(message[_HEAD.size :], chance, [one[_HEAD.size :] for one in others[:8]])
    if len(changed) != len(message):
        changed = changed.ljust(len(changed) + 3 & ~3, b"\0")
        changed = struct.pack("=I", len(changed)) + changed[4:]
    return changed


class Dumps(_Paired):
    """A dump that was tampered with, through the socket and both buffers, by the columnar decoder."""

    def __init__(self) -> None:
        super().__init__()
        self._netlink = NetlinkSocket(self._open)
        self._decoder = Decoder()
        self._slow = Slow()
        self._dumps = recorded()

    def _close(self) -> None:
        self._netlink.close()

    def __call__(self, chance: Random) -> bool:
        """See `Attempt`."""
        block = b"".join(some(chance, self._dumps))
        if chance.getrandbits(3) == 0:
            block = mutated(block, chance)
        self.last = block = block[:SLOT]
        wanted = None if not _is_read(block) else self._slow.rows(block)
        got = self._read(block)
        if got != wanted:
            raise WrongAnswer(f"fast {_told(got)}\nslow {_told(wanted)}")
        return wanted is not None

    def _read(self, block: bytes) -> tuple[list[Row], bool] | None:
        def make_request(seq: int) -> bytes:
            number = struct.pack("=I", seq)
            if block:
                self._theirs.send(block.replace(_SEQ_BYTES, number))
            self._theirs.send(_HEAD.pack(20, uapi.NLMSG_DONE, uapi.NLM_F_MULTI, seq, 0) + bytes(4))
            return number

        self._decoder.begin(64)
        try:
            for part in self._netlink.dump(make_request):
                self._decoder.feed(part.data, part.seq, 1.0)
        except (MalformedMessage, NetlinkError):
            return None
        finally:
            self._drain()
        batch = self._decoder.finish()
        return rows_of(batch), batch.interrupted


def _is_read(block: bytes) -> bool:
    """Whether a read of these bytes may hold messages; an error with our number is how a kernel refuses."""
    if not block:
        return True
    return len(block) >= 20 and len(block) % 4 == 0 and not _is_error(block)


def _is_error(block: bytes) -> bool:
    _length, kind, _flags, seq, _pid = _HEAD.unpack_from(block)
    return (kind, seq) == (uapi.NLMSG_ERROR, _SEQ)


def _told(found: tuple[list[Row], bool] | None) -> str:
    if found is None:
        return "refuses"
    rows = "\n     ".join(map(str, found[0]))
    return f"takes {len(found[0])}, interrupted {found[1]}\n     {rows}"


class Events(_Paired):
    """Events that were tampered with, a datagram each, by subscription and decoder."""

    def __init__(self) -> None:
        super().__init__()
        self._subscription = Subscription(self._open)
        self._decoders = Decoder(), Decoder()
        self._slow = Slow()
        self._events = tuple(
            tuple(one for pair in zip(news, ends, strict=True) for one in pair)
            for news, ends in zip(recorded(NEW, 0x600), recorded(DELETE, 0), strict=True)
        )

    def _close(self) -> None:
        self._subscription.close()

    def __call__(self, chance: Random) -> bool:
        """See `Attempt`."""
        datagrams = [one[:EVENT_SLOT] for one in some(chance, self._events)[:20] if one]
        self.last = b"|".join(datagrams)
        for one in datagrams:
            self._theirs.send(one)
        wanted = self._expected(datagrams)
        try:
            view, *splits = self._subscription.receive()
        except MalformedMessage:
            if wanted is not None:
                raise WrongAnswer(f"refused, but there are {wanted}") from None
            return False
        if wanted is None:
            raise WrongAnswer("taken, but a datagram is not its message")
        for decoder, found, rows in zip(self._decoders, splits, wanted, strict=True):
            got = self._decoded(decoder, view, found)
            if got != rows:
                raise WrongAnswer(f"fast {got}\nslow {rows}")
        return None not in wanted

    @staticmethod
    def _decoded(decoder: Decoder, view: memoryview, found: Any) -> list[Row] | None:
        decoder.begin(len(found.offsets))
        try:
            decoder.feed_events(view, found, 1.0)
        except MalformedMessage:
            return None
        return rows_of(decoder.finish())

    def _expected(self, datagrams: Iterable[bytes]) -> tuple[list[Row] | None, list[Row] | None] | None:
        """Rows of new and of ended flows, each None where one is malformed; None where nothing can be told."""
        rows: dict[int, list[Row | None]] = {NEW: [], DELETE: []}
        for one in datagrams:
            if len(one) < _HEAD.size or _HEAD.unpack_from(one)[0] != len(one):
                return None
            kind = _HEAD.unpack_from(one)[1]
            if kind in rows:
                rows[kind].append(self._slow.row(one))
        return _all_or_none(rows[NEW]), _all_or_none(rows[DELETE])


def _all_or_none(rows: list[Row | None]) -> list[Row] | None:
    known = [row for row in rows if row is not None]
    return sorted(known) if len(known) == len(rows) else None


# sockets

_DIAG: Final = struct.Struct("=BBBBHH16s16sIIIIIIII")
_TCP: Final = 6
_V6ONLY, _CGROUP = uapi.INET_DIAG_SKV6ONLY, uapi.INET_DIAG_CGROUP_ID


def _attribute(kind: int, payload: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(payload), kind) + payload + bytes(-len(payload) % 4)


@cache
def diagnosed() -> tuple[bytes, ...]:
    """Messages of sock_diag, of some layouts."""
    chance, made = Random(1), []
    for number in range(80):
        family = uapi.AF_INET if number % 3 else uapi.AF_INET6
        ends = (chance.randbytes(16), chance.randbytes(16))
        if family == uapi.AF_INET:
            ends = (ends[0][:4].ljust(16, b"\0"), ends[1][:4].ljust(16, b"\0"))
        numbers = (chance.randrange(5), 1, 2, 0, 0, 0, 1000 + number, 4711 + number)
        head = _DIAG.pack(family, 1 + number % 11, 0, 0, 0x5000, 0xBB01, *ends, *numbers)
        parts = [_attribute(8, b"\0"), _attribute(15, bytes(4))]
        if number % 2:
            parts.append(_attribute(_CGROUP, struct.pack("=Q", chance.getrandbits(40))))
        if family == uapi.AF_INET6:
            parts.append(_attribute(_V6ONLY, bytes((number % 2,))))
        if number % 7 == 0:
            parts.append(_attribute(99, chance.randbytes(number % 12)))
        body = bytes(_HEAD.size) + head + b"".join(parts)
        made.append(_headed(body, uapi.SOCK_DIAG_BY_FAMILY, uapi.NLM_F_MULTI, _SEQ))
    return tuple(made)


def _diag_row(message: bytes) -> Row | None:
    """One socket, read slowly; None where it is malformed."""
    if len(message) < _HEAD.size + _DIAG.size:
        return None
    family, state, _, _, _, _, *addresses, ifindex, _, _, _, _, _, uid, inode = _DIAG.unpack_from(message, _HEAD.size)
    local_port, remote_port = struct.unpack_from(">HH", message, _HEAD.size + 4)
    values = {_V6ONLY: b"\0", _CGROUP: bytes(8)}
    at = _HEAD.size + _DIAG.size
    while at < len(message):
        length, kind = struct.unpack_from("=HH", message, at) if at + 4 <= len(message) else (0, 0)
        if length < 4 or at + length > len(message):
            return None
        kind &= uapi.NLA_TYPE_MASK
        if kind in values:
            if length - 4 != len(values[kind]):
                return None
            values[kind] = message[at + 4 : at + length]
        at += length + 3 & ~3
    ends = [
        0xFFFF << 32 | int.from_bytes(one[:4]) if family == uapi.AF_INET else int.from_bytes(one) for one in addresses
    ]
    cgroup = int.from_bytes(values[_CGROUP], "little")
    return (*ends, cgroup, inode, uid, ifindex, local_port, remote_port, family, state, values[_V6ONLY][0])


_DIAG_NAMES: Final = ("local", "remote", "cgroup", "inode", "uid", "ifindex", "local_port", "remote_port")
_DIAG_REST: Final = ("family", "state", "v6only")


def _diag_rows(columns: dict[str, Any]) -> list[Row]:
    values = [columns[name].tolist() for name in (*_DIAG_NAMES, *_DIAG_REST)]
    values[:2] = [[high << 64 | low for high, low in halves] for halves in values[:2]]
    return list(zip(*values, strict=True))


def _aligned(block: bytes) -> Any:
    """The bytes where a socket's buffer has them: at an address that words may stand at."""
    return np.frombuffer(bytearray(block), np.uint8).data.cast("B")


class Sockets:
    """A dump of sockets that was tampered with."""

    def __init__(self) -> None:
        self.last: object = b""
        self._messages = diagnosed()

    def __call__(self, chance: Random) -> bool:
        """See `Attempt`."""
        block = b"".join(some(chance, [self._messages]))
        if chance.getrandbits(3) == 0:
            block = mutated(block, chance)
        self.last = block = block[: len(block) & ~3]
        wanted = self._expected(block)
        try:
            got = _diag_rows(sock_diag.decode_dump(_aligned(block), _SEQ, _TCP))
        except MalformedMessage:
            got = None
        if got != wanted:
            raise WrongAnswer(f"fast {got}\nslow {wanted}")
        return wanted is not None

    @staticmethod
    def _expected(block: bytes) -> list[Row] | None:
        rows, at = [], 0
        while at < len(block):
            if at + _HEAD.size > len(block):
                return None
            length, kind, flags, seq, _pid = _HEAD.unpack_from(block, at)
            flags &= ~uapi.NLM_F_DUMP_INTR
            if length < _HEAD.size or at + (length + 3 & ~3) > len(block):
                return None
            if (kind, flags, seq) != (uapi.SOCK_DIAG_BY_FAMILY, uapi.NLM_F_MULTI, _SEQ):
                return None
            row = _diag_row(block[at : at + length])
            if row is None:
                return None
            rows.append(row)
            at += length + 3 & ~3
        return rows


class Answers(_Paired):
    """Answers to questions about single sockets: each a datagram, or an error."""

    def __init__(self) -> None:
        super().__init__()
        self._questioner = Questioner(self._open)
        self._messages = tuple(_headed(one, uapi.SOCK_DIAG_BY_FAMILY, 0, 0) for one in diagnosed())

    def _close(self) -> None:
        self._questioner.close()

    def __call__(self, chance: Random) -> bool:
        """See `Attempt`."""
        count = chance.randint(1, 12)
        answers = [self._answer(chance) for _ in range(count)]
        mutate = chance.randrange(-1, count)
        sent = []

        def maker(index: int) -> Callable[[int], bytes]:
            def make(seq: int) -> bytes:
                answer = answers[index][:8] + struct.pack("=I", seq) + answers[index][12:]
                sent.append(mutated(answer, chance) or b"\0" if index == mutate else answer)
                self._theirs.send(sent[-1])
                return b"?"

            return make

        try:
            view, found = self._questioner.ask([maker(index) for index in range(count)], uapi.SOCK_DIAG_BY_FAMILY)
            got = _diag_rows(sock_diag.decode(view, found, _TCP))
        except (MalformedMessage, NetlinkError):
            return False
        finally:
            self.last = b"|".join(sent)
            self._drain()
        wanted = [_diag_row(one) for one in sent if _HEAD.unpack_from(one)[1] == uapi.SOCK_DIAG_BY_FAMILY]
        if got != wanted:
            raise WrongAnswer(f"fast {got}\nslow {wanted}")
        return True

    def _answer(self, chance: Random) -> bytes:
        if chance.getrandbits(3):
            return chance.choice(self._messages)
        code = -chance.choice((errno.ENOENT, errno.ENOENT, errno.ENOENT, errno.EPERM))
        return _HEAD.pack(36, uapi.NLMSG_ERROR, 0, 0, 0) + struct.pack("=i", code) + bytes(16)


# addresses, links, routes, neighbours


@cache
def _route_messages() -> dict[rtnetlink.Kind[Any], tuple[bytes, ...]]:
    v4, v6, mac, number = bytes((192, 0, 2, 1)), bytes(range(16)), bytes(range(6)), struct.pack("=I", 3)
    hop = struct.pack("=HBBi", 8, 0, 0, 3) + struct.pack("=HBBi", 16, 0, 0, 4) + _attribute(5, v4)
    heads: dict[rtnetlink.Kind[Any], list[bytes]] = {
        rtnetlink.LINKS: [
            struct.pack("=BxHiII", 0, 1, 3, 0x1003, 0) + _attribute(3, b"lan0\0") + _attribute(1, mac),
            struct.pack("=BxHiII", 0, 1, 4, 0x1003, 0) + _attribute(3, b"w\xc3\xa4n\0") + _attribute(13, number),
        ],
        rtnetlink.ADDRESSES: [
            struct.pack("=BBBBI", 2, 24, 0, 0, 3) + _attribute(1, v4) + _attribute(2, v4) + _attribute(4, v4),
            struct.pack("=BBBBI", 10, 64, 0, 0, 3) + _attribute(1, v6),
        ],
        rtnetlink.ROUTES: [
            struct.pack("=BBBBBBBBI", 2, 8, 0, 0, 254, 3, 0, 1, 0) + _attribute(1, v4) + _attribute(4, number),
            struct.pack("=BBBBBBBBI", 2, 0, 0, 0, 254, 3, 0, 1, 0) + _attribute(9, hop) + _attribute(15, number),
            struct.pack("=BBBBBBBBI", 10, 64, 0, 0, 254, 3, 0, 1, 0) + _attribute(1, v6) + _attribute(5, v6),
        ],
        rtnetlink.NEIGHBOURS: [
            struct.pack("=BxxxiHBB", 10, 3, 4, 0, 1) + _attribute(1, v6) + _attribute(2, mac),
            struct.pack("=BxxxiHBB", 2, 3, 32, 0, 1) + _attribute(1, v4),
        ],
    }
    return {
        kind: tuple(_headed(bytes(_HEAD.size) + body, kind.new, uapi.NLM_F_MULTI, _SEQ) for body in bodies)
        for kind, bodies in heads.items()
    }


class Routes:
    """What rtnetlink says, tampered with."""

    _MOST: Final = 64

    def __init__(self) -> None:
        self.last: object = b""
        self._messages = _route_messages()

    def __call__(self, chance: Random) -> bool:
        """See `Attempt`."""
        kind = chance.choice(list(self._messages))
        block = b"".join(some(chance, [self._messages[kind]]))
        if chance.getrandbits(3) == 0:
            block = mutated(block, chance)
        self.last = block = block[: len(block) & ~3]
        try:
            records = rtnetlink.decode_dump(kind, _aligned(block), _SEQ, self._MOST).records
        except MalformedMessage:
            return False
        if len(records) > self._MOST:
            raise WrongAnswer(f"{len(records)} records")
        return True
