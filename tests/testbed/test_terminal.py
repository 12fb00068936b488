import re
import sys
from pathlib import Path

import pytest

from testbed.netns import Namespace, alive
from testbed.terminal import Terminal

_PROGRAM = r"""
import os, sys
print("size", *os.get_terminal_size(), os.environ.get("COLOUR"), os.getcwd(), "\033[31mred\033[m", flush=True)
for line in sys.stdin:
    print("got", line.strip().upper(), *os.get_terminal_size(), flush=True)
    if line == "exit\n":
        sys.exit(3)
"""


def test_keys_go_in_and_the_screen_comes_out(tmp_path: Path) -> None:
    program = [sys.executable, "-c", _PROGRAM]
    with Terminal(program, columns=60, rows=10, env={"COLOUR": "green"}, cwd=tmp_path) as terminal:
        screen = terminal.wait_for(re.compile(r"size 60 10 green \S+"))
        assert str(tmp_path)[:20] in screen
        assert "\033[31m" in terminal.screen(escapes=True)
        assert len(terminal.lines()) >= 10
        terminal.type("a word;")
        terminal.send_keys("Enter")
        terminal.wait_for(lambda text: "got A WORD; 60 10" in text)
        terminal.resize(90, 20)
        terminal.send_keys("e", "x", "i", "t", "Enter")
        assert terminal.exit_status() == 3
        assert "got EXIT 90 20" in terminal.screen()  # stays after the end
        pid = terminal.pid
    assert not alive(pid)


def test_a_failure_shows_the_last_screen() -> None:
    with Terminal(["sh", "-c", "echo hello; sleep 60"]) as terminal:
        terminal.wait_for("hello")
        with pytest.raises(AssertionError, match="'goodbye' not on the screen after 0 s:\nhello"):
            terminal.wait_for("goodbye", timeout=0)


def test_a_signal_is_told_as_by_a_shell() -> None:
    with Terminal(["sh", "-c", "kill -KILL $$"]) as terminal:
        assert terminal.exit_status() == 137


@pytest.mark.kernel
def test_a_program_runs_in_a_namespace(namespace: Namespace) -> None:
    with Terminal(["sh", "-c", "readlink /proc/self/ns/net; sleep 60"], namespace=namespace) as terminal:
        inside = namespace.run(["readlink", "/proc/self/ns/net"]).strip()
        terminal.wait_for(inside)
        assert len(namespace.pids()) == 2
