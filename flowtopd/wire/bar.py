"""How an update is shown, on a terminal or in a log. Both programs show it so. A Progress in, text to write out.

asn      [███████████             ]  45 %   4.1 of 9.2 MB   1.2 MB/s   4 s left      redrawn in its line
asn: 4.1 of 9.2 MB                                                                   without a terminal: quarters
asn: 9.2 MB of 2026-11-24 from mirror.example.org                                    news, each in a line that stays
"""

import os
from typing import Final, TextIO

from flowtopd.wire.messages import Progress

_BAR: Final = 24
_MB: Final = 1_000_000
_MINUTE_S: Final = 60
_STEPS: Final = 4
_CLEAR: Final = "\r\x1b[K"


def terminal_width(stream: TextIO) -> int | None:
    """The width of the terminal that this is now, None where it is none."""
    try:
        return os.get_terminal_size(stream.fileno()).columns
    except OSError:  # io.UnsupportedOperation is one too
        return None


class Display:
    """What was shown last."""

    def __init__(self) -> None:
        self._drawn = False
        self._step = ("", -1)

    def clear(self) -> str:
        """What takes the bar away, so that something else can be written."""
        drawn, self._drawn = self._drawn, False
        return _CLEAR if drawn else ""

    def show(self, progress: Progress, width: int | None) -> str:
        """What to write, to a terminal of this width, or to none."""
        if progress.text:
            return f"{self.clear()}{progress.text}\n"
        if progress.ended is not None:
            return self.clear()
        if width is not None:
            self._drawn = True
            return f"{_CLEAR}{bar(progress, width - 1)}"
        return self._plain(progress)

    def _plain(self, progress: Progress) -> str:
        if not progress.total:
            return ""
        step = (progress.what, _STEPS * progress.done // progress.total)
        if step == self._step or not step[1]:
            return ""
        self._step = step
        return f"{progress.what}: {_amount(progress)}\n"


def bar(progress: Progress, width: int) -> str:
    """The line, at most `width` characters."""
    parts = [_amount(progress)]
    if progress.total:
        part = min(1.0, progress.done / progress.total)
        parts.insert(0, f"[{'█' * int(part * _BAR):{_BAR}}] {100 * part:3.0f} %")
    if progress.rate is not None:
        parts.append(f"{progress.rate / _MB:.1f} MB/s")
    if progress.left is not None:
        parts.append(f"{_time(progress.left)} left")
    return f"{progress.what:8} {'   '.join(parts)}"[:width]


def _amount(progress: Progress) -> str:
    done = f"{progress.done / _MB:.1f}"
    return f"{done} of {progress.total / _MB:.1f} MB" if progress.total else f"{done} MB"


def _time(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), _MINUTE_S)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
