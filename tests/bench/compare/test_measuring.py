import itertools
import re
import sys

import pytest

from bench.compare.measuring import a_minute, cpu_minute, press_keys, waited
from bench.screen import Screen

COUNTER = """
import os, sys, tty
tty.setraw(0)
place = 0
while True:
    os.write(1, b"\\x1b[Hplace %d " % place)
    place += {b"n": 1, b"p": -1}[os.read(0, 1)]
"""
BUSY = "while True: pass"


def place(lines: list[str]) -> str | None:
    found = re.search(r"place (\d+)", lines[0])
    return found.group(1) if found else None


def test_a_window_is_scaled_to_a_minute() -> None:
    assert a_minute(0.5, 2) == 15


def test_every_key_is_waited_for_until_the_screen_says_something_new() -> None:
    with Screen([sys.executable, "-I", "-S", "-c", COUNTER]) as screen:
        screen.wait_for(lambda lines: place(lines) == "0")
        keys = press_keys(screen, ("n", "n", "p"), place, 1)
        moves = sum(itertools.islice(itertools.cycle((1, 1, -1)), keys.pressed))
        assert place(screen.lines) == str(moves)
    assert keys.pressed >= 3
    assert 0 < keys.median_ms <= keys.p99_ms < 1_000


def test_a_program_that_never_rests_takes_most_of_a_minute_and_an_idle_one_none() -> None:
    with Screen([sys.executable, "-c", BUSY]) as busy, Screen([sys.executable, "-I", "-S", "-c", COUNTER]) as idle:
        idle.wait_for(lambda lines: place(lines) is not None)
        assert cpu_minute([idle.pid], 0.3) < 1
        assert 1 < cpu_minute([busy.pid, idle.pid], 0.3) <= 61


def test_a_screen_that_does_not_come_is_none() -> None:
    with Screen([sys.executable, "-I", "-S", "-c", COUNTER]) as screen:
        assert waited(screen, lambda lines: place(lines) == "0", 10) == pytest.approx(0, abs=10)
        assert waited(screen, lambda lines: place(lines) == "7", 0.2) is None
