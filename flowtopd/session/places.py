"""How many viewers there may be, and how many that have not said hello yet. Pure.

    connected ── arrive ──▶ Guest, silent ── hello: sit ──▶ Guest with a place ── leave ──▶ gone

Rules
1. There are `most` places. Root has RESERVED more, so that whoever keeps the house busy can be looked at.
2. Anybody but root has half of the places at most, and so have all outsiders together: nobody can take all.
3. Who has not said hello has no place. Of those there are SILENT_EACH of one user at most, and SILENT of all users
   together but for root: connections that say nothing keep nobody out but others of the same user.
"""

from collections import Counter
from dataclasses import dataclass
from typing import Final

from flowtopd.session.peers import Standing
from flowtopd.wire.errors import ErrorCode, RemoteProtocolError

RESERVED: Final = 4

SILENT_EACH: Final = 32
SILENT: Final = 128


class Places:
    """Counts them."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._seated: Counter[int] = Counter()
        self._outsiders = 0
        self._silent: Counter[int] = Counter()

    def arrive(self, uid: int, standing: Standing) -> "Guest":
        """Take a connection that says nothing yet. Raises RemoteProtocolError when there are too many of them."""
        others = sum(count for silent, count in self._silent.items() if silent)
        if self._silent[uid] >= SILENT_EACH or (standing is not Standing.ROOT and others >= SILENT):
            raise RemoteProtocolError(ErrorCode.BUSY, "too many connections say nothing")
        self._silent[uid] += 1
        return Guest(self, uid, standing)

    def sit(self, uid: int, standing: Standing) -> None:
        """Give a place to one that was silent. Raises RemoteProtocolError when there is none for it."""
        taken, half = self._seated.total(), (self._most + 1) // 2
        if taken >= self._most + (RESERVED if standing is Standing.ROOT else 0):
            raise RemoteProtocolError(ErrorCode.BUSY, f"all {taken} places for viewers are taken")
        if standing is not Standing.ROOT and self._seated[uid] >= half:
            raise RemoteProtocolError(
                ErrorCode.BUSY, f"uid {uid} has {half} of the places for viewers and gets no more"
            )
        if standing is Standing.OUTSIDER and self._outsiders >= half:
            what = f"who is not in the group shares {half} places for viewers, and all are taken"
            raise RemoteProtocolError(ErrorCode.BUSY, what)
        self.hush(uid)
        self._seated[uid] += 1
        self._outsiders += standing is Standing.OUTSIDER

    def hush(self, uid: int) -> None:
        """One that was silent is so no more."""
        _less(self._silent, uid)

    def rise(self, uid: int, standing: Standing) -> None:
        """Take back a place."""
        _less(self._seated, uid)
        self._outsiders -= standing is Standing.OUTSIDER


@dataclass(slots=True)
class Guest:
    """One connection."""

    places: Places
    uid: int
    standing: Standing
    has_place: bool = False

    def sit(self) -> None:
        """It has said hello. Raises RemoteProtocolError when there is no place for it."""
        self.places.sit(self.uid, self.standing)
        self.has_place = True

    def leave(self) -> None:
        """It is gone."""
        if self.has_place:
            self.places.rise(self.uid, self.standing)
        else:
            self.places.hush(self.uid)


def _less(counts: Counter[int], uid: int) -> None:
    counts[uid] -= 1
    if not counts[uid]:
        del counts[uid]
