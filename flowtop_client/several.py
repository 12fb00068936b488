"""Several hosts that are looked at together: how each of them is, and what its flows and rows are called. Pure values.

9f3c…@router    the flow 9f3c… of the host `router`: another host may have one of the same id, and groups of one key
"""

from dataclasses import dataclass
from typing import Final

from flowtopd.wire.messages import Snapshot, Status

HOST_FIELD: Final = "host"
"""The first field of a row, where there are several hosts."""

_AT: Final = "@"  # in no id of a flow: those are hexadecimal


@dataclass(frozen=True, slots=True)
class Member:
    """What a host is called, what is wrong with it (empty while all is well), and what this viewer may do there."""

    name: str
    trouble: str = ""
    may: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Merged(Snapshot):
    """A snapshot of several hosts, with the state of each of them that is in it, by its name."""

    hosts: tuple[tuple[str, Status], ...] = ()


def at_host(name: str, host: str) -> str:
    """What a flow or a group is called among those of several hosts."""
    return f"{name}{_AT}{host}"


def split(name: str) -> tuple[str, str]:
    """The id of a flow, and its host; that is empty where there is one host alone."""
    flow, _, host = name.partition(_AT)
    return flow, host
