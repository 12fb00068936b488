"""`python -m stress`: what flowtop promises under load, faults and hostile neighbours, put to the test.

python -m stress                    everything, about ten minutes
python -m stress --quick            everything on a smaller scale: about two
python -m stress --only kills       these parts
python -m stress --write            and into docs/reliability.md
python -m stress --again dumps 17   one piece of fuzzing once more, by target and seed, as a failure names them
"""

import argparse
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from bench import report
from bench.report import Results
from stress import fuzzing, hours, kills, storm, viewers
from stress.fuzz.run import chunk

PARTS: Final[dict[str, Callable[..., list[report.Measured]]]] = {
    "storm": storm.measure,
    "viewers": viewers.measure,
    "fuzz": fuzzing.measure,
    "kills": kills.measure,
    "hours": hours.measure,
}
"""Name of a part, and what measures it."""

_TARGETS: Final = {target.name: target for target in fuzzing.ALL}
_ROOTLESS: Final = frozenset({"fuzz", "hours"})
_TARGET: Final = Path(__file__).parent.parent / "docs" / "reliability.md"
_LIMIT_S: Final = 1200
_INTRODUCTION: Final = """# Reliability

Written by `{command}` on {date}. Storm, viewers and kills run against the real daemon in network namespaces of
their own, with real packets and real conntrack tables; fuzzing and hours run its own parts at full speed.
`tests/stress` and `tests/fuzz` have a short form of each line, which runs in `make test`. What the lines mean is in
the modules of `stress/`.

{machine}
"""


def _measure(wanted: list[str], *, quick: bool) -> Results:
    results = Results(disturbances=list(report.busy()))
    for name in wanted:
        _say(name)
        results.measured += PARTS[name](quick=quick)
    return results


def _again(name: str, seed: int) -> int:
    """Fuzz one chunk once more, in this process, so that a debugger may look on."""
    found = chunk(_TARGETS[name], seed)
    print(found.mistake or f"{found.tried} attempts of {name}, {found.taken} taken, nothing wrong")
    return 1 if found.mistake else 0


def _say(what: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {what}", file=sys.stderr, flush=True)


def _stop(number: int, _frame: Any) -> None:
    """Unwind everything on Ctrl-C and SIGTERM, and when it takes far too long."""
    raise SystemExit(f"stress: stopped by {signal.Signals(number).name}")


def main() -> int:
    """Measure and print; 1 when a promise is not kept."""
    parser = argparse.ArgumentParser(prog="python -m stress", description="Put what flowtop promises to the test.")
    parser.add_argument("--quick", action="store_true", help="on a smaller scale")
    parser.add_argument("--only", nargs="+", metavar="PART", choices=list(PARTS), help=", ".join(PARTS))
    parser.add_argument("--write", action="store_true", help="write docs/reliability.md too")
    parser.add_argument("--again", nargs=2, metavar=("TARGET", "SEED"), help="fuzz one target with one seed")
    options = parser.parse_args()
    if options.again:
        name, seed = options.again
        if name not in _TARGETS or not seed.isdecimal():
            parser.error(f"--again wants a number and one of {', '.join(_TARGETS)}")
        return _again(name, int(seed))
    wanted = options.only or list(PARTS)
    if os.geteuid() != 0 and not set(wanted) <= _ROOTLESS:
        print("stress: needs root, for conntrack tables in network namespaces\nhint: sudo make stress", file=sys.stderr)
        return 2
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM):
        signal.signal(number, _stop)
    signal.alarm(_LIMIT_S)
    began_s = time.monotonic()
    results = _measure(wanted, quick=options.quick)
    print(results)
    for disturbance in results.disturbances:
        _say(disturbance)
    _say(f"{time.monotonic() - began_s:.0f} s")
    if options.write:
        command = " ".join(["python -m stress", *sys.argv[1:]])
        machine = report.machine(results.disturbances)
        head = _INTRODUCTION.format(command=command, date=time.strftime("%Y-%m-%d"), machine=machine)
        _TARGET.write_text(f"{head}\n{results}", encoding="utf-8")
    return 0 if results.good else 1


if __name__ == "__main__":
    sys.exit(main())
