"""A terminal program on a pty, with the time at which every byte of its screen arrived.

A thread reads and stamps output the moment it comes. It is drawn (pyte) only when the program has gone quiet: drawing a
screen takes longer than most of what is measured here, and would take the processor away from it.
"""

import contextlib
import fcntl
import os
import pty
import queue
import signal
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import pyte

from testbed.netns import Namespace, stop_process

ROOT: Final = Path(__file__).parent.parent
KEYS: Final = {
    "Down": b"\x1b[B",
    "Up": b"\x1b[A",
    "NPage": b"\x1b[6~",
    "PPage": b"\x1b[5~",
    "Home": b"\x1b[H",
    "End": b"\x1b[F",
}
_QUIET_S: Final = 0.05
_SWITCH_S: Final = 0.0005
"""How long drawing may keep the thread from stamping (sys.setswitchinterval); Python's default is 5 ms."""
_COLUMNS: Final = 160
_ROWS: Final = 50


class Screen:
    """A program on a terminal of 160 by 50 cells. Started on entry, ended by its pid on exit.

    `term`: ncurses uses escape sequences of xterm that pyte does not know (REP); programs with it get on with `linux`.
    """

    def __init__(self, argv: Sequence[str], namespace: Namespace | None = None, term: str = "xterm-256color") -> None:
        self._argv = namespace.argv(argv) if namespace else list(argv)
        self._term = term
        self._screen = pyte.Screen(_COLUMNS, _ROWS)
        self._stream = pyte.ByteStream(self._screen)
        self._master = -1
        self._process: subprocess.Popen[bytes] | None = None
        self._switch_s = 0.0
        self._arrived: queue.SimpleQueue[tuple[float, bytes]] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read, name="screen", daemon=True)
        self.started = 0.0
        """When the program was started (perf_counter)."""

    def __enter__(self) -> Self:
        self._master, slave = pty.openpty()
        try:
            fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", _ROWS, _COLUMNS, 0, 0))
            env = os.environ | {"TERM": self._term}
            self.started = time.perf_counter()
            self._process = subprocess.Popen(
                self._argv, stdin=slave, stdout=slave, stderr=slave, env=env, cwd=ROOT, start_new_session=True
            )
        except BaseException:
            os.close(self._master)
            raise
        finally:
            os.close(slave)
        self._switch_s = sys.getswitchinterval()
        sys.setswitchinterval(_SWITCH_S)
        self._reader.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the program and give up the terminal."""
        if self._process is not None:
            stop_process(self._process, signal.SIGTERM)
            self._process = None
            self._reader.join()
            os.close(self._master)
            sys.setswitchinterval(self._switch_s)

    def _read(self) -> None:
        """Stamp what comes, until nobody has the other end of the terminal open any more (EIO)."""
        with contextlib.suppress(OSError):
            while True:
                data = os.read(self._master, 65_536)
                self._arrived.put((time.perf_counter(), data))
        self._arrived.put((time.perf_counter(), b""))

    @property
    def pid(self) -> int:
        """Process id of the program."""
        assert self._process is not None
        return self._process.pid

    @property
    def lines(self) -> list[str]:
        """The screen as drawn so far."""
        display: list[str] = self._screen.display
        return display

    def press(self, key: str) -> float:
        """Press a key of KEYS, or a letter; when it was pressed."""
        pressed = time.perf_counter()
        os.write(self._master, KEYS.get(key) or key.encode())
        return pressed

    def wait_for(self, condition: Callable[[list[str]], bool], timeout: float = 20.0) -> float:
        """When the bytes arrived after which the screen meets `condition`. Raises TimeoutError with the screen."""
        deadline = time.perf_counter() + timeout
        while time.perf_counter() < deadline:
            met = None
            for arrived, data in self._collect(deadline):
                self._stream.feed(data)
                if met is None and condition(self.lines):
                    met = arrived
            if met is not None:
                return met
        raise TimeoutError("not what was waited for:\n" + "\n".join(self.lines))

    def idle(self, seconds: float) -> None:
        """Draw what comes for a while."""
        with contextlib.suppress(TimeoutError):
            self.wait_for(lambda _lines: False, seconds)

    def _collect(self, deadline: float) -> list[tuple[float, bytes]]:
        """What comes until the program is quiet again after it has written something."""
        chunks: list[tuple[float, bytes]] = []
        with contextlib.suppress(queue.Empty):
            while (left := deadline - time.perf_counter()) > 0:
                arrived, data = self._arrived.get(timeout=_QUIET_S if chunks else left)
                if not data:
                    raise RuntimeError("the program has ended:\n" + "\n".join(self.lines))
                chunks.append((arrived, data))
        return chunks
