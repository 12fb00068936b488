"""What viewers cost and feel like: CPU, memory, keys, first screens, twenty at once, and none at all.

Each function measures one thing on a table that is already filled, with a daemon of its own, and returns lines
for the report. All are bounded in time and leave nothing behind.
"""

import json
import random
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Final

from bench import targets
from bench.processes import cpu, resident_mb
from bench.report import Measured, at_most, median, percentile, thousands
from bench.screen import ROOT, Screen
from testbed.connections import connections
from testbed.daemon import Daemon
from testbed.entries import Proto, mix
from testbed.inject import inject
from testbed.netns import Namespace, stop_process, wait_until

_POSITION: Final = re.compile(r"(\d.*?-\d.*?) of ")
_ROW: Final = re.compile(r" (tcp|udp|icmp|icmpv6) ")
_SCROLL: Final = ("NPage", "NPage", "NPage", "PPage", "NPage", "NPage", "End", "PPage", "PPage", "Home")
CLASSIC: Final = "/usr/sbin/flowtop"


@contextmanager
def running_daemon(namespace: Namespace) -> Iterator[Daemon]:
    """A daemon with its files in a directory of its own."""
    with (
        tempfile.TemporaryDirectory(prefix="flowtop-bench-") as directory,
        Daemon(namespace, Path(directory)) as daemon,
    ):
        yield daemon


def position(lines: list[str]) -> str | None:
    """Where the footer says the window is."""
    found = _POSITION.match(lines[-1])
    return found.group(1) if found else None


def complete(lines: list[str]) -> bool:
    """Whether every row of the page is there: a footer, and no row that is still on its way."""
    rows = sum(_ROW.search(line) is not None for line in lines)
    return position(lines) is not None and rows >= len(lines) - 8


def memory(namespace: Namespace, flows: int, *, quick: bool) -> list[Measured]:
    """Resident memory of a daemon and of its one viewer, after some ticks and some scrolling."""
    with running_daemon(namespace) as daemon, Screen(daemon.viewer_argv("--all", "-n")) as screen:
        screen.wait_for(complete)
        for key in _SCROLL:
            screen.press(key)
            screen.idle(0.2)
        time.sleep(3 if quick else 8)
        of_daemon, of_viewer = resident_mb(daemon.pid), resident_mb(screen.pid)
    label = f"at {thousands(flows)} flows"
    return [
        at_most(f"memory of the daemon {label}", of_daemon, targets.daemon_mb(flows), "MB", stable=True),
        at_most(f"memory of a viewer {label}", of_viewer, targets.VIEWER_MB, "MB", stable=True),
    ]


def keys(namespace: Namespace, flows: int, *, quick: bool) -> list[Measured]:
    """From key press to changed, complete screen, while ticks run."""
    chance = random.Random(1)
    count = 60 if quick else 220
    waits = []
    with running_daemon(namespace) as daemon, Screen(daemon.viewer_argv("--all", "-n")) as screen:
        screen.wait_for(complete)
        for number in range(count):
            screen.idle(chance.uniform(0.03, 0.13))  # every phase of a tick is hit
            before = position(screen.lines)
            pressed = screen.press(_SCROLL[number % len(_SCROLL)])
            changed = screen.wait_for(lambda lines, old=before: complete(lines) and position(lines) != old, 5)  # type: ignore[misc]
            waits.append((changed - pressed) * 1000)
    label = f"key to changed screen at {thousands(flows)} flows"
    remark = f"{count} keys, worst {max(waits):.0f} ms"
    limit = targets.KEY_MS.get(flows, targets.LARGEST_KEY_MS)
    return [
        Measured(f"{label}, median", f"{median(waits):.0f} ms"),
        at_most(f"{label}, 99th percentile", percentile(waits, 0.99), limit, "ms", remark=remark),
    ]


def first_screen(namespace: Namespace, flows: int, *, quick: bool) -> list[Measured]:
    """From starting a viewer to its first full page, on a daemon that had nobody to work for."""
    seconds = []
    with running_daemon(namespace) as daemon:
        for _ in range(3 if quick else 7):
            with Screen(daemon.viewer_argv("--all", "-n")) as screen:
                seconds.append(screen.wait_for(complete) - screen.started)
            settle(daemon)
    remark = f"median of {len(seconds)}, worst {max(seconds):.2f} s"
    label = f"first screen of a viewer at {thousands(flows)} flows"
    return [at_most(label, median(seconds), targets.FIRST_SCREEN_S[flows], "s", digits=2, remark=remark)]


def settle(daemon: Daemon) -> None:
    """Wait until the daemon uses no CPU any more, five seconds at most."""
    for _ in range(10):
        before = cpu(daemon.pid)
        time.sleep(0.5)
        if cpu(daemon.pid) == before:
            return


def classic(_namespace: Namespace, flows: int, *, quick: bool) -> list[Measured]:
    """CPU of daemon and viewer against the C flowtop, at the same time on the same table: on a router, on a host."""
    seconds = 6 if quick else 20
    with Namespace() as router, Namespace() as host:
        for namespace in (router, host):
            namespace.account()
            namespace.track()
        tcp = (entry for entry in mix(3 * flows) if entry.orig.proto == Proto.TCP)
        inject(router, islice(tcp, flows))
        on_router = _against_classic(router, f"{thousands(flows)} flows of others", seconds)
        with connections(host, flows):
            return [on_router, _against_classic(host, f"{thousands(flows)} own connections", seconds)]


def _against_classic(namespace: Namespace, table: str, seconds: int) -> Measured:
    with (
        running_daemon(namespace) as daemon,
        Screen(daemon.viewer_argv("-n", "-G")) as ours,
        Screen([CLASSIC, "-n", "-G"], namespace) as theirs,
    ):
        ours.wait_for(complete)
        time.sleep(4)  # the classic tool collects processes before its first screen
        pids = [daemon.pid, ours.pid, theirs.pid]
        before = [cpu(pid) for pid in pids]
        time.sleep(seconds)
        of_daemon, of_viewer, of_classic = (
            cpu(pid).since(was).percent(seconds) for pid, was in zip(pids, before, strict=True)
        )
        theirs.press("q")
    mine = of_daemon.total + of_viewer.total
    return Measured(
        f"CPU of daemon + one viewer, {table}, every second",
        f"{mine:.1f} % of a core",
        f"< {of_classic.total:.1f} %: C flowtop -n -G",
        mine < of_classic.total,
        f"daemon {of_daemon.user:.1f} % + kernel for it {of_daemon.system:.1f} %, viewer {of_viewer.total:.1f} %",
    )


def idle(namespace: Namespace, _flows: int, *, quick: bool) -> list[Measured]:
    """System calls of a daemon whose last viewer has left."""
    seconds = 4 if quick else 10
    with running_daemon(namespace) as daemon, tempfile.NamedTemporaryFile(prefix="flowtop-strace-") as trace:
        with Screen(daemon.viewer_argv("--all", "-n")) as screen:
            screen.wait_for(complete)
        settle(daemon)
        path = Path(trace.name)
        argv = ["strace", "-f", "-qq", "-ttt", "-o", trace.name, "-p", str(daemon.pid)]
        strace = subprocess.Popen(argv, stderr=subprocess.DEVNULL)
        try:
            wait_until(lambda: path.stat().st_size > 0 or strace.poll() is not None)
            attached = time.time()
            time.sleep(seconds)
        finally:
            stop_process(strace)
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    # what every thread was waiting in is written when strace arrives, and its name again when it leaves
    calls = [line for line in lines if float(line.split()[1]) > attached + 0.2 and "<detached" not in line]
    remark = f"strace over {seconds} s" + (f", first {calls[0].split(maxsplit=2)[2]:.60}" if calls else "")
    return [Measured("wake-ups of a daemon without viewers", str(len(calls)), "0", not calls, remark)]


def twenty(namespace: Namespace, flows: int, *, quick: bool) -> list[Measured]:
    """Twenty viewers that all want a frame a second, each a different page."""
    count, seconds = 20, 6 if quick else 15
    with running_daemon(namespace) as daemon:
        argv = [sys.executable, "-m", "bench.viewers", str(daemon.socket), str(count), str(seconds)]
        viewers = subprocess.Popen(argv, stdout=subprocess.PIPE, cwd=ROOT)
        try:
            assert viewers.stdout is not None
            viewers.stdout.readline()
            before, start = cpu(daemon.pid), time.perf_counter()
            result = json.loads(viewers.stdout.readline())
            share = cpu(daemon.pid).since(before).percent(time.perf_counter() - start).total
        finally:
            stop_process(viewers)
    frames = min(result["frames"])
    label = f"{count} viewers at {thousands(flows)} flows"
    return [
        Measured(
            f"{label}: frames of the slowest in {seconds} s",
            str(frames),
            f"≥ {seconds - 1}",
            frames >= seconds - 1,
            f"longest time between two {max(result['gaps']):.2f} s",
        ),
        at_most(f"{label}: CPU of the daemon", share, 50, "% of a core"),
    ]


_VIEWS: Final = ("flows", "processes", "devices", "hosts", "countries", "networks", "services", "containers")


def views(namespace: Namespace, flows: int, *, quick: bool) -> list[Measured]:
    """From key press to changed screen in every view, with seven other viewers and ticks running."""
    chance = random.Random(2)
    waits: dict[str, list[float]] = {view: [] for view in _VIEWS}
    with running_daemon(namespace) as daemon:
        argv = [sys.executable, "-m", "bench.viewers", str(daemon.socket), "7", "600"]
        others = subprocess.Popen(argv, stdout=subprocess.PIPE, cwd=ROOT)
        try:
            assert others.stdout is not None
            others.stdout.readline()
            with Screen(daemon.viewer_argv("--all", "-n")) as screen:
                screen.wait_for(complete)
                for number, view in enumerate(_VIEWS, 1):
                    word = f" {view} " if number > 1 else " shown "
                    screen.press(str(number))
                    screen.wait_for(lambda lines, word=word: word in lines[0] and _ordered(lines) is not None, 5)  # type: ignore[misc]
                    for _ in range(8 if quick else 25):
                        screen.idle(chance.uniform(0.03, 0.13))
                        before = _ordered(screen.lines)
                        pressed = screen.press("r")
                        changed = screen.wait_for(lambda lines, old=before: _ordered(lines) not in {None, old}, 5)  # type: ignore[misc]
                        waits[view].append((changed - pressed) * 1000)
        finally:
            stop_process(others)
    slowest = max(waits, key=lambda view: percentile(waits[view], 0.99))
    everything = [wait for found in waits.values() for wait in found]
    remark = f"{len(everything)} keys, slowest in {slowest}: {max(waits[slowest]):.0f} ms"
    label = f"order turned in every view at {thousands(flows)} flows, 8 viewers"
    return [
        Measured(f"{label}, median", f"{median(everything):.0f} ms"),
        at_most(f"{label}, 99th percentile", percentile(everything, 0.99), targets.LARGEST_KEY_MS, "ms", remark=remark),
    ]


def _ordered(lines: list[str]) -> str | None:
    """Which way the rows are ordered, None while some of them are still on their way."""
    found = re.search(r"sort \S+ ([▼▲])", lines[-1])
    return found.group(1) if found and position(lines) and not any(line.strip() == "…" for line in lines) else None


def as_json(namespace: Namespace, flows: int, *, quick: bool) -> list[Measured]:
    """Every flow with every field as JSON, from start to end of the program; the second sample is waited for."""
    seconds = []
    with running_daemon(namespace) as daemon, Screen(daemon.viewer_argv("--all", "-n")) as screen:
        screen.wait_for(complete)
        for _ in range(2 if quick else 4):
            began = time.perf_counter()
            argv = daemon.viewer_argv("--all", "--loopback", "--once", "--json")
            subprocess.run(argv, check=True, stdout=subprocess.DEVNULL, cwd=ROOT)
            seconds.append(time.perf_counter() - began)
    label = f"--once --json of {thousands(flows)} flows"
    return [at_most(label, median(seconds), 3, "s", digits=1, remark=f"median of {len(seconds)}")]
