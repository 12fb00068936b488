"""A file that other programs write: read when it has changed, a few stat calls while it has not.

Rules
1. What is not there is empty. What is there and cannot be read is named once, and is empty.
2. A file over MOST_BYTES is not read: no DHCP server of a home or an office writes so much.
3. A file of an ordinary user is none of a DHCP server: OpenWrt's leases are in /tmp, where anybody may put a file.
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

    def __init__(self, path: Path, parse: Callable[[str], Contents]) -> None:
        self._path = path
        self._parse = parse
        self._stamp: _Stamp | None = None
        self._said = ""
        self._contents = parse("")

    def read(self) -> Contents:
        """What is in the file now: the same object again while the file has not changed."""
        stamp = self._now()
        if stamp != self._stamp:
            self._contents = self._parse(self._text() if stamp is not None else "")
            self._stamp = stamp
        return self._contents

    def _now(self) -> _Stamp | None:
        try:
            status = self._path.stat()
        except FileNotFoundError:
            return None
        except OSError as error:
            self._complain(error.strerror or str(error))
            return None
        if not stat.S_ISREG(status.st_mode):
            return None
        if status.st_size > MOST_BYTES:
            self._complain(f"{status.st_size} bytes")
            return None
        if status.st_uid >= _FIRST_ORDINARY_USER and status.st_uid != os.geteuid():
            self._complain(f"it belongs to user {status.st_uid}")
            return None
        return status.st_ino, status.st_size, status.st_mtime_ns

    def _text(self) -> str:
        try:
            with self._path.open("rb") as file:
                return file.read(MOST_BYTES).decode(errors="replace")
        except FileNotFoundError:
            pass
        except OSError as error:
            self._complain(error.strerror or str(error))
        return ""

    def _complain(self, reason: str) -> None:
        if reason != self._said:
            self._said = reason
            log.warning("%s: %s; it is not used", self._path, reason)
