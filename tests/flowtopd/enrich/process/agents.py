"""Real processes that open sockets, fork and turn into others when told to, and pid namespaces for them to live in.

with Agent() as agent:
    inode = agent.ask("open")      # a TCP socket
    child = agent.ask("fork")      # a child with the same sockets, which lives as long as the agent
"""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from flowtopd.enrich.process.procfs import Pid
from testbed.netns import wait_until

_CODE = Path(__file__).with_name("agent.py")


class Agent:
    """One process. `pid` is its number as it sees it itself."""

    def __init__(self, prefix: Sequence[str] = (), *, argument: str | bytes = "agent") -> None:
        self.process = subprocess.Popen(
            [*prefix, sys.executable, "-S", _CODE, argument], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self._listens = True
        self.pid = Pid(int(self._line()))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """End it, and wait for the end."""
        with self.process:
            assert self.process.stdin is not None
            self.process.stdin.close()
            if not self._listens:
                self.process.kill()
            try:
                self.process.wait(5.0)
            except subprocess.TimeoutExpired:
                self.process.kill()

    def ask(self, *words: object) -> int:
        """Have something done; the answer is an inode or a pid."""
        (answer,) = self.ask_many(*words)
        return answer

    def ask_many(self, *words: object) -> list[int]:
        assert self.process.stdin is not None
        self.process.stdin.write(" ".join(map(str, words)).encode() + b"\n")
        self.process.stdin.flush()
        return [int(word) for word in self._line().split()]

    def become(self, *argv: object) -> None:
        """Turn it into another program, which listens to nobody."""
        self._listens = False
        before = Path(f"/proc/{self.pid}/cmdline").read_bytes()
        self.ask("exec", *argv)
        wait_until(lambda: Path(f"/proc/{self.pid}/cmdline").read_bytes() not in (before, b""))

    def _line(self) -> str:
        assert self.process.stdout is not None
        line = self.process.stdout.readline().decode().strip()
        assert line, f"the agent said nothing, status {self.process.poll()}"
        return line


class PidNamespace:
    """Processes that see only one another. `proc` shows them, with their pids in there, from outside."""

    def __init__(self) -> None:
        self.init = Agent(["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"])
        """Its pid 1; when it ends, so does everything inside."""
        unshare = self.init.process.pid
        self._leader = Path(f"/proc/{unshare}/task/{unshare}/children").read_text().strip()
        self.proc = Path(f"/proc/{self._leader}/root/proc")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.init.stop()

    def agent(self) -> Agent:
        """Another process inside."""
        return Agent(["nsenter", "--target", self._leader, "--pid", "--mount"])


class Shown:
    """A /proc in which only these processes are: others on this machine may have the same addresses in a namespace."""

    def __init__(self, proc: Path, *pids: int) -> None:
        self.proc = proc
        self.show(*pids)

    def show(self, *pids: int) -> None:
        """Have it list these too."""
        for pid in pids:
            (self.proc / str(pid)).symlink_to(f"/proc/{pid}")


class Clock:
    """Time that stands still until it is told, or passes by `step` a look."""

    def __init__(self, step: float = 0.0) -> None:
        self.now = 1000.0
        self.step = step

    def __call__(self) -> float:
        self.now += self.step
        return self.now
