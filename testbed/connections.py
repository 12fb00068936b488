"""A busy end host: many TCP connections of a local program, with a little traffic on some of them.

    with connections(host, 1_000):
        ...                     # 1 000 ESTABLISHED flows 198.51.100.1:x → 198.51.100.1:443

Both ends are one small process inside the namespace (`python -m testbed.connections`), on an address of its own
on the loopback device, so that viewers do not take them for loopback. It ends by itself after ten minutes.
"""

import random
import resource
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from testbed.netns import Namespace, stop_process

ADDRESS: Final = "198.51.100.1"
PORT: Final = 443
_ROOT: Final = Path(__file__).parent.parent
_LIFE_S: Final = 600.0
_STEP_S: Final = 0.2


@contextmanager
def connections(namespace: Namespace, count: int) -> Iterator[int]:
    """Hold `count` connections inside `namespace`; the process id of the program that has them."""
    namespace.run(["ip", "address", "replace", f"{ADDRESS}/32", "dev", "lo"])
    argv = [sys.executable, "-m", "testbed.connections", str(count)]
    process = namespace.popen(argv, stdout=subprocess.PIPE, cwd=_ROOT)
    try:
        assert process.stdout is not None
        if process.stdout.readline() != b"ready\n":
            raise RuntimeError(f"no connections, exit {process.wait(5)}")
        yield process.pid
    finally:
        stop_process(process)


def _hold(count: int) -> None:
    """Connect, then move some bytes on a few connections five times a second."""
    wanted = 2 * count + 64
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, max(wanted, hard)))
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server((ADDRESS, PORT), backlog=128))
        pairs = []
        for _ in range(count):
            near = stack.enter_context(socket.create_connection((ADDRESS, PORT)))
            far = stack.enter_context(listener.accept()[0])
            pairs.append((near, far))
            _talk(near, far)
        print("ready", flush=True)
        chance = random.Random(1)
        end = time.monotonic() + _LIFE_S
        while time.monotonic() < end:
            time.sleep(_STEP_S)
            for near, far in chance.sample(pairs, min(20, count)):
                _talk(near, far)


def _talk(near: socket.socket, far: socket.socket) -> None:
    """A small request, a larger answer."""
    near.sendall(b"q" * 200)
    far.recv(1_000)
    far.sendall(b"a" * 3_000)
    near.recv(3_000, socket.MSG_WAITALL)


if __name__ == "__main__":
    _hold(int(sys.argv[1]))
