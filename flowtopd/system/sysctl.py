"""Counters and timestamps of conntrack: two sysctls, turned on while the daemon runs, then put back.

    nf_conntrack_acct       packets and bytes of a flow
    nf_conntrack_timestamp  when a flow began

Both belong to a network namespace, are off by default, and count only connections made after they are set.

Rules
1. Before a sysctl is changed, its old value and ours are on the disk (`saved_sysctls`).
2. A value is put back only where the sysctl still has the value that we set: whoever changed it since
   meant it.
3. After SIGKILL the file is still there. The next start takes the old values from it and never reads our
   own 1 as an old value; `restore` puts them back without a daemon.
4. The file is used in the boot and the network namespace that it was written in, nowhere else. While there is
   one of another namespace, no sysctl is changed, since there would be no place to save it.
5. Nothing here is fatal. What cannot be done is said in one line, and the daemon shows what it can.

`root` is where the sysctls live: a folder of plain files in tests. /proc/sys/net shows the namespace of the
thread that opens a file in it, and an open file stays with its namespace.
"""

import contextlib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from flowtopd.config import SysctlMode
from flowtopd.system.runtime_dir import RuntimeDir
from flowtopd.system.saved_sysctls import Change, Changes, elsewhere, load, netns, store

ROOT: Final = Path("/proc/sys/net/netfilter")

ACCT: Final = "nf_conntrack_acct"
TIMESTAMP: Final = "nf_conntrack_timestamp"
_MAX: Final = "nf_conntrack_max"

_OFF: Final = "0"
_ON: Final = "1"
_MEANING: Final = {ACCT: "counters", TIMESTAMP: "start times"}
_KNOWN: Final = frozenset(_MEANING)


@dataclass(frozen=True, slots=True)
class SysctlState:
    """What the kernel does now. Unreadable counts as off: as far as we know, nothing new is counted."""

    accounting: bool
    timestamps: bool


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was done or could not be done, a line each; `complete` is false where something was left undone."""

    lines: tuple[str, ...]
    complete: bool = True


class Sysctls:
    """Owner of the two sysctls while a daemon holds the runtime directory.

    `acquire` at start, `read` each tick, `release` at the end. None of them raises OSError.
    """

    def __init__(self, runtime: RuntimeDir, root: Path = ROOT) -> None:
        self._runtime = runtime
        self._root = root
        self._changes: Changes = {}
        self._readers: dict[str, int] = {}

    def acquire(self, mode: SysctlMode) -> tuple[str, ...]:
        """Turn both on, as `mode` says. Returns what could not be done, a line each."""
        saved, problems = load(self._runtime, _KNOWN)
        why_off: dict[str, str] = {}
        if saved is not None and saved.netns != netns():
            problems.append(elsewhere(self._runtime))
            why_off = dict.fromkeys(_KNOWN, "not touched because of that")
        else:
            found = {} if saved is None else self._still_ours(saved.changes)
            match mode:
                case SysctlMode.WHILE_RUNNING:
                    why_off, lines = self._turn_on(found)
                case SysctlMode.KEEP:
                    lines = self._store({})
                    why_off = self._set(_KNOWN)
                case SysctlMode.NEVER:
                    left, lines = _put_back(self._root, found)
                    lines += self._store(left)
                    why_off = dict.fromkeys(_KNOWN, f'sysctl = "{mode}"')
            problems += lines
        return (*problems, *self._what_is_off(why_off))

    def _still_ours(self, changes: Changes) -> Changes:
        """Without those that somebody has set since: their value is the old one now."""
        try:
            return {name: change for name, change in changes.items() if self._value(name) == change.ours}
        except OSError:
            return changes

    def _turn_on(self, found: Changes) -> tuple[dict[str, str], list[str]]:
        """Save old values, then set ours. Returns why a sysctl could not be set, and other problems."""
        wanted = dict(found)
        for name in _KNOWN - found.keys():
            with contextlib.suppress(OSError):
                if self._value(name) == _OFF:
                    wanted[name] = Change(old=_OFF, ours=_ON)
        if problems := self._store(wanted):
            # rule 1: without the old values on the disk nothing is changed
            return dict.fromkeys(_KNOWN, "not touched because of that"), problems
        why_off = self._set(wanted)
        made = {name: change for name, change in wanted.items() if name not in why_off}
        return why_off, self._store(made) if made != wanted else []

    def _set(self, names: Iterable[str]) -> dict[str, str]:
        """Write 1 where there is 0. Returns the reason for each that could not be written."""
        why = {}
        for name in names:
            try:
                if self._value(name) == _OFF:
                    (self._root / name).write_text(_ON, encoding="ascii")
            except OSError as error:
                why[name] = _reason(error)
        return why

    def _store(self, changes: Changes) -> list[str]:
        try:
            store(self._runtime, changes)
        except OSError as error:
            return [f"old sysctl values cannot be saved in {self._runtime.path}: {_reason(error)}"]
        self._changes = dict(changes)
        return []

    def _what_is_off(self, why: dict[str, str]) -> list[str]:
        """One line, if anything is off."""
        off = []
        for name, meaning in _MEANING.items():
            try:
                if self._value(name) != _OFF:
                    continue
                reason = why.get(name, "set back by another program")
            except OSError as error:
                reason = _reason(error)
            off.append(f"no {meaning} of new flows, {name} is off: {reason}")
        return ["; ".join(off)] if off else []

    def _value(self, name: str) -> str:
        return (self._root / name).read_text(encoding="ascii").strip()

    def read(self) -> SysctlState:
        """What is on now, since another program may change it. One pread each, on descriptors kept open."""
        return SysctlState(accounting=self._is_on(ACCT), timestamps=self._is_on(TIMESTAMP))

    def max(self) -> int | None:
        """How many entries the kernel's table may hold; None where that cannot be read."""
        return self._number(_MAX)

    def _is_on(self, name: str) -> bool:
        value = self._number(name)
        return value is not None and value > 0

    def _number(self, name: str) -> int | None:
        try:
            if name not in self._readers:
                self._readers[name] = os.open(self._root / name, os.O_RDONLY | os.O_CLOEXEC)
            return int(os.pread(self._readers[name], 32, 0))
        except (OSError, ValueError):
            if name in self._readers:
                os.close(self._readers.pop(name))  # the module went; it may come back as another file
            return None

    def release(self) -> tuple[str, ...]:
        """Put back what `acquire` changed. Returns what could not be done or was left alone, a line each."""
        left, lines = _put_back(self._root, self._changes)
        if left != self._changes:
            lines += self._store(left)
        while self._readers:
            os.close(self._readers.popitem()[1])
        return tuple(lines)


def restore(path: Path, root: Path = ROOT) -> Outcome:
    """Put back what a killed daemon left changed (`flowtopd --restore`).

    Raises AlreadyRunningError while a daemon lives, OSError where the directory cannot be opened.
    """
    if not path.exists():
        return Outcome((f"nothing to restore: no {path}",))
    with RuntimeDir(path) as runtime:
        saved, lines = load(runtime, _KNOWN)
        if saved is None:
            return Outcome(tuple(lines) or ("nothing to restore",), complete=not lines)
        if saved.netns != netns():
            return Outcome((elsewhere(runtime),), complete=False)
        left, lines = _put_back(root, saved.changes)
        store(runtime, left)
        odd = {line.split()[0] for line in lines}
        done = [f"restored {name} = {change.old}" for name, change in saved.changes.items() if name not in odd]
        return Outcome((*lines, *done), complete=not left)


def _put_back(root: Path, changes: Changes) -> tuple[Changes, list[str]]:
    """Write old values where ours still stand.

    Returns what could not be written, and a line, which begins with the name, for each that was not put back.
    """
    left, lines = {}, []
    for name, change in changes.items():
        path = root / name
        try:
            current = path.read_text(encoding="ascii").strip()
            if current == change.ours:
                path.write_text(change.old, encoding="ascii")
            elif current != change.old:
                lines.append(f"{name} is {current}, not the {change.ours} that flowtopd set: left as it is")
        except OSError as error:
            left[name] = change
            lines.append(f"{name} could not be set back to {change.old}: {_reason(error)}")
    return left, lines


def _reason(error: OSError) -> str:
    return error.strerror or str(error)
