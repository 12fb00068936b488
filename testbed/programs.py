"""Programs that are known: their sockets, and the process that has them.

    with Program(host, "s = socket.create_connection(('10.0.0.1', 80)); say(s.getsockname()[1])") as client:
        client.pid, client.said            # whose flow it is, and what the script has said

A script is Python; `say` prints one value as a JSON line, once, when everything is set up. Then the program waits until
its input is closed. Imports are there: os, socket, struct, sys, time.
"""

import json
import subprocess
import sys
from types import TracebackType
from typing import IO, Any, Final, Self

from testbed.netns import Namespace, stop_process

_PREAMBLE: Final = """
import json, os, socket, struct, sys, time
def say(value=None):
    os.write(1, json.dumps(value).encode() + b"\\n")
"""
_WAIT: Final = """
sys.stdin.read()
"""


class Program:
    """A script that runs inside a namespace, from its making to its end."""

    def __init__(self, namespace: Namespace, script: str) -> None:
        # isolated, and without site: up in 15 ms
        argv = [sys.executable, "-I", "-S", "-c", _PREAMBLE + script + _WAIT]
        self._process = namespace.popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.said: Any = None

    def __enter__(self) -> Self:
        try:
            self.said = self.listen()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def listen(self) -> Any:
        """Wait until it says something more, in scripts that do."""
        line = _pipe(self._process.stdout).readline()
        if not line:
            raise RuntimeError(f"the script ended with {self._process.wait(5)}")
        return json.loads(line)

    @property
    def pid(self) -> int:
        """Process id of the script."""
        return self._process.pid

    def tell(self) -> None:
        """Send a line, for scripts that read their input themselves."""
        stdin = _pipe(self._process.stdin)
        stdin.write(b"\n")
        stdin.flush()

    def stop(self) -> None:
        """End it, and wait for its end."""
        stop_process(self._process)


def _pipe(stream: IO[bytes] | None) -> IO[bytes]:
    assert stream is not None
    return stream
