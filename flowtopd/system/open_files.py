"""How many files this process may have open: as many as it can use, where the system lets it.

A viewer is a file, and so is a socket of every container whose sockets are read. The usual soft limit of 1024 is that
of programs that use select(2), which this one does not.
"""

import contextlib
import resource
from typing import Final

ENOUGH: Final = 16_384


def raise_open_files() -> int:
    """Raise the soft limit as far as the hard one and ENOUGH allow. Return the soft limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = ENOUGH if hard == resource.RLIM_INFINITY else min(ENOUGH, hard)
    if soft != resource.RLIM_INFINITY and soft < most:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
            return most
    return soft
