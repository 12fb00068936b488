"""New flows faster than anybody can look at them: 20 000 a second for a minute, real packets, four viewers.

    stress.sender ─ UDP ─▶ the kernel's table, entries live for TIMEOUT_S ─▶ flowtopd ─▶ a viewer on a terminal: keys
                                                                              └────────▶ three more: frames

Then the storm is over. Some flows of it stay, some of other kinds are there from before: what the daemon shows must
be what `conntrack -L` says, flow by flow. What the kernel dropped for the daemon's event socket (/proc/net/netlink)
must be in what the daemon says it has lost.
"""

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from bench.report import Measured, at_most, median, percentile, thousands
from bench.screen import ROOT, Screen
from stress import sender
from stress.gauges import Gauges
from stress.keys import position, press_for
from stress.lines import line
from testbed import conntrack
from testbed.daemon import Daemon
from testbed.entries import mix
from testbed.inject import inject
from testbed.netns import Namespace, stop_process, wait_until

RATE: Final = 20_000
SECONDS: Final = 60
TIMEOUT_S: Final = 2
WARM_S: Final = 20
"""Until then memory may grow."""
STAY_S: Final = 600
STAYING: Final = 2_000
OTHERS: Final = 300
"""Flows of other kinds, which were there before."""
_KEY_LIMIT_MS: Final = 100
_GROWTH_LIMIT: Final = 0.1
_CALM_S: Final = 60.0
_ASKED: Final = 5

_SAME: Final = (
    "family",
    "proto",
    "src",
    "dst",
    "sport",
    "dport",
    "reply_src",
    "reply_dst",
    "reply_sport",
    "reply_dport",
)
_ICMP: Final = ("icmp_type", "icmp_code", "icmp_id")
Flow = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Storm:
    """What was seen. `waits_ms`: of keys. `memory_mb`: readings after WARM_S. `dropped`: events, by the kernel."""

    sent: int
    failed: int
    most: int
    waits_ms: list[float]
    memory_mb: list[float]
    frames: int
    gap_s: float
    dropped: int
    sockets: int
    lost: int
    missing: list[Flow]
    ghosts: list[Flow]
    staying: int

    @property
    def counted(self) -> bool:
        """Whether every event that was dropped is in the daemon's count. What nobody has looked at may be in it too."""
        return self.dropped <= self.lost <= 2 * (self.sent + self.staying)


def storm(namespace: Namespace, directory: Path, rate: int, seconds: int, *, warm_s: float = WARM_S) -> Storm:
    """Raise a storm in a namespace of its own, with a daemon and four viewers, and wait until it is over."""
    sender.road(namespace, TIMEOUT_S)
    inject(namespace, mix(OTHERS))
    with (
        Daemon(namespace, directory) as daemon,
        Screen(daemon.viewer_argv("--all", "-n")) as screen,
        Gauges(daemon.pid) as gauges,
    ):
        screen.wait_for(lambda lines: position(lines) is not None)
        argv = [sys.executable, "-m", "bench.viewers", str(daemon.socket), "3", str(seconds)]
        viewers = subprocess.Popen(argv, stdout=subprocess.PIPE, cwd=ROOT)
        try:
            line(viewers)
            blower = _send(namespace, rate, seconds)
            line(blower)
            waits = press_for(screen, seconds - 1)
            blown, seen = line(blower), line(viewers)
        finally:
            stop_process(viewers)
        most = conntrack.count(namespace)
        sender.forget_after(namespace, STAY_S)
        line(stays := _send(namespace, STAYING, 1, 40_001))
        staying = OTHERS + int(line(stays)["sent"])
        wait_until(lambda: len(_kernel(namespace)) == staying, _CALM_S)
        told, missing, ghosts = _compare(namespace, daemon)
        gauges.look()
        return Storm(
            sent=int(blown["sent"]),
            failed=int(blown["failed"]),
            most=most,
            waits_ms=waits,
            memory_mb=[*gauges.memory_mb(warm_s, seconds)],
            frames=min(seen["frames"]),
            gap_s=max(seen["gaps"]),
            dropped=gauges.drops,
            sockets=gauges.sockets,
            lost=told["status"]["events_lost"],
            missing=missing,
            ghosts=ghosts,
            staying=staying,
        )


def _compare(namespace: Namespace, daemon: Daemon) -> tuple[dict[str, Any], list[Flow], list[Flow]]:
    """What the daemon says when it is calm, the flows that it misses, and those that are gone and it still has.

    What it says first may be of a second ago, when the last flows of the storm were still there. Then it is asked
    again; what is wrong in the end is wrong.
    """
    for _ in range(_ASKED):
        told = json.loads(daemon.flowtop("--once", "--json", "--all", "--loopback", "-n").stdout)
        ours, kernel = {_identity(flow) for flow in told["flows"]}, set(_kernel(namespace))
        if ours == kernel:
            break
    return told, sorted(kernel - ours, key=repr), sorted(ours - kernel, key=repr)


def _send(namespace: Namespace, rate: int, seconds: int, port: int = 40_000) -> subprocess.Popen[bytes]:
    argv = [sys.executable, "-m", "stress.sender", str(rate), str(seconds), str(port)]
    return namespace.popen(argv, stdout=subprocess.PIPE, cwd=ROOT)


def _identity(flow: dict[str, Any]) -> Flow:
    return tuple(flow[name] for name in (*_SAME, *(_ICMP if flow["icmp_type"] is not None else ())))


def _kernel(namespace: Namespace) -> list[Flow]:
    return [_identity(entry) for entry in conntrack.listing(namespace)]


def measure(*, quick: bool) -> list[Measured]:
    """The promise, and whether it is kept."""
    seconds = 25 if quick else SECONDS
    with Namespace() as namespace, tempfile.TemporaryDirectory(prefix="flowtop-stress-") as directory:
        namespace.account()
        namespace.track()
        seen = storm(namespace, Path(directory), RATE, seconds)
    return report(seen, seconds)


def report(seen: Storm, seconds: int) -> list[Measured]:
    """A line for each promise."""
    label = f"{thousands(RATE)} new flows a second for {seconds} s"
    first, worst = seen.memory_mb[0], max(seen.memory_mb)
    wrong = [*seen.missing[:2], *seen.ghosts[:2]]
    return [
        Measured(
            f"{label}: flows made",
            thousands(seen.sent),
            f"≥ {thousands(round(RATE * seconds * 0.99))}",
            seen.sent >= RATE * seconds * 0.99,
            f"real UDP packets; {thousands(seen.most)} entries at the end, {seen.failed} refused by the kernel",
        ),
        Measured(
            f"{label}: flows missing or shown though they are gone, afterwards",
            f"{len(seen.missing)} + {len(seen.ghosts)} of {thousands(seen.staying)}",
            "0 + 0",
            not seen.missing and not seen.ghosts,
            ", ".join(map(str, wrong)) or "against `conntrack -L`, flow by flow",
        ),
        Measured(
            f"{label}: events the kernel dropped, and events counted as lost",
            f"{thousands(seen.dropped)}, {thousands(seen.lost)}",
            "no fewer",
            seen.counted,
            f"Drops of /proc/net/netlink, {seen.sockets} socket(s)",
        ),
        Measured(f"{label}: key to changed screen, median", f"{median(seen.waits_ms):.0f} ms"),
        at_most(
            f"{label}: key to changed screen, 99th percentile",
            *(percentile(seen.waits_ms, 0.99), _KEY_LIMIT_MS, "ms"),
            remark=f"{len(seen.waits_ms)} keys, worst {max(seen.waits_ms):.0f} ms",
        ),
        at_most(
            f"{label}: memory of the daemon, growth after {WARM_S} s",
            *(100 * (worst - first) / first, 100 * _GROWTH_LIMIT, "%"),
            digits=1,
            remark=f"{first:.0f} MB then, {worst:.0f} MB at most, {seen.memory_mb[-1]:.0f} MB at the end",
        ),
        Measured(
            f"{label}: frames of the slowest of three other viewers",
            str(seen.frames),
            remark=f"longest time between two {seen.gap_s:.2f} s; {os.cpu_count()} cores for everything",
        ),
    ]
