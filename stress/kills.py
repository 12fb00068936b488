"""A daemon that is killed at a random moment of its life, again and again: what it had changed is put back.

    launch ── start ── run, with a viewer ── stop ──▶ SIGKILL somewhere there ──▶ started again, or --restore

After each: both sysctls are what they were before (other values each time), no nftables table of ours is left, nothing
but the lock file is in the runtime directory, and the daemon that was started again answers on its socket before it is
stopped in good order.
"""

import contextlib
import json
import random
import signal
import subprocess
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.report import Measured
from bench.screen import ROOT
from testbed.daemon import Daemon
from testbed.netns import Namespace

KILLS: Final = 50
SEED: Final = 11
_SYSCTLS: Final = ("net.netfilter.nf_conntrack_acct", "net.netfilter.nf_conntrack_timestamp")
_MOMENTS: Final = ("start", "run", "stop")
_START_S: Final = 0.6
"""Within this a daemon has started; what is drawn beyond its end is a kill while it runs."""
_STOP_S: Final = 0.06


@dataclass(frozen=True, slots=True)
class Killed:
    """What was found. `wrong`: a line for everything that was not as it should be."""

    kills: int
    moments: Counter[str]
    stranded: int
    """How often the killed daemon had left sysctls of its own, which then were put back."""
    restored: int
    """How often that was done by --restore."""
    wrong: list[str]


def kill_again_and_again(namespace: Namespace, directory: Path, kills: int, seed: int = SEED) -> Killed:
    """Kill so many daemons, each with files of its own in `directory`."""
    chance = random.Random(seed)
    moments, wrong, stranded, restored = Counter[str](), list[str](), 0, 0
    for number in range(kills):
        moment = _MOMENTS[number % len(_MOMENTS)]
        place = directory / str(number)
        place.mkdir()
        daemon = Daemon(namespace, place, *(["--activate"] if chance.getrandbits(1) else []))
        before = [namespace.sysctl(name, chance.randrange(2)) for name in _SYSCTLS]
        after_s = _kill(daemon, moment, chance)
        moments[moment] += 1
        stranded += [namespace.sysctl(name) for name in _SYSCTLS] != before
        if _tables(namespace):
            wrong.append(f"kill {number} in {moment}: tables {_tables(namespace)} outlive the daemon")
        restore = chance.getrandbits(2) == 0
        restored += restore
        problem = _restore(daemon) if restore else _restart(daemon)
        wrong += [
            f"kill {number} in {moment} after {after_s:.3f} s, {'--restore' if restore else 'restart'}: {each}"
            for each in (*problem, *_leftovers(namespace, daemon, before))
        ]
    return Killed(kills, moments, stranded, restored, wrong)


def _kill(daemon: Daemon, moment: str, chance: random.Random) -> float:
    """Start a daemon and kill it; return how long after its beginning, or that of its end, that was."""
    if moment == "start":
        daemon.launch()
        after_s = chance.uniform(0.0, _START_S)
        time.sleep(after_s)
        daemon.kill()
        return after_s
    daemon.start()
    argv = daemon.viewer_argv("--json", "--all")
    viewer = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=ROOT)
    try:
        after_s = chance.uniform(0.0, _STOP_S if moment == "stop" else _START_S)
        if moment == "stop":
            daemon.signal(signal.SIGTERM)
        time.sleep(after_s)
        daemon.kill()
        return after_s
    finally:
        viewer.kill()
        viewer.wait()


def _restart(daemon: Daemon) -> list[str]:
    try:
        daemon.start()
        told = daemon.flowtop("--once", "--json", "--all")
        problems = [] if told.returncode == 0 and "status" in json.loads(told.stdout) else [f"no answer: {told.stderr}"]
        status = daemon.stop()
    except (RuntimeError, ValueError) as error:
        with contextlib.suppress(RuntimeError):
            daemon.kill()
        return [str(error)]
    return problems + ([f"exit status {status}"] if status else [])


def _restore(daemon: Daemon) -> list[str]:
    done = subprocess.run(
        daemon.namespace.argv([*daemon.argv, "--restore"]), capture_output=True, text=True, check=False, cwd=ROOT
    )
    return [f"exit status {done.returncode}: {done.stderr}"] if done.returncode else []


def _leftovers(namespace: Namespace, daemon: Daemon, before: list[str]) -> list[str]:
    after = [namespace.sysctl(name) for name in _SYSCTLS]
    found = [] if after == before else [f"sysctls {before} are {after}"]
    if tables := _tables(namespace):
        found.append(f"tables {tables}")
    if files := [
        path.name for path in daemon.runtime_dir.glob("*") if path.suffix == ".json" or "corrupt" in path.name
    ]:
        found.append(f"files {files}")
    return found


def _tables(namespace: Namespace) -> list[str]:
    return [line for line in namespace.run(["nft", "list", "tables"]).splitlines() if " flowtop" in line]


def measure(*, quick: bool) -> list[Measured]:
    """The promise, and whether it is kept."""
    kills = 12 if quick else KILLS
    with Namespace() as namespace, tempfile.TemporaryDirectory(prefix="flowtop-stress-") as directory:
        seen = kill_again_and_again(namespace, Path(directory), kills)
    return report(seen)


def report(seen: Killed) -> list[Measured]:
    """A line for the promise, one for what it was tested on."""
    moments = ", ".join(f"{count} in {moment}" for moment, count in seen.moments.items())
    return [
        Measured(
            f"{seen.kills} SIGKILLs: sysctls, tables or files not as before, sockets of no use",
            str(len(seen.wrong)),
            "0",
            not seen.wrong,
            "; ".join(seen.wrong[:3]) or f"{moments}; half of them with --activate",
        ),
        Measured(
            f"{seen.kills} SIGKILLs: left sysctls of the daemon's, which were then put back",
            str(seen.stranded),
            "> 0",
            seen.stranded > 0,
            f"else nothing was tested; {seen.restored} times by --restore, else by the next start",
        ),
    ]
