"""`python -m bench`: fill kernel tables, measure, print Markdown.

python -m bench                    everything, about three minutes
python -m bench --quick            everything, less often: about one
python -m bench --only ticks keys  these parts
python -m bench --write            and into docs/benchmarks.md
python -m bench --baseline write   and into bench/baseline.json, which every run is compared with
"""

import argparse
import os
import signal
import sys
import time
from collections.abc import Callable
from typing import Any, Final

from bench import baseline, enriching, report, ticks, viewing
from bench.document import write_section
from bench.report import Measured, Results
from testbed.entries import mix
from testbed.inject import inject
from testbed.netns import Namespace

SIZES: Final = (1_000, 10_000, 100_000)
PARTS: Final[dict[str, tuple[tuple[int, ...], Callable[..., list[Measured]]]]] = {
    "memory": (SIZES, viewing.memory),
    "keys": ((100_000,), viewing.keys),
    "views": ((100_000,), viewing.views),
    "json": ((100_000,), viewing.as_json),
    "first-screen": ((1_000, 100_000), viewing.first_screen),
    "classic": ((1_000,), viewing.classic),
    "twenty": ((10_000,), viewing.twenty),
    "idle": ((1_000,), viewing.idle),
    "steady": ((1_000, 100_000), enriching.steady),
    "arrival": ((100_000,), enriching.arrival),
    "processes": ((1_000,), enriching.processes),
}
"""Name of a part, the table sizes it is measured at, and what measures it. `ticks` is a table of its own."""

_LIMIT_S: Final = 600
_INTRODUCTION: Final = """## Part by part

Written by `{command}` on {date}. Every table is a real conntrack table in a network namespace of its own, filled
with injected entries (TCP, UDP, ICMP, IPv4 and IPv6, NAT). *floor* is the kernel's dump read into one buffer
and thrown away; *tick* is ours from the request to the finished snapshot; the two alternate and the ratio is the
median of the pairs. Times drift from machine to machine, ratios hold.

{machine}
"""


def _measure(wanted: set[str], sizes: list[int], *, quick: bool) -> Results:
    """Fill one table after another and measure all wanted parts on it."""
    results = Results(disturbances=list(report.busy()))
    for flows in sizes:
        parts = {name: part for name, (at, part) in PARTS.items() if name in wanted and flows in at}
        if not parts and "ticks" not in wanted:
            continue
        results.disturbances += report.crowded(ticks.empty_dump_s())
        with Namespace() as namespace:
            namespace.account()
            namespace.track()
            inject(namespace, mix(flows))
            if "ticks" in wanted:
                _say(f"ticks at {flows}")
                results.ticks.append(ticks.measure(namespace, flows, quick=quick))
            for name, part in parts.items():
                _say(f"{name} at {flows}")
                results.measured += part(namespace, flows, quick=quick)
    return results


def _say(what: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {what}", file=sys.stderr, flush=True)


def _stop(number: int, _frame: Any) -> None:
    """Unwind everything on Ctrl-C and SIGTERM, and when it takes far too long."""
    raise SystemExit(f"bench: stopped by {signal.Signals(number).name}")


def main() -> int:
    """Measure and print; 1 when a limit is not kept, or a ratio is over 20 % worse than the committed one."""
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure flowtop on real kernel tables.")
    parser.add_argument("--quick", action="store_true", help="fewer repetitions")
    parser.add_argument(
        "--only", nargs="+", metavar="PART", choices=["ticks", *PARTS], help="ticks, " + ", ".join(PARTS)
    )
    parser.add_argument("--sizes", nargs="+", type=int, metavar="N", choices=SIZES, default=list(SIZES))
    parser.add_argument("--write", action="store_true", help="write it into docs/benchmarks.md too")
    parser.add_argument(
        "--baseline",
        choices=("check", "write", "off"),
        default="check",
        help="check ratios against bench/baseline.json (the default), write it, or neither",
    )
    options = parser.parse_args()
    if os.geteuid() != 0:
        print("bench: needs root, for conntrack tables in network namespaces\nhint: sudo make bench", file=sys.stderr)
        return 2
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM):
        signal.signal(number, _stop)
    signal.alarm(_LIMIT_S)
    results = _measure(set(options.only or ("ticks", *PARTS)), options.sizes, quick=options.quick)
    print(results)
    for disturbance in results.disturbances:
        _say(disturbance)
    if options.write:
        command = " ".join(["python -m bench", *sys.argv[1:]])
        machine = report.machine(results.disturbances)
        head = _INTRODUCTION.format(command=command, date=time.strftime("%Y-%m-%d"), machine=machine)
        write_section("bench", f"{head}\n{results}")
    kept = _against_baseline(results, options.baseline)
    return 0 if results.good and kept else 1


def _against_baseline(results: Results, how: str) -> bool:
    """Renew the baseline, or say what got worse; False when something did."""
    now = baseline.stable(results)
    if how == "write":
        baseline.write(now)
    if how != "check":
        return True
    lines = baseline.worse(baseline.read(), now)
    for line in lines:
        print(f"bench: worse: {line}", file=sys.stderr)
    if lines:
        print("hint: when it has to be so: python -m bench --baseline write", file=sys.stderr)
    return not lines


if __name__ == "__main__":
    sys.exit(main())
