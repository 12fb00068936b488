"""`python -m bench.compare`: every tool on every table under every load, accuracy, and the numbers to reach.

python -m bench.compare                          everything, about sixteen minutes
python -m bench.compare --quick                  everything, once and short
python -m bench.compare --only flowtop iptstate  these tools; accuracy is one of the words, too
python -m bench.compare --sizes 1000 --loads 0   these tables, these loads
python -m bench.compare --write                  and into docs/benchmarks.md and docs/compare.svg
"""

import argparse
import os
import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from bench import report, ticks
from bench.compare import accuracy, limits, screens, streams
from bench.compare.cell import LOADS, Cell, Tool, hopeless
from bench.compare.ground import Ground, allowed, room_for
from bench.compare.measuring import FULL, QUICK, Pace
from bench.compare.outcome import Outcome
from bench.compare.plot import svg
from bench.compare.tables import load_name, panels
from bench.document import DOCUMENT, write_section
from bench.report import thousands

SIZES: Final = (500, 1_000, 5_000, 20_000, 100_000, 250_000, 1_000_000)
THOROUGH: Final = (1_000, 100_000)
"""Where flowtop has a limit on keys or on its first screen; the largest table too."""
_MANY: Final = 250_000
"""On larger tables only flowtop and conntrack -L are run, idle."""
_LISTED: Final = 5_000
"""The table that is compared field by field."""
NAMES: Final = {
    "flowtop": (Tool.FLOWTOP, Tool.FLOWTOP_8),
    "classic": (Tool.CLASSIC,),
    "iptstate": (Tool.IPTSTATE,),
    "list": (Tool.LIST,),
    "events": (Tool.EVENTS,),
    "pyroute2": (Tool.PYROUTE2,),
}
_ACCURACY: Final = "accuracy"
_LIMIT_S: Final = 1_800


def possible(sizes: Iterable[int], room: int) -> tuple[list[int], list[int]]:
    """Which of the sizes there is room for, and which not. In place of those, the largest there is room for.

    That one is left out when it is hardly more than the largest that fits.
    """
    ordered = sorted(set(sizes))
    fitting, dropped = [size for size in ordered if size <= room], [size for size in ordered if size > room]
    largest = room // 1_000 * 1_000
    if dropped and largest > 1.2 * max(fitting, default=0):
        fitting.append(largest)
    return fitting, dropped


class Comparison:
    """One run: which tools at which sizes and loads, and what came out so far."""

    def __init__(self, names: Sequence[str], sizes: Sequence[int], loads: Sequence[int], *, quick: bool) -> None:
        self.outcome = Outcome(disturbances=list(report.busy()))
        self._names = names
        self._loads = loads
        self._quick = quick
        self._pace: Pace = QUICK if quick else FULL
        self._sizes, dropped = possible(sizes, allowed(max(loads)))
        if dropped:
            room = allowed(0)
            self.outcome.disturbances.append(
                f"no table of {' or '.join(map(thousands, dropped))} entries: the machine's nf_conntrack_max, which may"
                f" not be raised here, has room for {thousands(room)}"
            )

    def run(self) -> None:
        """Measure everything."""
        self.outcome.disturbances += report.crowded(ticks.empty_dump_s())
        with Ground(max(self._sizes)) as ground:
            if _ACCURACY in self._names:
                self._accuracy(ground)
            if "flowtop" in self._names:
                self.outcome.limits.append(limits.ready(ground.namespace, self._pace.starts))
            for flows in self._sizes:
                ground.grow(flows)
                if "flowtop" in self._names and flows in limits.TICK_SIZES:
                    _say(f"ticks at {thousands(flows)}")
                    self.outcome.limits.append(limits.tick(ground.namespace, flows, quick=self._quick))
                if _ACCURACY in self._names and flows == _LISTED:
                    self.outcome.accuracy += accuracy.listed(ground.namespace)
                for load in self._loads if flows <= _MANY else (0,):
                    with ground.load(load):
                        self._tools(ground, load)
            self.outcome.disturbances += ground.short
        self.outcome.limits += limits.of_cells(self.outcome.cells)

    def _accuracy(self, ground: Ground) -> None:
        _say("accuracy of rates, counters, attribution")
        self.outcome.accuracy += accuracy.rates(ground.network, 5 if self._quick else 10)
        self.outcome.accuracy += accuracy.counters(ground.network)
        self.outcome.accuracy += accuracy.attribution(quick=self._quick)

    def _tools(self, ground: Ground, load: int) -> None:
        pace = self._pace
        keys = load in {self._loads[0], self._loads[-1]}
        thorough = not load and (ground.flows in THOROUGH or ground.flows == self._sizes[-1])
        runs: dict[str, Callable[[], list[Cell]]] = {
            "flowtop": lambda: screens.flowtop(ground, load, pace, keys=keys, thorough=thorough),
            "classic": lambda: [screens.classic(ground, load, pace, keys=keys)],
            "iptstate": lambda: [screens.iptstate(ground, load, pace, keys=keys)],
            "list": lambda: [streams.listing(ground, load, pace)],
            "events": lambda: [streams.events(ground, load, pace)],
            "pyroute2": lambda: [streams.pyroute2(ground, load, pace)],
        }
        for name, run in runs.items():
            if name in self._names and (ground.flows <= _MANY or name in {"flowtop", "list"}):
                _say(f"{name} at {thousands(ground.flows)}, {load_name(load)}")
                self.outcome.cells += self._cells(name, run, ground.flows, load)

    def _cells(self, name: str, run: Callable[[], list[Cell]], flows: int, load: int) -> Iterator[Cell]:
        """What a tool does; one that fails says so in its row, and the others go on."""
        tools = NAMES[name]
        before = hopeless(self.outcome.cells, tools[0], flows, load)
        if before is not None:
            remark = f"not run: gave up at {thousands(before.flows)}, {load_name(before.load)}"
            yield from (Cell(tool, flows, load, remark=remark) for tool in tools)
            return
        try:
            yield from run()
        except (OSError, RuntimeError) as error:
            _say(f"{name}: {error}")
            remark = f"failed: {str(error).splitlines()[0]:.60}"
            yield from (Cell(tool, flows, load, remark=remark) for tool in tools)


def _say(what: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {what}", file=sys.stderr, flush=True)


def _stop(number: int, _frame: Any) -> None:
    """Unwind everything on Ctrl-C and SIGTERM, and when it takes far too long."""
    raise SystemExit(f"compare: stopped by {signal.Signals(number).name}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench.compare", description="Measure flowtop beside the tools that people use today."
    )
    words = [*NAMES, _ACCURACY]
    parser.add_argument(
        "--quick", action="store_true", help="everything once and short: whether it works, not how fast"
    )
    parser.add_argument("--only", nargs="+", metavar="PART", choices=words, default=words, help=", ".join(words))
    parser.add_argument("--sizes", nargs="+", type=int, metavar="N", default=list(SIZES), help="entries in the table")
    parser.add_argument("--loads", nargs="+", type=int, metavar="N", default=list(LOADS), help="new flows a second")
    parser.add_argument(
        "--write",
        nargs="?",
        type=Path,
        const=DOCUMENT.parent,
        metavar="DIRECTORY",
        help="write benchmarks.md and compare.svg there, in docs if it is not said where",
    )
    return parser.parse_args()


def main() -> int:
    """Measure and print; 1 when a limit is not kept."""
    options = _options()
    if os.geteuid() != 0:
        print("compare: needs root, for tables in network namespaces\nhint: sudo make compare", file=sys.stderr)
        return 2
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM):
        signal.signal(number, _stop)
    signal.alarm(_LIMIT_S)
    began_s = time.monotonic()
    with room_for(max(options.sizes), max(options.loads)):
        comparison = Comparison(options.only, options.sizes, sorted(set(options.loads)), quick=options.quick)
        comparison.run()
    outcome = comparison.outcome
    command = " ".join(["python -m bench.compare", *sys.argv[1:]])
    text = outcome.document(command, time.monotonic() - began_s, QUICK if options.quick else FULL)
    print(text)
    if options.write:
        write_section("compare", text, options.write / DOCUMENT.name)
        (options.write / "compare.svg").write_text(svg(panels(outcome.cells)), encoding="utf-8")
    return 0 if outcome.good else 1


if __name__ == "__main__":
    sys.exit(main())
