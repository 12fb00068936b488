"""`flowtop` on a terminal of its own: a pty, and pyte as the terminal behind it."""

import contextlib
import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable
from typing import Any, Self

import pyte

KEYS = {
    "Up": "\x1b[A",
    "Down": "\x1b[B",
    "Right": "\x1b[C",
    "Left": "\x1b[D",
    "PgUp": "\x1b[5~",
    "PgDn": "\x1b[6~",
    "Home": "\x1b[H",
    "End": "\x1b[F",
    "Esc": "\x1b\x1b[24~",  # with F12, which means nothing, behind it: together with a letter it would be Alt and that
    "Tab": "\t",
    "Shift-Tab": "\x1b[Z",
    "Enter": "\r",
    "Backspace": "\x7f",
    "Delete": "\x1b[3~",
    "F2": "\x1bOQ",
    "F4": "\x1bOS",
    "Ctrl-T": "\x14",
    "Ctrl-A": "\x01",
    "Ctrl-E": "\x05",
    "Ctrl-U": "\x15",
    "Ctrl-W": "\x17",
    "Space": " ",
    "Ctrl-C": "\x03",
}

PATIENCE_S = 20.0
REST_S = 1.0
"""How long nothing is drawn before a screen is stored."""


class Terminal:
    """A running viewer. Everything waits for what is on the screen, never for a time."""

    def __init__(self, arguments: list[str], *, width: int = 80, height: int = 24, **environment: str) -> None:
        self._screen = pyte.Screen(width, height)
        self._stream = pyte.ByteStream(self._screen)
        self._control, terminal = pty.openpty()
        self._set_size(width, height)
        plain = {name: value for name, value in os.environ.items() if name not in {"NO_COLOR", "COLUMNS", "LINES"}}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "flowtop_client", *arguments],
            stdin=terminal,
            stdout=terminal,
            stderr=subprocess.PIPE,
            start_new_session=True,
            env=plain | {"TERM": "xterm-256color", "LC_ALL": "C.UTF-8"} | environment,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # noqa: PLW1509  # resizes reach it as SIGWINCH
        )
        os.close(terminal)
        self.raw = b""
        self._closed = False

    def _set_size(self, width: int, height: int) -> None:
        fcntl.ioctl(self._control, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))

    def resize(self, width: int, height: int) -> None:
        self._screen.resize(height, width)
        self._set_size(width, height)

    def send(self, *keys: str) -> None:
        os.write(self._control, "".join(KEYS.get(key, key) for key in keys).encode())

    def lines(self) -> list[str]:
        return [line.rstrip() for line in self._screen.display]

    def text(self) -> str:
        return "\n".join(self.lines()).rstrip("\n") + "\n"

    def attributes(self, row: int) -> list[Any]:
        """Every cell of a row, with its colours and attributes."""
        return [self._screen.buffer[row][column] for column in range(self._screen.columns)]

    def selected(self) -> int | None:
        """The row on the screen that is drawn in reverse below the titles."""
        rows = (row for row in range(5, self._screen.lines) if self._screen.buffer[row - 1][0].reverse)
        return next((row - 1 for row in rows), None)

    def wait(self, condition: Callable[[], Any], what: str = "the screen to change") -> None:
        """Read what the viewer draws until `condition` holds."""
        end = time.monotonic() + PATIENCE_S
        while not condition():
            assert time.monotonic() < end, f"waited in vain for {what}; the screen:\n{self.text()}"
            self._read(0.1)
            if self._closed:
                assert condition(), f"the viewer ended before {what}; the screen:\n{self.text()}"
                return

    def come_to_rest(self) -> None:
        """Read until nothing comes any more for a while: for what is stored, where nobody knows what to wait for."""
        while not self._closed and self._read(REST_S):
            pass

    def _read(self, patience_s: float) -> bool:
        """Read what the viewer draws now or soon; whether there was something."""
        ready, _, _ = select.select([self._control], [], [], patience_s)
        if ready:
            try:
                data = os.read(self._control, 1 << 16)
            except OSError:  # EIO: the viewer has closed the terminal
                self._closed = True
                return False
            self.raw += data
            self._stream.feed(data)
        return bool(ready)

    def wait_for(self, text: str) -> None:
        self.wait(lambda: text in self.text(), repr(text))

    def wait_without(self, text: str) -> None:
        self.wait(lambda: text not in self.text(), f"no {text!r}")

    def wait_for_end(self) -> tuple[int, str]:
        """The exit status, and what was said on stderr."""
        self.wait(lambda: self._closed, "the end of the viewer")
        assert self.process.stderr is not None
        return self.process.wait(PATIENCE_S), self.process.stderr.read().decode()

    def hang_up(self) -> None:
        """Close the terminal window under the viewer."""
        os.close(self._control)
        self._control = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        assert self.process.stderr is not None
        self.process.stderr.close()
        if self._control >= 0:
            os.close(self._control)
