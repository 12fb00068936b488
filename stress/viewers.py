"""200 viewers that connect, subscribe, stall, send rubbish and vanish; one that behaves gets every frame in time.

In time is: no number of a tick is missing, and each frame is there within half an interval after its tick. Afterwards
the daemon has let go of all of them: as many descriptors as before, and its memory is within bounds.
"""

import subprocess
import sys
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from bench.processes import resident_mb
from bench.report import Measured, at_most, percentile
from bench.screen import ROOT
from stress import crowd
from stress.lines import line
from testbed.daemon import Daemon
from testbed.entries import mix
from testbed.inject import inject
from testbed.netns import Namespace, stop_process, wait_until

VIEWERS: Final = 200
SECONDS: Final = 60
FLOWS: Final = 1000
SEED: Final = 5
_LATE_S: Final = crowd.INTERVAL_S / 2
_GROWTH_MB: Final = 0.75
"""A viewer that does not read holds up the part of a frame that is being written to it, and 64 KiB of the next."""
_LET_GO_S: Final = 15.0


@dataclass(frozen=True, slots=True)
class Crowded:
    """What the viewer that behaves got, and what the crowd has left behind. `seconds`: how long it looked."""

    seconds: int
    late_s: list[float]
    missed: list[int]
    pace_s: float
    killed: int
    memory_mb: tuple[float, float]
    descriptors: tuple[int, int]
    log_bytes: int

    @property
    def frames(self) -> int:
        """How many it got."""
        return len(self.late_s)


def crowded(namespace: Namespace, directory: Path, viewers: int, seconds: int, seed: int = SEED) -> Crowded:
    """Let a crowd loose on a daemon."""
    with Daemon(namespace, directory) as daemon:
        good = _start("good", str(daemon.socket), str(seconds))
        try:
            line(good)
            before = resident_mb(daemon.pid), _descriptors(daemon.pid)
            mob = _start("crowd", str(daemon.socket), str(viewers), str(max(1, seconds - 1)), str(seed))
            try:
                killed = line(mob)["killed"]
            finally:
                stop_process(mob)
            got: Any = line(good)
        finally:
            stop_process(good)
        with suppress(TimeoutError):
            wait_until(lambda: _descriptors(daemon.pid) <= before[1], _LET_GO_S)
        after = resident_mb(daemon.pid), _descriptors(daemon.pid)
    numbers = [frame["seq"] for frame in got]
    return Crowded(
        seconds,
        [frame["late_s"] for frame in got[1:]],  # the first is of a tick that nobody had asked for yet
        [later - 1 for earlier, later in pairwise(numbers) if later != earlier + 1],
        max(frame["pace_s"] for frame in got),
        killed,
        (before[0], after[0]),
        (before[1], after[1]),
        len(daemon.log),
    )


def _start(*argv: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-m", "stress.crowd", *argv], stdout=subprocess.PIPE, cwd=ROOT)


def _descriptors(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def measure(*, quick: bool) -> list[Measured]:
    """The promise, and whether it is kept."""
    seconds = 15 if quick else SECONDS
    with Namespace() as namespace, tempfile.TemporaryDirectory(prefix="flowtop-stress-") as directory:
        namespace.account()
        namespace.track()
        inject(namespace, mix(FLOWS))
        seen = crowded(namespace, Path(directory), VIEWERS, seconds)
    return report(seen, VIEWERS)


def report(seen: Crowded, viewers: int) -> list[Measured]:
    """A line for each promise."""
    label = f"{viewers} hostile viewers for {seen.seconds} s"
    first, last = seen.memory_mb
    return [
        Measured(
            f"{label}: frames of the one that behaves, and ticks that it missed",
            f"{seen.frames}, {len(seen.missed)}",
            f"≥ {seen.seconds - 1}, 0",
            seen.frames >= seen.seconds - 1 and not seen.missed,
            f"one a second; longest pace {seen.pace_s:.2f} s; {seen.killed} processes killed in the middle",
        ),
        at_most(
            f"{label}: latest frame after its tick",
            *(1000 * max(seen.late_s), 1000 * _LATE_S, "ms"),
            remark=f"99th percentile {1000 * percentile(seen.late_s, 0.99):.0f} ms",
        ),
        at_most(
            f"{label}: growth of the daemon's memory",
            *(last - first, viewers * _GROWTH_MB, "MB"),
            remark=f"{first:.0f} MB before, {last:.0f} MB after",
        ),
        Measured(
            f"{label}: descriptors of the daemon before and after",
            f"{seen.descriptors[0]}, {seen.descriptors[1]}",
            "no more",
            seen.descriptors[1] <= seen.descriptors[0],
            f"{seen.log_bytes / 1000:.0f} kB of log",
        ),
    ]
