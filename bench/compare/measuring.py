"""The three ways to measure a tool: over a window of time, key by key, and start by start.

CPU time is the kernel's own count for a process with all its threads, user and system, to the nanosecond, taken at both
ends of a window and scaled to a minute. What the kernel does for a packet or an event is booked where it happens, with
whoever sends: of no tool it is part.
"""

import random
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from bench.compare.cell import Keys
from bench.processes import cpu_seconds
from bench.report import median, percentile
from bench.screen import Screen

Lines = list[str]
KEY_LIMIT_S: Final = 10.0
_REFRESH_S: Final = 3.0
_DRAWN_S: Final = 0.05
_PAUSE_S: Final = (0.03, 0.13)
"""Between two keys, so that every phase of a refresh is hit."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How long things are measured, in seconds. `patience`: how long a tool may take for its first complete answer."""

    window_s: float
    keys_s: float
    many_keys_s: float
    settle_s: float
    patience_s: float
    starts: int


FULL: Final = Pace(window_s=3, keys_s=3, many_keys_s=16, settle_s=1, patience_s=16, starts=5)
QUICK: Final = Pace(window_s=1, keys_s=1, many_keys_s=2, settle_s=1, patience_s=5, starts=2)


def a_minute(cpu_s: float, seconds: float) -> float:
    """CPU seconds of some seconds, scaled to a minute."""
    return 60 * cpu_s / seconds


def cpu_minute(pids: Iterable[int], seconds: float, screen: Screen | None = None) -> float:
    """CPU seconds a minute of processes, measured for `seconds` or a little longer.

    With a `screen` the window begins and ends with a refresh of it: a tool that works once a second would else have
    worked one time more or less.
    """
    watched = list(pids)
    _refreshed(screen)
    before_s, start = sum(map(cpu_seconds, watched)), time.perf_counter()
    time.sleep(seconds)
    if screen is not None:
        screen.idle(_DRAWN_S)  # what has come so far
        _refreshed(screen)
    used_s = sum(map(cpu_seconds, watched)) - before_s
    return a_minute(used_s, time.perf_counter() - start)


def _refreshed(screen: Screen | None) -> None:
    """Wait until something has been drawn; not for ever, for a tool may have nothing new."""
    if screen is not None:
        with suppress(TimeoutError):
            screen.wait_for(lambda _lines: True, _REFRESH_S)


def press_keys(screen: Screen, keys: Sequence[str], place: Callable[[Lines], str | None], seconds: float) -> Keys:
    """Press `keys` in turns for `seconds`. A key has worked when `place` says something new about the screen.

    A key that has not worked after KEY_LIMIT_S counts as that, and is the last one.
    """
    chance = random.Random(1)
    waits_ms: list[float] = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        screen.idle(chance.uniform(*_PAUSE_S))
        before = place(screen.lines)
        pressed = screen.press(keys[len(waits_ms) % len(keys)])
        try:
            changed = screen.wait_for(lambda lines, old=before: place(lines) not in {None, old}, KEY_LIMIT_S)  # type: ignore[misc]
        except TimeoutError:
            waits_ms.append(KEY_LIMIT_S * 1000)
            break
        waits_ms.append((changed - pressed) * 1000)
    return Keys(len(waits_ms), median(waits_ms), percentile(waits_ms, 0.99))


def waited(screen: Screen, condition: Callable[[Lines], bool], seconds: float) -> float | None:
    """Seconds from the start of a program to a screen that meets `condition`; None when that takes too long."""
    with suppress(TimeoutError):
        return screen.wait_for(condition, seconds) - screen.started
    return None
