"""Which sockets a flow may belong to: a table of flows and one of sockets in, candidates out. Pure.

    a flow has two ends   outbound  src:sport → dst:dport                             where `src` is on this host
                          inbound   reply_src:reply_sport → reply_dst:reply_dport     where `reply_src` is

    1. a connected socket with that very tuple                                                  EXACT
    2. sockets that are bound to the local port and have no peer: of TCP those that listen,     LISTENER
       inbound only; of other protocols in both directions
    3. raw sockets of the protocol, outbound only, and never for TCP and UDP                    LISTENER
    4. no socket: the kernel's own affair (an answered ping, a tunnel), or nobody's any more    KERNEL, EXITED

Rules: a flow with both ends on this host belongs to who opened it; when that one has gone, the other end is not named
in its place. NAT does not matter: a socket knows what it sent (the original tuple) and whom it answers (the reply
tuple). A socket without a file counts as none: nobody has accepted it yet, or nobody has it any more.

A port alone matches nothing: the socket must be bound to the flow's local address, or to all addresses of its family.
What arrives goes to the socket that is bound to the address, before those bound to all; what is sent may be from each.

All candidates are returned. Whether several are one process, only their holders tell.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from flowtopd.flows.dimensions import Attribution
from flowtopd.flows.names import DCCP, SCTP, TCP, UDP
from flowtopd.netlink import uapi
from flowtopd.netlink.nlmsg import Indices
from flowtopd.netlink.sock_diag import Columns

Mask = NDArray[np.bool_]
Fields = Sequence[NDArray[Any]]

ICMP: Final = 1
ICMPV6: Final = 58
UDPLITE: Final = 136
IPPROTO_RAW: Final = 255  # linux/in.h: a raw socket that sends any protocol

WITH_SOCKETS: Final = (TCP, UDP, UDPLITE, SCTP, DCCP)
"""Protocols in which a flow has a socket. One without has lost it."""

LISTENING: Final = (TCP, SCTP, DCCP)
"""Protocols in which a socket without a peer sends nothing."""

NEVER_RAW: Final = (TCP, UDP, UDPLITE)
_PINGS: Final = (ICMP, ICMPV6)


def one_of(*numbers: int) -> Mask:
    """A table that tells of each number of a protocol, or a state, whether it is one of these.

    `table[column]` says it of a whole column in 0.5 µs, np.isin in 15.
    """
    table = np.zeros(256, np.bool_)
    table[list(numbers)] = True
    table.flags.writeable = False
    return table


HAS_SOCKET: Final = one_of(*WITH_SOCKETS)
LISTENS: Final = one_of(*LISTENING)
IS_NEVER_RAW: Final = one_of(*NEVER_RAW)
_IS_PING: Final = one_of(*_PINGS)
_ANY_IPV4: Final = np.uint64(0xFFFF << 32)

_FACTOR: Final = np.uint64(secrets.randbits(64) | 1)
"""Nobody on the network knows it: two tuples that share a key cannot be made on purpose, and by chance among 1 000 000
with a probability of 3 in 10⁸."""


@dataclass(frozen=True, slots=True, eq=False)
class Matches:
    """For every flow how it was matched, and the number of its set of candidates. Set 0 is empty."""

    how: NDArray[np.uint8]
    sets: Indices
    first: Indices
    rows: Indices

    def candidates(self, number: int) -> Indices:
        """The sockets of a set, as rows of their table; raw ones are counted on from its end."""
        return self.rows[self.first[number] : self.first[number + 1]]


def match(flows: Columns, sockets: Columns, raw: Columns, outbound: Mask, inbound: Mask) -> Matches:
    """Find the candidates of every flow. `outbound`: its `src` is here; `inbound`: its `reply_src` is."""
    protocols = flows["proto"]
    has_socket = HAS_SOCKET[protocols]
    answering = inbound & ~outbound & has_socket
    ends = _flow_ends(flows, answering)

    connected = _connected(sockets)
    exact = connected.find(ends.tuple, outbound | answering)
    sets = _Sets(connected, exact)

    peerless = (exact < 0) & (answering | (outbound & ~LISTENS[protocols]))
    _add_waiting(sockets, ends, peerless, answering, sets)
    unclaimed = outbound & (sets.numbers == 0) & ~IS_NEVER_RAW[protocols]
    _add_raw(raw, len(sockets["inode"]), ends, np.flatnonzero(unclaimed), sets)

    how = np.full(len(protocols), Attribution.FORWARDED, np.uint8)
    how[outbound | inbound] = Attribution.KERNEL
    how[(outbound & _IS_PING[protocols]) | ((outbound | inbound) & has_socket)] = Attribution.EXITED
    how[sets.numbers > 0] = Attribution.LISTENER
    how[exact >= 0] = Attribution.EXACT
    return sets.matches(how)


@dataclass(frozen=True, slots=True, eq=False)
class _Ends:
    """The end that is here, and the other one; of flows or sockets. A ping has its id for the local port."""

    protocol: NDArray[Any]
    local: NDArray[np.uint64]
    local_port: NDArray[Any]
    remote: NDArray[np.uint64]
    remote_port: NDArray[Any]

    @property
    def tuple(self) -> Fields:
        return (*self.bound, self.remote[:, 0], self.remote[:, 1], self.remote_port)

    @property
    def bound(self) -> Fields:
        return (self.protocol, self.local_port, self.local[:, 0], self.local[:, 1])

    @property
    def bound_to_all(self) -> Fields:
        """Where a socket would be bound that serves all addresses of the family."""
        low = np.where(is_ipv4(self.local), _ANY_IPV4, np.uint64(0))
        return (self.protocol, self.local_port, np.zeros_like(low), low)


def _flow_ends(flows: Columns, inbound: Mask) -> _Ends:
    def of(outbound_name: str, inbound_name: str) -> NDArray[Any]:
        ours, theirs = flows[inbound_name], flows[outbound_name]
        return np.where(inbound if ours.ndim == 1 else inbound[:, None], ours, theirs)

    ping = _IS_PING[flows["proto"]]
    local_port = np.where(ping, flows["icmp_id"], of("sport", "reply_sport"))
    remote_port = np.where(ping, 0, of("dport", "reply_dport")).astype(np.uint16)
    return _Ends(flows["proto"], of("src", "reply_src"), local_port, of("dst", "reply_dst"), remote_port)


def _socket_ends(sockets: Columns) -> _Ends:
    return _Ends(*(sockets[name] for name in ("protocol", "local", "local_port", "remote", "remote_port")))


def is_ipv4(addresses: NDArray[np.uint64]) -> Mask:
    """Tell which addresses are IPv4-mapped."""
    mapped: Mask = (addresses[:, 0] == 0) & (addresses[:, 1] >> np.uint64(32) == np.uint64(0xFFFF))
    return mapped


def has_peer(sockets: Columns) -> Mask:
    """Tell which sockets are connected to somebody."""
    high, low = sockets["remote"][:, 0], sockets["remote"][:, 1]
    peer: Mask = (sockets["remote_port"] > 0) | (high != 0) | ((low != 0) & (low != _ANY_IPV4))
    return peer


class _Groups:
    """Sockets that are equal in some fields, found by these."""

    def __init__(self, fields: Fields, which: Mask) -> None:
        rows = np.flatnonzero(which)
        chosen = [field[rows] for field in fields]
        keys = _mixed(chosen)
        order = np.argsort(keys)
        keys = keys[order]
        begins = np.flatnonzero(np.append(True, keys[1:] != keys[:-1])[: len(keys)])
        self.rows = rows[order]
        self.first = np.append(begins, len(keys))
        self._keys = keys[begins]
        self._samples = [field[order[begins]] for field in chosen]

    def __len__(self) -> int:
        return len(self._keys)

    def find(self, fields: Fields, which: Mask) -> Indices:
        """Return the group of each row that is asked for, -1 for the others and where there is none."""
        found = np.full(len(which), -1, np.intp)
        wanted = np.flatnonzero(which)
        if len(self) and len(wanted):
            chosen = [field[wanted] for field in fields]
            at = np.searchsorted(self._keys, _mixed(chosen)).clip(max=len(self) - 1)
            same = np.ones(len(wanted), np.bool_)
            for field, sample in zip(chosen, self._samples, strict=True):
                same &= field == sample[at]
            found[wanted[same]] = at[same]
        return found

    def members(self, group: int) -> Indices:
        """The rows of a group, none for -1."""
        return self.rows[self.first[group] : self.first[group + 1]] if group >= 0 else self.rows[:0]


def _mixed(fields: Fields) -> NDArray[np.uint64]:
    keys = np.zeros(len(fields[0]), np.uint64)
    for field in fields:
        keys ^= field.astype(np.uint64)
        keys *= _FACTOR
        keys ^= keys >> np.uint64(29)
    return keys


class _Sets:
    """Sets of candidates, each group of connected sockets one, then what is added; and the set of each flow."""

    def __init__(self, connected: _Groups, exact: Indices) -> None:
        self.numbers = exact + 1
        self._rows = [connected.rows]
        self._first = [np.zeros(1, np.intp), connected.first]
        self._count = len(connected)
        self._size = len(connected.rows)

    def add(self, rows: Indices) -> int:
        """Return the number of a new set."""
        self._rows.append(rows)
        self._size += len(rows)
        self._first.append(np.array([self._size], np.intp))
        self._count += 1
        return self._count

    def matches(self, how: NDArray[np.uint8]) -> Matches:
        """Put it all together."""
        return Matches(how, self.numbers, np.concatenate(self._first), np.concatenate(self._rows))


def _connected(sockets: Columns) -> _Groups:
    return _Groups(_socket_ends(sockets).tuple, (sockets["inode"] > 0) & has_peer(sockets))


def _add_waiting(sockets: Columns, ends: _Ends, wanted: Mask, arriving: Mask, sets: _Sets) -> None:
    """Give the flows that want some the sockets that are bound to their port and have no peer."""
    if not wanted.any():
        return
    theirs = _socket_ends(sockets)
    without_peer = (sockets["inode"] > 0) & ~has_peer(sockets)
    waiting = without_peer & (~LISTENS[theirs.protocol] | (sockets["state"] == uapi.TCP_LISTEN))
    dual = waiting & ~theirs.local.any(axis=1) & (sockets["v6only"] == 0)
    bound, both = _Groups(theirs.bound, waiting), _Groups(theirs.bound[:2], dual)

    own = bound.find(ends.bound, wanted)
    others = wanted & ((own < 0) | ~arriving)
    all_own = bound.find(ends.bound_to_all, others)
    all_both = both.find(ends.bound[:2], others & is_ipv4(ends.local))

    # one number for the three groups of a flow: there are few combinations, however many flows
    combined = ((own + 1) * (len(bound) + 1) + all_own + 1) * (len(both) + 1) + all_both + 1
    found = np.flatnonzero(combined)
    different, which = np.unique(combined[found], return_inverse=True)
    made = np.zeros(len(different), np.intp)
    for index, number in enumerate(different.tolist()):
        rest, last = divmod(number, len(both) + 1)
        first, second = divmod(rest, len(bound) + 1)
        parts = (bound.members(first - 1), bound.members(second - 1), both.members(last - 1))
        made[index] = sets.add(np.unique(np.concatenate(parts)))
    sets.numbers[found] = made[which]


def _add_raw(raw: Columns, offset: int, ends: _Ends, wanted: Indices, sets: _Sets) -> None:
    """Give the flows that want some the raw sockets that may have sent them: few sockets, whatever the flows."""
    if not len(raw["inode"]) or not len(wanted):
        return
    able = np.empty((len(wanted), len(raw["inode"])), np.bool_)
    ipv4 = is_ipv4(ends.local[wanted])
    for row in range(able.shape[1]):
        family, protocol = raw["family"][row], raw["protocol"][row]
        able[:, row] = ipv4 == (family == uapi.AF_INET)
        if protocol != IPPROTO_RAW:
            able[:, row] &= ends.protocol[wanted] == protocol
        for end, bound in ((ends.local, raw["local"][row]), (ends.remote, raw["remote"][row])):
            if bound[0] or bound[1] not in {0, _ANY_IPV4}:
                able[:, row] &= (end[wanted] == bound).all(axis=1)
    different, which = np.unique(able, axis=0, return_inverse=True)
    made = np.array([sets.add(offset + np.flatnonzero(each)) if each.any() else 0 for each in different], np.intp)
    sets.numbers[wanted] = made[which.reshape(-1)]
