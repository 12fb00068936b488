"""A host to look at over ssh, as users write it. Pure: text in, a value or ValueError out.

    router    alice@router    alice@router:2222    ssh://alice@router:2222    [2001:db8::1]:22    alice@2001:db8::1

Rules: a name is what ssh(1) takes, so an alias of ~/.ssh/config is one. Nothing of it can become an option of ssh or
a word of a shell: ssh puts names into commands of its configuration (ProxyCommand, Match exec).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

# compiled where they are used: most starts need none
_SPEC: Final = (
    r"(?:ssh://)?(?:(?P<user>[^@]*)@)?(?:\[(?P<bracketed>[^\[\]]*)\]|(?P<name>[^:]*)|(?P<address>[^\[\]]*:[^\[\]]*:[^\[\]]*))"
    r"(?::(?P<port>\d{1,5}))?/?"
)
_PLAIN: Final = r"[\w.%:+~=,^-]+"
"""What users and hosts are made of: no blanks, no quotes, nothing that a shell would read otherwise."""

_PLAIN_PATH: Final = r"/[\w./+=,-]*"

_LARGEST_PORT: Final = 65535


@dataclass(frozen=True, slots=True)
class Host:
    """`spec` as it was written, `name` without user and port. An empty user, and port None, are what ssh says."""

    spec: str
    name: str
    user: str = ""
    port: int | None = None

    @property
    def destination(self) -> str:
        """What ssh is told, behind its options."""
        return f"{self.user}@{self.name}" if self.user else self.name

    @property
    def by_hand(self) -> str:
        """The command that a person would type to get there."""
        return f"ssh {f'-p {self.port} ' if self.port else ''}{self.destination}"


def parse(spec: str) -> Host:
    """Raises ValueError, with what is wrong."""
    found = re.fullmatch(_SPEC, spec)
    if found is None:
        raise ValueError(f"{spec!r} is no host: [user@]host[:port]")
    user, port = found["user"], found["port"]
    name = next(name for name in (found["bracketed"], found["address"], found["name"]) if name is not None)
    for what, text in (("host", name), ("user", user)):
        if text is not None and (not re.fullmatch(_PLAIN, text) or text.startswith("-")):
            raise ValueError(f"{spec!r} has no {what} that ssh could take")
    if port is not None and not 1 <= int(port) <= _LARGEST_PORT:
        raise ValueError(f"{spec!r}: ports are 1 to {_LARGEST_PORT}")
    return Host(spec, name, user or "", None if port is None else int(port))


def labels(hosts: Sequence[Host]) -> tuple[str, ...]:
    """What each host is called on the screen: by its name, or as it was written where two would be called the same."""
    names = [host.name for host in hosts]
    return tuple(host.name if names.count(host.name) == 1 else host.spec for host in hosts)


def is_plain(path: str) -> bool:
    """Whether ssh's -L takes this path as it is: a colon ends one, and `%` and `${` stand for something else."""
    return re.fullmatch(_PLAIN_PATH, path, re.ASCII) is not None
