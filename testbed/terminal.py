"""A terminal program on a real terminal: tmux with a server of its own, keys in, the screen out.

    with Terminal([sys.executable, "-m", "flowtop_client"], columns=100, rows=30, namespace=host) as terminal:
        terminal.wait_for("PROTO")
        terminal.send_keys("Down", "q")       # names as tmux(1) has them; `type` sends text as it is
        assert terminal.exit_status() == 0

The screen stays after the program has ended, so that its last words can be read. On exit the program
is hung up and the server ended.
"""

import contextlib
import os
import re
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from testbed.netns import Namespace, alive, run, stop_process, wait_until

Expected = str | re.Pattern[str] | Callable[[str], bool]
"""What to wait for: a text on the screen, a pattern found in it, or a question about it."""

_POLL_S: Final = 0.02
_STOP_S: Final = 2.0
_CONFIG: Final = """
set -g remain-on-exit on
set -g status off
set -g default-terminal tmux-256color
set -s escape-time 0
"""


class Terminal:
    """One program on a terminal of `columns` by `rows` cells, in `namespace` if there is one."""

    def __init__(
        self,
        argv: Sequence[str],
        *,
        columns: int = 80,
        rows: int = 24,
        namespace: Namespace | None = None,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> None:
        self._argv = namespace.argv(argv) if namespace else list(argv)
        self._size = ["-x", str(columns), "-y", str(rows)]
        self._env = [part for name, value in (env or {}).items() for part in ("-e", f"{name}={value}")]
        self._cwd = ["-c", str(cwd or Path.cwd())]
        self._directory = tempfile.TemporaryDirectory(prefix="flowtop-tmux-")
        self._socket = f"{self._directory.name}/socket"
        self._server: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        config = Path(self._directory.name, "tmux.conf")
        config.write_text(_CONFIG, encoding="ascii")
        try:
            self._server = subprocess.Popen(
                ["tmux", "-D", "-S", self._socket, "-f", str(config)], stdin=subprocess.DEVNULL
            )
            wait_until(Path(self._socket).exists)
            self._tmux("new-session", "-d", *self._size, *self._env, *self._cwd, "--", *self._argv)
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Kill the server, and the program with it."""
        if self._server is not None:
            with contextlib.suppress(RuntimeError):  # no session has come to be
                _end(self.pid)
            stop_process(self._server)
        self._directory.cleanup()

    def _tmux(self, *arguments: str) -> str:
        return run(["tmux", "-S", self._socket, *arguments])

    def _ask(self, variable: str) -> str:
        return self._tmux("display-message", "-p", f"#{{{variable}}}").strip()

    @property
    def pid(self) -> int:
        """Process id of the program."""
        return int(self._ask("pane_pid"))

    def send_keys(self, *keys: str) -> None:
        """Press keys by tmux's names: `Down`, `NPage`, `C-c`, `q` ..."""
        self._tmux("send-keys", "--", *keys)

    def type(self, text: str) -> None:
        """Type text as it is."""
        # by number: tmux would take a last `;` for its own separator
        self._tmux("send-keys", "-H", *(f"{ord(character):x}" for character in text))

    def screen(self, *, escapes: bool = False) -> str:
        """What is on the screen; with colours and attributes as escape sequences where asked for."""
        return self._tmux("capture-pane", "-p", *(["-e"] if escapes else []))

    def lines(self) -> list[str]:
        """The screen, line by line, without trailing blanks."""
        return [line.rstrip() for line in self.screen().split("\n")]

    def resize(self, columns: int, rows: int) -> None:
        """Give the terminal another size."""
        self._tmux("resize-window", "-x", str(columns), "-y", str(rows))

    def wait_for(self, expected: Expected, timeout: float = 10.0) -> str:
        """The first screen that is as expected. Raises AssertionError with the last one after `timeout`."""
        deadline = time.monotonic() + timeout
        while True:
            late = time.monotonic() > deadline
            screen = self.screen()
            if _matches(expected, screen):
                return screen
            if late:
                raise AssertionError(f"{expected!r} not on the screen after {timeout} s:\n{screen}")
            time.sleep(_POLL_S)

    def exit_status(self, timeout: float = 10.0) -> int:
        """The exit status of the program, after waiting for its end. A signal is 128 + its number."""
        deadline = time.monotonic() + timeout
        assert self._server is not None
        # A pane is dead when its terminal is closed; how it ended is known a little later. tmux 3.3a sometimes misses
        # SIGCHLD (4 of 60 times) and leaves a zombie, so it is told once more.
        while not (status := self._ask("pane_dead_status")) and not (number := self._ask("pane_dead_signal")):
            if time.monotonic() > deadline:
                raise AssertionError(f"still running after {timeout} s:\n{self.screen()}")
            if self._ask("pane_dead") == "1":
                self._server.send_signal(signal.SIGCHLD)
            time.sleep(_POLL_S)
        return int(status) if status else 128 + int(number)


def _matches(expected: Expected, screen: str) -> bool:
    if isinstance(expected, str):
        return expected in screen
    if isinstance(expected, re.Pattern):
        return expected.search(screen) is not None
    return expected(screen)


def _end(pid: int) -> None:
    """End a program as a closed window does, by SIGHUP, or after two seconds by SIGKILL."""
    for number in (signal.SIGHUP, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
        with contextlib.suppress(TimeoutError):
            wait_until(lambda: not alive(pid), _STOP_S)
            return
