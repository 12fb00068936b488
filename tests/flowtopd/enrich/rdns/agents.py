"""A Resolver in a process inside a namespace, where the system's resolver asks the DNS server of the namespace.

with Agent(host, tmp_path, hosts=b"192.0.2.1 nas") as agent:
    assert agent.names("192.0.2.1") == {"192.0.2.1": "nas"}
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Self

from testbed.dns import resolving
from testbed.netns import Namespace, stop_process, wait_until

ROOT = Path(__file__).parents[4]


class Agent:
    """`options` are those of resolv.conf, `hosts` is the hosts file."""

    def __init__(self, host: Namespace, directory: Path, *, options: str = "", hosts: bytes = b"") -> None:
        argv = resolving(
            directory, [sys.executable, "-m", "tests.flowtopd.enrich.rdns.agent"], options=options, hosts=hosts
        )
        self.process = host.popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        stop_process(self.process)

    def ask(self, *order: Any) -> Any:
        """Have something done."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(order).encode() + b"\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        assert line, f"the agent said nothing, status {self.process.poll()}"
        return json.loads(line)

    def told(self, count: int) -> dict[str, str | None]:
        """Wait until so much was told."""
        found: dict[str, str | None] = {}

        def enough() -> bool:
            found.update(self.ask("take"))
            return len(found) >= count

        wait_until(enough)
        return found

    def names(self, *addresses: str) -> dict[str, str | None]:
        """Want these, and wait for all."""
        self.ask("want", addresses)
        return self.told(len(addresses))
