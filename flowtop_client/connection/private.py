"""A private daemon for one viewer: a child that serves one socket pair and ends when that is closed.

Rules:
1. The child gets its end of the pair by number and keeps no other descriptor; this process closes that end at once. So
   the child sees the end of the viewer even after SIGKILL, and puts the kernel's settings back.
2. It runs in a session of its own: Ctrl-C in the terminal reaches the viewer alone, which then leaves in order.
3. It never imports from the current directory (`-P`): this runs as root, wherever the user happens to be.
4. What it says on stderr is kept in a file without a name, and its last line is shown where it fails.
"""

import os
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

STOP_S: Final = 5.0
"""How long the child may take to put things back before it is asked again, and then before it is killed."""

_TAIL: Final = 4096
COMMAND: Final = (sys.executable, "-P", "-m", "flowtopd")
"""A daemon as it is configured."""

_ROOT: Final = str(Path(__file__).resolve().parents[2])


def _environment() -> dict[str, str]:
    """The child's environment. Run from a source tree, that tree is where it finds its package too."""
    environment = dict(os.environ)
    if sys.path and sys.path[0] and str(Path(sys.path[0]).resolve()) == _ROOT:
        environment["PYTHONPATH"] = _ROOT
    return environment


def replaying(path: Path, speed: float, *, loop: bool) -> tuple[str, ...]:
    """The command of a daemon that shows a recording. It reads no configuration: that may be root's alone."""
    options = ("--config", os.devnull, "--replay", str(path), "--speed", str(speed), *(("--loop",) if loop else ()))
    return (*COMMAND, *options)


class PrivateDaemon:
    """The child process, and this side of the pair as `viewer`. Raises OSError where it cannot be started."""

    def __init__(self, command: tuple[str, ...] = COMMAND) -> None:
        self.viewer, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        self._said = tempfile.TemporaryFile()  # noqa: SIM115  # lives as long as the child
        try:
            self._process = subprocess.Popen(  # noqa: S603  # our own interpreter and our own module
                [*command, "--viewer-fd", str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=self._said,
                stderr=self._said,
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
                env=_environment(),
            )
        except OSError:
            self.viewer.close()
            self._said.close()
            raise
        finally:
            theirs.close()

    def stop(self) -> str:
        """Close the pair and wait until the child has ended. If it failed: why, its own last line where it had one."""
        self.viewer.close()
        for insist in (self._process.terminate, self._process.kill, None):
            try:
                self._process.wait(STOP_S)
                break
            except subprocess.TimeoutExpired:
                if insist is not None:
                    insist()
        with self._said:
            self._said.seek(max(0, self._said.seek(0, os.SEEK_END) - _TAIL))
            lines = self._said.read().decode(errors="replace").strip().splitlines()
        status = self._process.returncode
        if status < 0:
            name = signal.Signals(-status).name
            return f"ended by {name}; `flowtopd --restore` puts the kernel's settings back"
        return lines[-1] if lines and status else ""
