"""What viewers do to flows: deleting entries, closing connections. Who may, one after the other, all of it in the log.

    session ── ask ──▶ may it? is the flow there? ── thread ──▶ delete or end, which block
            ◀─ Done | Error ─────────────── event loop ◀──┘

Rules: there is one thread, so that nothing is done by two at once. A session has one act under way, and all together
`MOST`; what is more is refused, not queued. An act that has begun is finished when the viewer leaves. Every act is
logged with who wanted it and the flow; so is a refusal, once a minute for each user (`complaints`).
"""

import asyncio
import logging
import signal
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from types import TracebackType
from typing import Any, Final, Self

import numpy as np

from flowtopd.flows.snapshot import Snapshot
from flowtopd.query.rows import render, row_of
from flowtopd.session.complaints import Complaints
from flowtopd.session.peers import Peer
from flowtopd.wire.errors import ErrorCode, RemoteProtocolError
from flowtopd.wire.messages import Delete, Done, Error, Kill, Right

MOST: Final = 16
"""Acts under way: each takes milliseconds."""

Act = Callable[[Snapshot, int], str]
"""Ends the flow in this row. Returns in words what it did, or raises OSError whose `strerror` says why it cannot."""

Tell = Callable[[Done | Error], None]
Ask = Callable[[Delete | Kill, Snapshot | None, Tell], None]

log = logging.getLogger(__name__)


class Acts:
    """Does what viewers want. Lives on the event loop; `close` it at the end."""

    def __init__(self, delete: Act, end: Act) -> None:
        self._delete = delete
        self._end = end
        self._thread = ThreadPoolExecutor(1, "act", initializer=_leave_signals)
        self._busy: set[Tell] = set()
        self._complaints = Complaints(log)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Finish what has begun, and nothing else."""
        self._thread.shutdown(cancel_futures=True)

    def ask(
        self,
        who: Peer,
        may: Collection[Right],
        wanted: Delete | Kill,
        snapshot: Snapshot | None,
        tell: Tell,
    ) -> None:
        """Do what a viewer that sees this snapshot wants, and `tell` it the end, soon or at once.

        Raises RemoteProtocolError when it may not.
        """
        row = None if snapshot is None else row_of(snapshot, wanted.id)
        flow = "a flow that is not there" if snapshot is None or row is None else _text(snapshot, row)
        if Right.ACT not in may:
            self._refuse(who, wanted, flow)
        elif snapshot is None or row is None:
            tell(Error(ErrorCode.FAILED, "no such flow, it may be gone"))
        elif tell in self._busy or len(self._busy) >= MOST:
            tell(Error(ErrorCode.FAILED, f"{flow}: not done, the one before it is still under way"))
        else:
            self._busy.add(tell)
            act = self._delete if isinstance(wanted, Delete) else self._end
            doing = asyncio.get_running_loop().run_in_executor(self._thread, act, snapshot, row)
            doing.add_done_callback(partial(self._ended, who, wanted, flow, tell))

    def _refuse(self, who: Peer, wanted: Delete | Kill, flow: str) -> None:
        line = f"{who}: {wanted.TYPE} {flow}: denied"
        self._complaints.say(logging.WARNING, who.uid, "act", line, fields=_fields(who, wanted, flow, "refused"))
        raise RemoteProtocolError(
            ErrorCode.DENIED, "only root and members of the admin group may delete entries and close connections"
        )

    def _ended(self, who: Peer, wanted: Delete | Kill, flow: str, tell: Tell, doing: asyncio.Future[str]) -> None:
        self._busy.discard(tell)
        if doing.cancelled():
            return
        what, fields = f"{who}: {wanted.TYPE} {flow}", _fields(who, wanted, flow, "acted")
        try:
            text = doing.result()
        except OSError as error:
            log.warning("%s: %s", what, error.strerror, extra=fields)
            tell(Error(ErrorCode.FAILED, f"{flow}: {error.strerror}"))
        except Exception:  # a mistake of ours must not leave the viewer waiting
            log.exception("%s: failed", what, extra=fields)
            tell(Error(ErrorCode.FAILED, f"{flow}: the daemon failed, its log says more"))
        else:
            log.info("%s: %s", what, text, extra=fields)
            tell(Done(wanted.id, f"{flow}: {text}"))


def _leave_signals() -> None:
    """In the thread. These signals are the main thread's, also in the moments when that one blocks them."""
    signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGTERM, signal.SIGINT))


def _fields(peer: Peer, wanted: Delete | Kill, flow: str, event: str) -> dict[str, Any]:
    """What a log that has fields gets beside the line: see `system.journal`."""
    return {
        "flowtop_event": event,
        "flowtop_uid": peer.uid,
        "flowtop_pid": peer.pid,
        "flowtop_action": wanted.TYPE,
        "flowtop_flow": flow,
    }


def _text(snapshot: Snapshot, row: int) -> str:
    """A flow in a line: protocol, and both ends of the original direction."""
    fields = ("proto", "src", "sport", "dst", "dport")
    ((proto, src, sport, dst, dport),) = render(snapshot, np.array([row]), fields)
    return f"{proto} {_end(src, sport)} > {_end(dst, dport)}"


def _end(address: str, port: int | None) -> str:
    if port is None:
        return address
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
