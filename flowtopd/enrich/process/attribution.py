"""From flows to the processes that have them, and how sure that is. The parts: `match`, `sockets`, `verdict`.

    flows ─▶ few: exact questions ─▶ what is left, or many: tables ─▶ match ─▶ verdicts ─▶ Answers
      └─ neither end here ─▶ the namespace that has one ─▶ its tables ─▶ match ─▶ verdicts ─┘

Rules: nobody is named on a guess. A process that started after a flow cannot be the one that waited for it. A UDP
socket without a peer may have been given the port after the flow was sent from it: on a port that the kernel gives to
anybody, it is named only while the flow is sent (its counter moves), or when the flow has just begun. In other
namespaces only a connected socket will do: an address there may be somebody else's here. An answer
is `final`, or it may become a better one and is worth asking for again, at the next few ticks: a socket whose holder
nobody has looked for yet (PENDING), a connection that may yet be accepted by another process than the one that listens.
What is found while a process lives is never taken back because it has exited since: that is for the caller to keep.

Where the kernel does not answer, that is logged once and the flows stay PENDING.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from flowtopd.enrich.process.match import IS_NEVER_RAW, LISTENS, UDPLITE, Mask, Matches, match, one_of
from flowtopd.enrich.process.namespaces import Namespaces
from flowtopd.enrich.process.sockets import ASKED_EXACTLY, Port, Sockets
from flowtopd.enrich.process.verdict import Verdict, Verdicts
from flowtopd.flows.dimensions import Attribution, Owner
from flowtopd.flows.names import TCP, UDP
from flowtopd.netlink.nlmsg import Indices, MalformedMessage, NetlinkError
from flowtopd.netlink.sock_diag import Columns, Question, empty, joined

FEW: Final = 64
"""One question costs 6 µs; beyond so many a dump costs less, unless there are thousands of sockets."""

FLOW_COLUMNS: Final = (
    *("key", "proto", "family", "state", "start_ns", "icmp_id", "icmp_type"),
    *("src", "sport", "dst", "dport", "reply_src", "reply_sport", "reply_dst", "reply_dport"),
)
"""What is read of a flow."""

MORE_COLUMNS: Final = ("first_seen_s", "orig_rate")
"""And where there are such: for flows without a start, and to know which are being sent."""

YOUNG_S: Final = 3.0
"""So long after its beginning a flow that nobody here has may be that of a container which has just been made."""

NOBODY: Final = Owner()

_AS_MATCHED: Final = 255
_IS_UDP: Final = one_of(UDP, UDPLITE)
_IS_ASKED_EXACTLY: Final = one_of(*ASKED_EXACTLY)
_IS_OPEN: Final = one_of(1, 2, 3)  # SYN_SENT, SYN_RECV, ESTABLISHED of linux/netfilter/nf_conntrack_tcp.h

Addresses = NDArray[np.uint64]
IsLocal = Callable[[Addresses], Mask]
"""Tells which addresses, shape (n, 2), are this host's own."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """What was found, a row a flow: `owners[owner]` is who has it, `owners[0]` nobody; `how` is an Attribution.

    The flow that is meant had begun by `begun_by_ns` (Unix time, 0 unknown): a later one with the same key is another.
    """

    keys: NDArray[np.uint64]
    begun_by_ns: NDArray[np.uint64]
    how: NDArray[np.uint8]
    owner: NDArray[np.int32]
    final: Mask
    owners: tuple[Owner, ...]

    def chosen(self, rows: Indices) -> "Answers":
        """Some of them."""
        return Answers(
            self.keys[rows], self.begun_by_ns[rows], self.how[rows], self.owner[rows], self.final[rows], self.owners
        )


class Attributor:
    """Answers for flows. For one thread at a time, in the network namespace of the thread that uses it first.

    Up to `few` flows are asked for one by one.
    """

    def __init__(
        self,
        sockets: Sockets,
        verdicts: Verdicts,
        namespaces: Namespaces,
        is_local: IsLocal,
        few: int = FEW,
        *,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._wall = wall
        self._sockets = sockets
        self._verdicts = verdicts
        self._namespaces = namespaces
        self._is_local = is_local
        self._few = few
        self._complaint = ""

    def close(self) -> None:
        """Close the sockets; the next question opens others."""
        self._sockets.close()

    def is_here(self, addresses: Addresses) -> Mask:
        """Tell which addresses are this host's own: `attribute_early` finds nobody for flows from others."""
        return self._is_local(addresses)

    def attribute(self, flows: Columns) -> Answers:
        """Find who has these flows. `flows` has FLOW_COLUMNS, and maybe MORE_COLUMNS."""
        outbound, inbound = self._is_local(flows["src"]), self._is_local(flows["reply_src"])
        draft = _Draft(flows)
        here = np.flatnonzero(outbound | inbound)
        try:
            if len(here):
                self._attribute_here(draft, here, outbound, inbound)
        except (NetlinkError, MalformedMessage) as error:
            self._complain(error)
        self._attribute_elsewhere(draft, np.flatnonzero(~(outbound | inbound)))
        opening = (flows["proto"] == TCP) & _IS_OPEN[flows["state"]]
        draft.final &= ~(inbound & ~outbound & opening & (draft.how != Attribution.EXACT))
        return draft.answers()

    def attribute_early(self, flows: Columns) -> Answers:
        """Find who has opened these flows, which have just begun; return those who were found.

        Who is called will be found later: the connection is not accepted yet.
        """
        opened = np.flatnonzero(self._is_local(flows["src"]))
        draft = _Draft({name: flows[name][opened] for name in FLOW_COLUMNS})
        mine = np.ones(len(opened), np.bool_)
        try:
            left = self._ask(draft, np.arange(len(opened)), mine, ~mine)
            # a TCP socket that is not found by its tuple is not found at all
            left = left[~LISTENS[draft.flows["proto"][left]]]
            self._look_up(draft, left, mine, ~mine, sent=mine)
        except (NetlinkError, MalformedMessage) as error:
            self._complain(error)
        found = draft.answers()
        return found.chosen(np.flatnonzero(found.owner))

    def listening(self) -> dict[int, frozenset[Port]] | None:
        """The ports of this host on which somebody waits, by protocol; None where that cannot be told now."""
        try:
            return self._sockets.listening()
        except (NetlinkError, MalformedMessage) as error:
            self._complain(error)
            return None

    def _complain(self, error: Exception) -> None:
        if str(error) != self._complaint:  # once, not every tick
            log.warning("cannot read the sockets of this host: %s", error)
        self._complaint = str(error)

    def _attribute_here(self, draft: "_Draft", rows: Indices, outbound: Mask, inbound: Mask) -> None:
        if len(rows) <= self._few:
            rows = self._ask(draft, rows, outbound, inbound)
        sent = draft.flows.get("orig_rate", np.zeros(len(outbound))) > 0  # unknown (NaN) is not sent
        self._look_up(draft, rows, outbound, inbound, sent=sent)
        self._complaint = ""

    def _ask(self, draft: "_Draft", rows: Indices, outbound: Mask, inbound: Mask) -> Indices:
        """Ask for these flows one by one; return those that have no connected socket."""
        sockets = self._sockets.exact(_questions(draft.flows, rows, outbound))
        matches = match(_chosen(draft.flows, rows), sockets, empty(), outbound[rows], inbound[rows])
        exact = matches.how == Attribution.EXACT
        self._settle(draft, rows, matches, sockets, exact)
        left: Indices = rows[~exact]
        return left

    def _look_up(self, draft: "_Draft", rows: Indices, outbound: Mask, inbound: Mask, *, sent: Mask) -> None:
        """Find these flows in the tables of sockets."""
        if not len(rows):
            return
        flows = _chosen(draft.flows, rows)
        wanted = set(zip(flows["family"].tolist(), flows["proto"].tolist(), strict=True))
        sockets = self._sockets.table(wanted)
        raw = empty() if IS_NEVER_RAW[flows["proto"]].all() else self._sockets.raw()
        matches = match(flows, sockets, raw, outbound[rows], inbound[rows])
        doubtful = (matches.how == Attribution.LISTENER) & outbound[rows] & ~sent[rows]
        doubtful &= _IS_UDP[flows["proto"]] & self._sockets.is_ephemeral(flows["sport"])
        self._settle(draft, rows, matches, joined((sockets, raw)), ~doubtful)
        draft.how[rows[doubtful]] = Attribution.AMBIGUOUS
        draft.final[rows[doubtful]] = False

    def _attribute_elsewhere(self, draft: "_Draft", rows: Indices) -> None:
        """Find flows of other network namespaces, which this one forwards."""
        draft.how[rows] = Attribution.FORWARDED
        if not len(rows):
            return
        draft.final[rows] = self._wall() - _begun_s(draft.flows)[rows] >= YOUNG_S
        flows = _chosen(draft.flows, rows)
        opener, opened = (self._namespaces.owning(flows[name]) for name in ("src", "reply_src"))
        owner = np.where(opener > 0, opener, opened)  # from one container to another: it is the opener's
        found: list[tuple[Indices, Matches, Columns]] = []
        for netns in set(owner.tolist()) - {0}:
            theirs = np.flatnonzero(owner == netns)
            sockets = self._namespaces.sockets(netns)
            matches = match(_chosen(flows, theirs), sockets, empty(), opener[theirs] == netns, opened[theirs] == netns)
            found.append((theirs, matches, sockets))
        if len(found) > 1:  # one walk over /proc for all of them: the next one would have to wait
            self._verdicts.look_for([(matches, sockets) for _theirs, matches, sockets in found])
        for theirs, matches, sockets in found:
            lost = matches.how != Attribution.EXACT
            self._settle(draft, rows[theirs], matches, sockets, ~lost)
            draft.how[rows[theirs[lost]]] = Attribution.OTHER_NETNS
            # the tables of a namespace may be some seconds old
            draft.final[rows[theirs[lost]]] = False

    def _settle(self, draft: "_Draft", rows: Indices, matches: Matches, sockets: Columns, which: Mask) -> None:
        """Write the answers of those rows that are meant."""
        draft.how[rows[which]] = matches.how[which]
        claimed = np.flatnonzero(which & (matches.sets > 0))
        if len(claimed):
            sets, number = np.unique(matches.sets[claimed], return_inverse=True)
            draft.write(rows[claimed], number, self._verdicts.settle(matches, sets, sockets))


class _Draft:
    """Answers in the making, all PENDING at first."""

    def __init__(self, flows: Columns) -> None:
        size = len(flows["key"])
        self.flows = flows
        self.how = np.zeros(size, np.uint8)
        self.final = np.ones(size, np.bool_)
        self._owner = np.zeros(size, np.int32)
        self._ids = {NOBODY: 0}

    def write(self, rows: Indices, number: Indices, verdicts: list[Verdict]) -> None:
        """Write to each of these rows, which are matched already, the verdict of that number."""
        owners = [verdict.owner or NOBODY for verdict in verdicts]
        how = np.array([_AS_MATCHED if verdict.how is None else verdict.how for verdict in verdicts], np.uint8)[number]
        self.how[rows] = np.where(how == _AS_MATCHED, self.how[rows], how)
        self.final[rows] = np.array([verdict.final for verdict in verdicts])[number]
        self._owner[rows] = np.array([self._ids.setdefault(owner, len(self._ids)) for owner in owners], np.int32)[
            number
        ]

        started_s = np.array([owner.started_s or 0.0 for owner in owners])[number]
        begun_s = _begun_s(self.flows)[rows]
        # a flow from before this host was started has its start from a clock that has been set since: it tells nothing
        booted_s = time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)
        late = rows[(self.how[rows] == Attribution.LISTENER) & (started_s > begun_s) & (begun_s >= booted_s)]
        self.how[late] = Attribution.EXITED
        self._owner[late] = 0

    def answers(self) -> Answers:
        """As they are now."""
        pending = self.how == Attribution.PENDING
        final = self.final & ~pending
        return Answers(self.flows["key"], self.flows["start_ns"], self.how, self._owner, final, tuple(self._ids))


def _begun_s(flows: Columns) -> NDArray[np.float64]:
    """When the flows began, at the latest: Unix seconds."""
    seen = flows.get("first_seen_s", np.inf)
    begun: NDArray[np.float64] = np.where(flows["start_ns"] > 0, flows["start_ns"] * 1e-9, seen)
    return begun


def _chosen(flows: Columns, rows: Indices) -> Columns:
    return {name: flows[name][rows] for name in FLOW_COLUMNS}


def _questions(flows: Columns, rows: Indices, outbound: Mask) -> list[Question]:
    """Ask for the end that is here, of each flow that may have a socket which answers."""
    questions = []
    for row in rows[_IS_ASKED_EXACTLY[flows["proto"][rows]]].tolist():
        names = ("src", "sport", "dst", "dport")
        if not outbound[row]:
            names = ("reply_src", "reply_sport", "reply_dst", "reply_dport")
        local, local_port, remote, remote_port = (flows[name][row].tolist() for name in names)
        family, protocol = int(flows["family"][row]), int(flows["proto"][row])
        questions.append(Question(family, protocol, tuple(local), local_port, tuple(remote), remote_port))
    return questions
