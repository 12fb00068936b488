"""Lines for the log that others cause: each kind at most once a minute for each user, and with how many were left out.

    refusals, broken sessions ── say(uid, reason, line) ─┬─▶ log, for the first of its kind in EVERY_S
                                                         └─▶ counted, told with the next one

Rules: memory and log are bounded whatever comes: MOST kinds are told apart, all that are more are one kind together.
"""

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

EVERY_S: Final = 60.0

MOST: Final = 64

_Kind = tuple[int, str]
_THE_OTHERS: Final[_Kind] = (-1, "")


@dataclass(slots=True)
class _Said:
    again_s: float
    left_out: int = 0


class Complaints:
    """What was said lately. Lives on the event loop."""

    def __init__(self, log: logging.Logger, clock: Callable[[], float] = time.monotonic) -> None:
        self._log = log
        self._clock = clock
        self._said: dict[_Kind, _Said] = {}

    def say(
        self,
        level: int,
        uid: int,
        reason: str,
        line: str,
        *,
        error: BaseException | None = None,
        fields: Mapping[str, object] | None = None,
    ) -> None:
        """Log a line about this user, or count it where the like was said lately.

        `error`: a bug of ours. `fields`: for a log that has such.
        """
        now_s = self._clock()
        kind = self._kind(uid, reason, now_s)
        said = self._said.get(kind)
        if said is not None and now_s < said.again_s:
            said.left_out += 1
            return
        more = f" (and {said.left_out} more since the last time)" if said is not None and said.left_out else ""
        self._said[kind] = _Said(now_s + EVERY_S)
        self._log.log(level, "%s%s", line, more, exc_info=error, extra=fields)

    def _kind(self, uid: int, reason: str, now_s: float) -> _Kind:
        if (uid, reason) not in self._said and len(self._said) >= MOST:
            self._said = {kind: said for kind, said in self._said.items() if now_s < said.again_s}
            if len(self._said) >= MOST:
                return _THE_OTHERS
        return uid, reason
