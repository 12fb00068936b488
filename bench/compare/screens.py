"""The tools with a screen: flowtop, the classic flowtop, iptstate. Each is started on a terminal and used by keys.

Our viewers run with -n -G, as the classic one does, and with --all, which it has not: it shows TCP alone by default.
"""

import re
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from typing import Final

from bench.compare.cell import Cell, Tool
from bench.compare.ground import Ground
from bench.compare.measuring import Lines, Pace, cpu_minute, press_keys, waited
from bench.processes import cpu_seconds, resident_mb
from bench.report import median
from bench.screen import Screen
from bench.viewing import CLASSIC, complete, position, running_daemon, settle
from flowtopd.wire.messages import Query
from testbed.daemon import Daemon
from testbed.viewer import Viewer

SCROLL: Final = ("NPage", "NPage", "PPage", "NPage", "End", "PPage", "Home")
_SORTS: Final = ("rate", "bytes", "dst", "duration", "proto", "sport", "state")
_OPTIONS: Final = ("--all", "-n", "-G")
_MATCHED: Final = re.compile(r"\d.*?-\d.*? of ([\d ,]+\d)")
_CLASSIC_FLOWS: Final = re.compile(r"flows\((\d+)\)")
_CLASSIC_PLACE: Final = re.compile(r"\[\+(\d+)\]")
_IPTSTATE_TOTAL: Final = re.compile(r"Total States: (\d+)")
_ON_TIME_S: Final = 1.05
_PAGE: Final = 35
"""Lines that a full page has at least, of 50."""


def flowtop(ground: Ground, load: int, pace: Pace, *, keys: bool, thorough: bool) -> list[Cell]:
    """The daemon with one viewer, then with eight. `thorough`: many keys, and several starts."""
    with running_daemon(ground.namespace) as daemon:
        with Screen(daemon.viewer_argv(*_OPTIONS)) as screen:
            firsts = [screen.wait_for(complete, pace.patience_s) - screen.started]
            started_s = cpu_seconds(daemon.pid) + cpu_seconds(screen.pid)
            keys_s = 0.0 if not keys else pace.many_keys_s if thorough else pace.keys_s
            one = _flowtop(
                ground, load, pace, Tool.FLOWTOP, daemon=daemon, screens=[screen], keys_s=keys_s, started_s=started_s
            )
            with ExitStack() as stack:
                others = [Screen(daemon.viewer_argv(*_OPTIONS, "--sort", sort)) for sort in _SORTS]
                for other in others:
                    stack.enter_context(other)
                for other in others:
                    other.wait_for(complete, pace.patience_s)
                screens = [screen, *others]
                eight_keys_s = pace.keys_s if thorough else 0.0
                eight = _flowtop(
                    ground, load, pace, Tool.FLOWTOP_8, daemon=daemon, screens=screens, keys_s=eight_keys_s
                )
        for _ in range(pace.starts - 1 if thorough else 0):
            settle(daemon)
            with Screen(daemon.viewer_argv(*_OPTIONS)) as screen:
                firsts.append(screen.wait_for(complete, pace.patience_s) - screen.started)
    return [replace(one, first_screen_s=median(firsts)), eight]


def _flowtop(
    ground: Ground,
    load: int,
    pace: Pace,
    tool: Tool,
    *,
    daemon: Daemon,
    screens: Sequence[Screen],
    keys_s: float,
    started_s: float | None = None,
) -> Cell:
    pids = [daemon.pid, *(screen.pid for screen in screens)]
    first = screens[0]
    first.idle(pace.settle_s)
    minute = cpu_minute(pids, pace.window_s, first)
    shown, present = _matched(first.lines), ground.count()
    memory = tuple(resident_mb(pid) for pid in pids)
    keys = None
    if keys_s:
        first.press("Home")  # where keys have been pressed before; at the end, a page down would change nothing
        first.wait_for(_at_top)
        keys = press_keys(first, SCROLL, _complete_place, keys_s)
    with Viewer(daemon) as viewer:
        viewer.ask(Query(limit=1))
        status = viewer.next().status
    remark = f"a tick every {status.pace:.1f} s" if status.pace > _ON_TIME_S else ""
    return Cell(
        tool, ground.flows, load, minute, started_s, memory, None, keys, shown, present, status.events_lost, remark
    )


def _matched(lines: Lines) -> int | None:
    found = _MATCHED.search(lines[-1])
    return int(re.sub(r"\D", "", found.group(1))) if found else None


def _complete_place(lines: Lines) -> str | None:
    return position(lines) if complete(lines) else None


def _at_top(lines: Lines) -> bool:
    return complete(lines) and (position(lines) or "").startswith("1-")


def _paged(lines: Lines) -> bool:
    return sum(bool(line.strip()) for line in lines) >= _PAGE


def classic(ground: Ground, load: int, pace: Pace, *, keys: bool) -> Cell:
    """The C flowtop. It shows rows while it still reads the table, and says so."""
    with Screen([CLASSIC, "-n", "-G"], ground.namespace, term="linux") as screen:
        first_s = waited(screen, _paged, pace.patience_s)
        read_s = waited(screen, lambda lines: _paged(lines) and "Collecting" not in lines[1], pace.patience_s)
        started_s = cpu_seconds(screen.pid) if read_s else None
        if read_s:
            screen.idle(pace.settle_s)
        minute = cpu_minute([screen.pid], pace.window_s, screen)
        found = _CLASSIC_FLOWS.search(screen.lines[1])
        present = ground.tcp + ground.count() - ground.flows
        memory = (resident_mb(screen.pid),)
        pressed = press_keys(screen, ("Down", "Down", "Up"), _classic_place, pace.keys_s) if keys and first_s else None
        screen.press("q")
    remark = (
        "TCP alone is its default"
        if read_s and read_s < 1
        else f"TCP alone; whole table read after {read_s:.1f} s"
        if read_s
        else f"start-up still ran after {pace.patience_s:.0f} s"
    )
    shown = int(found.group(1)) if found else None
    return Cell(
        Tool.CLASSIC,
        ground.flows,
        load,
        minute,
        started_s,
        memory,
        first_s,
        pressed,
        shown,
        present,
        remark=remark,
        gave_up=not read_s,
    )


def _classic_place(lines: Lines) -> str | None:
    found = _CLASSIC_PLACE.search(lines[1])
    return found.group(1) if found else None


def iptstate(ground: Ground, load: int, pace: Pace, *, keys: bool) -> Cell:
    """Iptstate with the line of totals, which says how many entries it has."""
    with Screen(["iptstate", "-t"], ground.namespace, term="linux") as screen:
        first_s = waited(screen, lambda lines: _paged(lines) and "IPTState" in lines[0], pace.patience_s)
        if first_s is None:
            late = f"no screen after {pace.patience_s:.0f} s"
            return Cell(Tool.IPTSTATE, ground.flows, load, present=ground.count(), remark=late, gave_up=True)
        started_s = cpu_seconds(screen.pid)
        screen.idle(pace.settle_s)
        minute = cpu_minute([screen.pid], pace.window_s, screen)
        found = next((found for line in screen.lines[:5] if (found := _IPTSTATE_TOTAL.search(line))), None)
        present, memory = ground.count(), (resident_mb(screen.pid),)
        pressed = press_keys(screen, ("NPage", "PPage"), _iptstate_place, pace.keys_s) if keys else None
    shown = int(found.group(1)) if found else None
    return Cell(Tool.IPTSTATE, ground.flows, load, minute, started_s, memory, first_s, pressed, shown, present)


def _iptstate_place(lines: Lines) -> str:
    return "top" if "IPTState" in lines[0] else "below"
