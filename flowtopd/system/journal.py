"""Where the daemon's log goes: to the journal with fields, where that is what stderr is, else as lines on stderr.

    log.warning("uid 1000: denied", extra={"flowtop_event": "refused", "flowtop_uid": 1000})

    systemd.journal       MESSAGE=uid 1000: denied  PRIORITY=4  FLOWTOP_UID=1000  MESSAGE_ID=…  …
    journal, no library   <4>uid 1000: denied       the priority of sd-daemon(3), which journald takes off again
    elsewhere             flowtopd: uid 1000: denied

Rules: who logs knows nothing of this: attributes of a record that begin with `flowtop_` become fields, and
`flowtop_event`, one of `Event`, also chooses the MESSAGE_ID by which `journalctl MESSAGE_ID=…` finds all of a kind; the
ids never change. A field has one line and can be printed. A record that cannot be written is dropped as logging does.
"""

import importlib
import logging
import os
import sys
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any, Final, TextIO

from flowtopd.system.log_lines import Plain

NAME: Final = "flowtopd"
PREFIX: Final = "flowtop_"

Send = Callable[..., object]


def _library() -> Send | None:
    """sd_journal_sendv of systemd-python; not imported where stderr cannot be the journal: it takes 1 MB."""
    if not os.environ.get("JOURNAL_STREAM"):
        return None
    try:
        sendv: Send = importlib.import_module("systemd.journal").sendv
    except ImportError:
        return None
    return sendv


_library_send: Final = _library()


class Event(StrEnum):
    """Kinds of messages that somebody may look for."""

    STARTED = "started"
    STOPPING = "stopping"
    RELOADED = "reloaded"
    ACTED = "acted"
    """A viewer has ended a flow, or tried to."""
    REFUSED = "refused"
    """A viewer wanted what it may not."""
    EVENTS_LOST = "events_lost"
    """The kernel had to drop events of flows."""


MESSAGE_IDS: Final[Mapping[Event, str]] = {
    Event.STARTED: "7ce4c4ddd2894f5fb3fa349496b7fde0",
    Event.STOPPING: "754cb8a0515c45adbcb71f7194429385",
    Event.RELOADED: "708f506f44d64e11b79f9db552f0d5e7",
    Event.ACTED: "94ab803cb59a4638b0beae7ff51e20da",
    Event.REFUSED: "f159943ee11643269c17078ec63f0f2e",
    Event.EVENTS_LOST: "25641b1189b248b6b80d3fb70bae75b7",
}

_PRIORITIES: Final = (
    (logging.CRITICAL, 2),
    (logging.ERROR, 3),
    (logging.WARNING, 4),
    (logging.INFO, 6),
    (logging.DEBUG, 7),
)
"""Of syslog(3), by the least level that has it."""


def setup(level: str, stream: TextIO = sys.stderr) -> None:
    """Have everything of at least this level logged, in the way that fits where `stream` leads."""
    logging.basicConfig(handlers=[handler(stream)], level=level.upper(), force=True)


def handler(stream: TextIO, send: Send | None = _library_send) -> logging.Handler:
    """The handler for a process whose stderr is `stream`."""
    if not is_journal(stream):
        chosen: logging.Handler = logging.StreamHandler(stream)
        chosen.setFormatter(Plain(f"{NAME}: %(message)s"))
    elif send is None:
        chosen = logging.StreamHandler(stream)
        chosen.setFormatter(_Prefixed("%(message)s"))
    else:
        chosen = JournalHandler(send)
        chosen.setFormatter(Plain("%(message)s"))
    return chosen


def is_journal(stream: TextIO) -> bool:
    """Whether a stream is the one that systemd has connected to the journal (systemd.exec(5), $JOURNAL_STREAM)."""
    try:
        status = os.fstat(stream.fileno())
    except (OSError, ValueError):
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"


class JournalHandler(logging.Handler):
    """Sends records to the journal, with their fields. `send` is systemd.journal.sendv."""

    def __init__(self, send: Send) -> None:
        super().__init__()
        self._send = send

    def emit(self, record: logging.LogRecord) -> None:
        """Send one record."""
        try:
            text = self.format(record)
            self._send(*(f"{name}={value}" for name, value in fields(record, text).items()))
        except Exception:  # noqa: BLE001  # as every handler: a log that cannot be written must not end what is logged
            self.handleError(record)


def fields(record: logging.LogRecord, text: str) -> dict[str, Any]:
    """The fields of a record in the journal; `text` is its message."""
    given = {name: value for name, value in vars(record).items() if name.startswith(PREFIX) and value is not None}
    found: dict[str, Any] = {
        "MESSAGE": text,
        "PRIORITY": priority(record.levelno),
        "SYSLOG_IDENTIFIER": NAME,
        "LOGGER": record.name,
        "CODE_FILE": record.pathname,
        "CODE_LINE": record.lineno,
        "CODE_FUNC": record.funcName,
    }
    if event := given.get("flowtop_event"):
        found["MESSAGE_ID"] = MESSAGE_IDS[Event(event)]
    return found | {name.upper(): _plain(value) for name, value in given.items()}


def priority(level: int) -> int:
    """The priority of syslog for a level of logging."""
    return next((number for least, number in _PRIORITIES if level >= least), 7)


def _plain(value: object) -> str:
    return "".join(character if character.isprintable() else " " for character in str(value))


class _Prefixed(Plain):
    """Every line with its priority, as journald wants it on stderr."""

    def format(self, record: logging.LogRecord) -> str:
        prefix = f"<{priority(record.levelno)}>"
        return "\n".join(prefix + line for line in super().format(record).splitlines())
