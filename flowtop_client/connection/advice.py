"""What helps somebody who cannot get at a daemon, in one line: by what this machine says, not by what is usual.

The name of the group is that of the socket file, and whether the user is in it already is asked of the group database:
who was added after this session began only has to log in again.
"""

import grp
import os
import pwd
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Final

USUAL_GROUP: Final = "flowtop"
"""Where nobody says which group it is."""

_UNIT: Final = "flowtopd.service"
_UNIT_DIRECTORIES: Final = tuple(
    Path(root, "systemd/system") for root in ("/etc", "/run", "/usr/local/lib", "/usr/lib", "/lib")
)
_SYSTEMD: Final = Path("/run/systemd/system")  # sd_booted(3)
_PRIVATE: Final = "`sudo flowtop --standalone` needs none"


@dataclass(frozen=True, slots=True)
class User:
    """Who runs this: the name, the groups of this session, and those that the next one will have."""

    name: str
    now: Collection[int]
    next: Collection[int]


def this_user() -> User:
    """The user of this process. One without an entry in the user database has the same groups next time."""
    now = frozenset({os.getegid(), *os.getgroups()})
    try:
        entry = pwd.getpwuid(os.getuid())
        return User(entry.pw_name, now, frozenset(os.getgrouplist(entry.pw_name, entry.pw_gid)))
    except (KeyError, OSError):
        return User("$USER", now, now)


def for_permission(path: str, user: User) -> str:
    """What lets this user use the socket at `path`."""
    number = _group_of(path)
    try:
        group = USUAL_GROUP if number is None else grp.getgrgid(number).gr_name
        number = grp.getgrnam(group).gr_gid
    except KeyError:
        number, group = None, USUAL_GROUP
    if number == 0:
        return f"it is root's alone: `sudo groupadd --system {USUAL_GROUP}`, then restart flowtopd"
    if number in user.now:
        return f"you are in the group {group}, but the socket is closed to it: `ls -l {path}`"
    if number in user.next:
        return f"you are in the group {group}, but were not yet when this session began: log in again"
    return f"`sudo usermod -aG {group} {user.name}`, then log in again"


def _group_of(path: str) -> int | None:
    """The group of the socket, or of its directory where that may not be looked into."""
    for place in (Path(path), Path(path).parent) if path else ():
        try:
            return place.stat().st_gid
        except OSError:
            continue
    return None


def for_no_daemon(*, systemd: Path = _SYSTEMD, units: Collection[Path] = _UNIT_DIRECTORIES) -> str:
    """What starts a daemon here."""
    if systemd.is_dir() and any((directory / _UNIT).exists() for directory in units):
        return f"`sudo systemctl start flowtopd` starts it, `enable --now flowtopd.socket` whenever needed; {_PRIVATE}"
    return f"`sudo flowtopd` starts one; {_PRIVATE}"
