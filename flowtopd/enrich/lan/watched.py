"""A file that other programs write: read when it has changed, a few stat calls while it has not.

Rules
1. What is not there is empty. What is there and cannot be read is named once, and is empty.
2. A file over MOST_BYTES is not read: no DHCP server of a home or an office writes so much.
3. A file of an ordinary user is none of a DHCP server: OpenWrt's leases are in /tmp, where anybody may put a file, a
   link to one, or a pipe that nobody writes to. So what is opened is looked at once more, through its descriptor;
   links are followed only where they are meant to be there, and nothing is waited for.
4. The stamp is from before the reading, so that what was written meanwhile is read the next time.
"""

import logging
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Final, Generic, TypeVar

MOST_BYTES: Final = 8 << 20
_FIRST_ORDINARY_USER: Final = 1000

log = logging.getLogger(__name__)

Contents = TypeVar("Contents")

_Stamp = tuple[int, int, int]


class Watched(Generic[Contents]):
    """One file, and what `parse` made of its text."""

    def __init__(self, path: Path, parse: Callable[[str], Contents], *, may_link: bool = False) -> None:
        self._path = path
        self._flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC | (0 if may_link else os.O_NOFOLLOW)
        self._may_link = may_link
        self._parse = parse
        self._stamp: _Stamp | None = None
        self._said = ""
        self._contents = parse("")

    def read(self) -> Contents:
        """What is in the file now: the same object again while the file has not changed."""
        stamp = self._now()
        if stamp != self._stamp:
            self._stamp, text = (stamp, "") if stamp is None else self._text()
            self._contents = self._parse(text)
        return self._contents

    def _now(self) -> _Stamp | None:
        try:
            return self._fit(self._path.stat(follow_symlinks=self._may_link))
        except FileNotFoundError:
            return None
        except OSError as error:
            self._complain(error.strerror or str(error))
            return None

    def _fit(self, status: os.stat_result) -> _Stamp | None:
        """The stamp of a file that may be read."""
        if not stat.S_ISREG(status.st_mode):
            return None
        if status.st_size > MOST_BYTES:
            self._complain(f"{status.st_size} bytes")
            return None
        if status.st_uid >= _FIRST_ORDINARY_USER and status.st_uid != os.geteuid():
            self._complain(f"it belongs to user {status.st_uid}")
            return None
        return status.st_ino, status.st_size, status.st_mtime_ns

    def _text(self) -> tuple[_Stamp | None, str]:
        """The text, and the stamp of what was really opened."""
        try:
            with os.fdopen(os.open(self._path, self._flags), "rb") as file:
                stamp = self._fit(os.fstat(file.fileno()))
                return stamp, file.read(MOST_BYTES).decode(errors="replace") if stamp else ""
        except FileNotFoundError:
            pass
        except OSError as error:
            self._complain(error.strerror or str(error))
        return None, ""

    def _complain(self, reason: str) -> None:
        if reason != self._said:
            self._said = reason
            log.warning("%s: %s; it is not used", self._path, reason)
