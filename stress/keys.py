"""Keys pressed on a viewer in a terminal: how long until the screen has changed and is complete."""

import random
import re
import time
from typing import Final

from bench.screen import Screen

_POSITION: Final = re.compile(r"(\d.*?-\d.*?) of ")
_ROW: Final = re.compile(r" (tcp|udp|icmp|icmpv6|gre|sctp) ")
_SCROLL: Final = ("NPage", "NPage", "NPage", "PPage", "NPage", "NPage", "End", "PPage", "PPage", "Home")
_PATIENCE_S: Final = 10.0


def position(lines: list[str]) -> str | None:
    """Where the footer says the window is, None while rows of it are still on their way."""
    found = _POSITION.match(lines[-1])
    rows = sum(_ROW.search(line) is not None for line in lines)
    return found.group(1) if found and rows >= len(lines) - 8 else None


def press_for(screen: Screen, seconds: float) -> list[float]:
    """Scroll for so long, and at least once; return how many milliseconds each key took."""
    chance, until = random.Random(1), time.monotonic() + seconds
    waits: list[float] = []
    while not waits or time.monotonic() < until:
        screen.idle(chance.uniform(0.03, 0.13))  # every phase of a tick is hit
        before = position(screen.lines)
        pressed = screen.press(_SCROLL[len(waits) % len(_SCROLL)])
        changed = screen.wait_for(lambda lines, old=before: position(lines) not in {None, old}, _PATIENCE_S)  # type: ignore[misc]
        waits.append((changed - pressed) * 1000)
    return waits
