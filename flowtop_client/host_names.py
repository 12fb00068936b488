"""What flows and rows of several hosts are called, so that those of two hosts stay apart. Pure.

9f3c…@router    the flow 9f3c… of the host `router`: another host may have one of the same id, and groups of one key
"""

from typing import Final

HOST_FIELD: Final = "host"
"""The first field of a row, where there are several hosts."""

_AT: Final = "@"  # in no id of a flow: those are hexadecimal


def at_host(name: str, host: str) -> str:
    """What a flow or a group is called among those of several hosts."""
    return f"{name}{_AT}{host}"


def split(name: str) -> tuple[str, str]:
    """The id of a flow, and its host; that is empty where there is one host alone."""
    flow, _, host = name.partition(_AT)
    return flow, host
