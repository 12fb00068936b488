"""Not one more file can be opened in this process."""

import contextlib
import os
import resource
from collections.abc import Iterator


@contextlib.contextmanager
def no_descriptors() -> Iterator[None]:
    """Have the block run so. Files that are open stay so."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.ExitStack() as held:
        spare = os.open("/dev/null", os.O_RDONLY)
        held.callback(os.close, spare)
        # the lowest number that is free decides
        resource.setrlimit(resource.RLIMIT_NOFILE, (spare, hard))
        held.callback(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        with contextlib.suppress(OSError):
            while True:
                held.callback(os.close, os.open("/dev/null", os.O_RDONLY))
        yield
