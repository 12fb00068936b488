"""Which of the two programs is the older one. Pure.

The protocol's version says whether they can talk at all; the programs' versions say why one of them does not know what
the other one means.
"""

import re
from typing import Final

from flowtopd.wire.version import VERSION

_VERSION: Final = r"flowtopd (\d+(?:\.\d+)*)\Z"


def older_side(server: str, viewer: str = VERSION) -> str:
    """What to do about two versions, in a line; empty where they are the same or the daemon does not say.

    `server` is what the daemon's welcome says of itself.
    """
    found = re.match(_VERSION, server)
    if found is None or found[1] == viewer:
        return ""
    if _numbers(found[1]) < _numbers(viewer):
        return f"flowtopd {found[1]} is older than this flowtop {viewer}: update and restart it"
    return f"this flowtop {viewer} is older than flowtopd {found[1]}: update it"


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version))
