"""Attribution against the truth: programs whose process and ports are known, and what the daemon's parts say of them.

    long-lived     processes that hold many flows each, TCP and UDP, IPv4 and IPv6, over several ticks
    short-lived    curl, for each flow a process that lives some 60 ms, against a server that takes 50 to answer

The parts are put together as the daemon does it: a tick a second, a `Watcher` that gets events between the ticks, the
flows that have no final answer asked for at each tick.
"""

import ipaddress
import queue
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Final

import numpy as np

from flowtopd.collector import Collector
from flowtopd.enrich.process.attribution import Answers, Attributor
from flowtopd.enrich.process.cgroup import Cgroups
from flowtopd.enrich.process.events import Listening, Watcher
from flowtopd.enrich.process.holders import Holders
from flowtopd.enrich.process.identity import Identities
from flowtopd.enrich.process.match import Mask
from flowtopd.enrich.process.namespaces import Namespaces
from flowtopd.enrich.process.sockets import Sockets
from flowtopd.enrich.process.verdict import Verdicts
from flowtopd.flows.dimensions import Attribution, Owner
from flowtopd.flows.snapshot import KernelState, Snapshot
from flowtopd.netlink.nlsocket import NetlinkSocket
from testbed.netns import Namespace
from testbed.programs import Program

Flow = tuple[int, int, int]
"""Family, protocol and source port: of the truth's own programs in a namespace, no two flows share them."""

_KERNEL: Final = KernelState(accounting=True, timestamps=True, max=None, tracking=None)
_TICK_S: Final = 1.0
_PORT: Final = re.compile(rb"^(\d+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Truth:
    """How many flows there were, of how many the process was named, and of how many a wrong one."""

    flows: int
    named: int
    wrong: int

    @property
    def share(self) -> float:
        """The share of the flows that have the right name."""
        return (self.named - self.wrong) / self.flows


class Book:
    """What is known of each flow, from events and ticks. Belongs to the thread that ticks."""

    def __init__(self, collector: Collector, attributor: Attributor) -> None:
        self._collector = collector
        self._inbox: queue.SimpleQueue[Answers | Listening] = queue.SimpleQueue()
        self.watcher = Watcher(attributor, self._inbox.put)
        self.answers: dict[int, tuple[Attribution, Owner]] = {}
        self._final: set[int] = set()
        self.listening: dict[int, frozenset[int]] = {}

    def tick(self) -> Snapshot:
        """Take a tick, and ask for all flows of it that have no final answer."""
        self.read()
        snapshot = self._collector.tick().snapshot
        keys = snapshot.columns["key"].tolist()
        open_rows = np.array([row for row, key in enumerate(keys) if key not in self._final], np.intp)
        if len(open_rows):
            self.watcher.ask(snapshot.columns, open_rows)
        return snapshot

    def read(self) -> None:
        """Take over what was found."""
        while not self._inbox.empty():
            found = self._inbox.get()
            if isinstance(found, Listening):
                self.listening = found.ports
                continue
            rows = zip(found.keys.tolist(), found.how.tolist(), found.owner.tolist(), found.final.tolist(), strict=True)
            for key, how, owner, final in rows:
                if owner or not self.answers.get(key, (Attribution.PENDING, found.owners[0]))[1].pid:
                    self.answers[key] = Attribution(how), found.owners[owner]
                if final:
                    self._final.add(key)

    def by_flow(self, snapshot: Snapshot) -> dict[Flow, tuple[Attribution, Owner]]:
        """What is known of the flows of a snapshot."""
        columns = snapshot.columns
        flows = zip(*(columns[name].tolist() for name in ("key", "family", "proto", "sport")), strict=True)
        return {(family, proto, sport): self.answers[key] for key, family, proto, sport in flows if key in self.answers}


def is_loopback(addresses: np.ndarray[tuple[int, ...], np.dtype[np.uint64]]) -> Mask:
    """Tell which addresses are this host's own in a namespace that has nothing but loopback."""
    ipv4: Mask = addresses[:, 1] >> np.uint64(24) == int(ipaddress.ip_address("::ffff:127.0.0.0")) >> 24
    loopback: Mask = (addresses[:, 0] == 0) & (ipv4 | (addresses[:, 1] == 1))
    return loopback


@contextmanager
def book(namespace: Namespace) -> Iterator[Book]:
    """Everything that the daemon has, inside a namespace."""
    with namespace.entered(), NetlinkSocket() as netlink, ThreadPoolExecutor(1) as reader:
        cgroups = Cgroups()
        verdicts = Verdicts(Holders(cgroups), Identities(cgroups))
        made = Book(
            Collector(netlink, lambda _flows: _KERNEL, reader),
            Attributor(Sockets(), verdicts, Namespaces(), is_loopback),
        )
        made.watcher.start()
        try:
            yield made
        finally:
            made.watcher.stop()


_HOLD: Final = """
import resource
resource.setrlimit(resource.RLIMIT_NOFILE, (20000, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
kept, ports = [], []
for number in range(%d):
    family, address = ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"))[number %% 2]
    kind, proto = ((socket.SOCK_STREAM, 6), (socket.SOCK_DGRAM, 17))[number // 2 %% 2]
    made = socket.socket(family, kind)
    made.connect((address, 7000))
    made.send(b"hello")
    kept.append(made)
    ports.append((family, proto, made.getsockname()[1]))
say(ports)
"""

_SERVE: Final = """
import selectors
selector = selectors.DefaultSelector()
for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        made = socket.socket(family, kind)
        made.bind((address, 7000))
        if kind == socket.SOCK_STREAM:
            made.listen(1000)
        selector.register(made, selectors.EVENT_READ, kind == socket.SOCK_STREAM)
say()
kept = []
while True:
    for key, _ in selector.select():
        kept.append(key.fileobj.accept()) if key.data else key.fileobj.recv(100)
"""

_ANSWER_LATE: Final = """
import threading
def answer(peer):
    with peer:
        peer.recv(10000)
        time.sleep(0.05)
        peer.send(b"HTTP/1.0 204 No Content\\r\\n\\r\\n")
listener = socket.create_server(("127.0.0.1", 8000), backlog=100)
say()
while True:
    threading.Thread(target=answer, args=(listener.accept()[0],), daemon=True).start()
"""


def long_lived(namespace: Namespace, programs: int, flows: int, ticks: int = 3) -> Truth:
    """So many programs with so many flows each, which live for all the ticks."""
    truth: dict[Flow, int] = {}
    with book(namespace) as known, ExitStack() as running:
        running.enter_context(Program(namespace, _SERVE))
        known.tick()
        for _ in range(programs):
            program = running.enter_context(Program(namespace, _HOLD % flows))
            truth |= dict.fromkeys(map(_flow, program.said), program.pid)
        for _ in range(ticks):
            snapshot = known.tick()
            time.sleep(_TICK_S)
        known.read()
        return _judged(truth, known.by_flow(snapshot))


def short_lived(namespace: Namespace, programs: int, pause_s: float = 0.02) -> Truth:
    """So many runs of curl, one every `pause_s` or so."""
    truth: dict[Flow, int] = {}
    with book(namespace) as known, Program(namespace, _ANSWER_LATE):
        known.tick()
        ticked_s = time.monotonic()
        running: list[subprocess.Popen[bytes]] = []
        for _ in range(programs):
            running.append(_curl())
            time.sleep(pause_s)
            if time.monotonic() - ticked_s >= _TICK_S:
                known.tick()
                ticked_s = time.monotonic()
        for process in running:
            said, _ = process.communicate(timeout=10)
            found = _PORT.search(said)
            if found is None:
                raise RuntimeError(f"curl failed: {said!r}")
            truth[socket.AF_INET, socket.IPPROTO_TCP, int(found[1])] = process.pid
        for _ in range(2):
            snapshot = known.tick()
            time.sleep(_TICK_S)
        known.read()
        return _judged(truth, known.by_flow(snapshot))


def _curl() -> subprocess.Popen[bytes]:
    argv = [
        "curl",
        "-q",
        "--silent",
        "--output",
        "/dev/null",
        "--write-out",
        "%{local_port}\n",
        "http://127.0.0.1:8000/",
    ]
    return subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)


def _flow(said: list[int]) -> Flow:
    family, proto, sport = said
    return family, proto, sport


def _judged(truth: dict[Flow, int], known: dict[Flow, tuple[Attribution, Owner]]) -> Truth:
    pids = {flow: known[flow][1].pid for flow in truth if flow in known}
    named = {flow: pid for flow, pid in pids.items() if pid is not None}
    return Truth(len(truth), len(named), sum(pid != truth[flow] for flow, pid in named.items()))


if __name__ == "__main__":
    with Namespace() as host:
        host.account()
        host.track()
        print("long-lived ", long_lived(host, 10, 100))
        print("short-lived", short_lived(host, int(sys.argv[1]) if len(sys.argv) > 1 else 150))
