"""What the daemon changes on its host, together: the runtime directory, the sysctls, tracking. And how it is put back.

    with Host(config.conntrack, directory) as host:
        host.sysctls                   # what the kernel does now
        host.change(conntrack)         # after a reload

Order, undone in reverse: 1 the runtime directory is locked, 2 sysctls are saved and set, 3 connections are tracked.
What cannot be done to the sysctls is logged, a line each; everything else raises.
"""

import contextlib
import importlib
import logging
import tempfile
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Self

from flowtopd.config import Conntrack, SysctlMode
from flowtopd.system.runtime_dir import AlreadyRunningError, RuntimeDir
from flowtopd.system.sysctl import Sysctls

log = logging.getLogger("flowtopd")


class Host:
    """The host, changed as configured between entry and exit.

    `private`: where another daemon owns the runtime directory, and with it the sysctls, this one goes on without
    touching them. Raises AlreadyRunningError otherwise, and OSError.
    """

    def __init__(self, conntrack: Conntrack, directory: Path, *, private: bool = False) -> None:
        self._conntrack = conntrack
        self._directory = directory
        self._private = private
        self._is_guest = False
        self._undo = contextlib.ExitStack()
        self._tracking = contextlib.ExitStack()

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as undo:
            runtime = self._runtime(undo)
            self.sysctls = Sysctls(runtime)
            undo.callback(lambda: warn(self.sysctls.release()))
            undo.callback(self._tracking.close)
            self._apply(self._conntrack)
            self._undo = undo.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._undo.close()

    def _runtime(self, undo: contextlib.ExitStack) -> RuntimeDir:
        try:
            return undo.enter_context(RuntimeDir(self._directory))
        except AlreadyRunningError:
            if not self._private:
                raise
            self._is_guest = True
            return undo.enter_context(RuntimeDir(Path(undo.enter_context(tempfile.TemporaryDirectory()))))

    def change(self, conntrack: Conntrack) -> None:
        """Have the host as this says from now on. Raises OSError where tracking cannot be turned on."""
        before, self._conntrack = self._conntrack, conntrack
        if conntrack.activate != before.activate:
            self._tracking.close()
        self._apply(conntrack, tracked=before.activate)

    def _apply(self, conntrack: Conntrack, *, tracked: bool = False) -> None:
        warn(self.sysctls.acquire(SysctlMode.NEVER if self._is_guest else conntrack.sysctl))
        if conntrack.activate and not tracked:
            # pyroute2 takes 13 MB and 0.2 s, so it is imported only where activation is asked for
            self._tracking.enter_context(importlib.import_module("flowtopd.system.activation").Activation())


def warn(lines: Iterable[str]) -> None:
    """Log each of these lines."""
    for line in lines:
        log.warning("%s", line)
