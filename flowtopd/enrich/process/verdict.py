"""From candidate sockets to one owner: who holds them, and whether that is an answer.

holders of all candidates      one process                the match stands: EXACT or LISTENER
                               several                    AMBIGUOUS
                               one not looked for yet     PENDING
no holder, but a cgroup        of a unit or container     CGROUP
none, something unreadable                                NO_PERMISSION
none, everything was read      for the first time         PENDING: its process may have exited, and then the socket
                                                          will have gone, too
                               and again, a second later  KERNEL: the socket is still there
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np

from flowtopd.enrich.process.holders import Holders, Unheld
from flowtopd.enrich.process.identity import Identities
from flowtopd.enrich.process.match import Matches
from flowtopd.enrich.process.procfs import Pid
from flowtopd.enrich.process.recent import Recent
from flowtopd.flows.dimensions import Attribution, Owner
from flowtopd.netlink.nlmsg import Indices
from flowtopd.netlink.sock_diag import Columns

STILL_S: Final = 1.0
"""How long a socket without a holder must have been seen to be the kernel's. A walk over /proc is far shorter."""

_UNHELD: Final = 4096


@dataclass(frozen=True, slots=True)
class Verdict:
    """`how` is None where the match was right. `final`: nothing better is to be expected."""

    how: Attribution | None
    owner: Owner | None = None
    final: bool = True


@dataclass(slots=True)
class _Socket:
    inode: int
    uid: int
    cgroup: int


class Verdicts:
    """Settles who has which sockets. For one thread at a time."""

    def __init__(self, holders: Holders, identities: Identities, clock: Callable[[], float] = time.monotonic) -> None:
        self._holders = holders
        self._identities = identities
        self._clock = clock
        self._unheld_since_s: Recent[int, float] = Recent(_UNHELD)

    def settle(self, matches: Matches, sets: Indices, sockets: Columns) -> list[Verdict]:
        """Return the verdict on each of these sets of candidates, which are not empty."""
        members = [matches.candidates(number) for number in sets.tolist()]
        rows = np.concatenate(members)
        candidates = [
            _Socket(*values)
            for values in zip(*(sockets[name][rows].tolist() for name in ("inode", "uid", "cgroup")), strict=True)
        ]
        found = self._holders.find({each.inode for each in candidates}, list({each.cgroup for each in candidates}))
        owners: dict[tuple[Pid, int], Owner | None] = {}
        verdicts, at = [], 0
        for rows in members:
            verdicts.append(self._verdict(candidates[at : at + len(rows)], found, owners))
            at += len(rows)
        return verdicts

    def look_for(self, matched: Iterable[tuple[Matches, Columns]]) -> None:
        """Have the holders of all these exactly matched sockets looked for at once, before they are settled in turn."""
        inodes: set[int] = set()
        cgroups: set[int] = set()
        for matches, sockets in matched:
            sets = np.unique(matches.sets[matches.how == Attribution.EXACT])
            rows = np.concatenate([matches.candidates(number) for number in (0, *sets.tolist())])
            inodes.update(sockets["inode"][rows].tolist())
            cgroups.update(sockets["cgroup"][rows].tolist())
        self._holders.find(inodes, list(cgroups))

    def _verdict(
        self,
        candidates: list[_Socket],
        found: dict[int, Pid | Unheld],
        owners: dict[tuple[Pid, int], Owner | None],
    ) -> Verdict:
        answers = {found[candidate.inode] for candidate in candidates}
        pids = {answer for answer in answers if not isinstance(answer, Unheld)}
        if Unheld.NOT_YET in answers:
            return Verdict(Attribution.PENDING, final=False)
        if len(pids) > 1 or (pids and Unheld.UNREADABLE in answers):
            return Verdict(Attribution.AMBIGUOUS)
        if not pids:
            return self._unheld(candidates, unreadable=Unheld.UNREADABLE in answers)
        (pid,) = pids
        uid = next(candidate.uid for candidate in candidates if found[candidate.inode] == pid)
        if (pid, uid) not in owners:  # who a process is, is asked for once in a turn
            owners[pid, uid] = self._identities.owner(pid, uid)
        owner = owners[pid, uid]
        return Verdict(Attribution.EXITED, final=False) if owner is None else Verdict(None, owner)

    def _unheld(self, candidates: list[_Socket], *, unreadable: bool) -> Verdict:
        owners = {self._identities.of_cgroup(each.cgroup, each.uid) for each in candidates}
        if len(owners) == 1 and (owner := owners.pop()) is not None:
            return Verdict(Attribution.CGROUP, owner)
        still = self._are_still_there(candidates)
        if unreadable:
            return Verdict(Attribution.NO_PERMISSION, final=still)
        return Verdict(Attribution.KERNEL) if still else Verdict(Attribution.PENDING, final=False)

    def _are_still_there(self, candidates: list[_Socket]) -> bool:
        """Whether these sockets, which have no holder, have been seen a while ago: those of an exited process go."""
        now = self._clock()
        for each in candidates:
            if each.inode not in self._unheld_since_s:
                self._unheld_since_s[each.inode] = now
        return all(now - self._unheld_since_s.get(each.inode, now) >= STILL_S for each in candidates)
