"""From a process to its owner record: name, command line, start, parent, cgroup; the user from the socket's uid.

/proc/PID/stat is read on every call, 5 µs: its start time tells that the pid still means the same process, its name
that the process has not become another program by exec(). The rest is read when one of these changed, and every ten
seconds, because a command line and a cgroup may change without either. Start and name are compared once more
afterwards, so that a record is never put together of two processes.

So is the parent's pid, and a process has another parent before the pid of the last one is free (forget_original_parent
in kernel/exit.c): while it is the same, the name that was read under it is the parent's. One that has gone is none.

psutil gives the name (whole where the kernel cuts it at 15 bytes) and the command line. The start is worked out from
the ticks: psutil reads /proc/stat for it, which takes the longer the more processors and interrupts there are, and
moves by a second now and then, while pid and start are what a process is known by. It is only changed when the clock
was set, as on a router that learns the time after it has booted.
"""

import os
import pwd
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import psutil  # type: ignore[import-untyped]  # it ships no types

from flowtopd.enrich.process import procfs
from flowtopd.enrich.process.cgroup import Cgroups, Place
from flowtopd.enrich.process.procfs import PROC, Pid, Stat
from flowtopd.enrich.process.recent import Recent
from flowtopd.flows.dimensions import Owner, Parent

AGAIN_S: Final = 10.0
COMMAND_LENGTH: Final = 1024

_PROCESSES: Final = 2048
_USERS: Final = 1024
_USERS_A_PROCESS: Final = 64
_USER_AGAIN_S: Final = 300.0
_CLOCK_SET_S: Final = 2.0
_TRIES: Final = 3


@dataclass(slots=True)
class _Process:
    """What was read of a process, when, and its records by the uid of the socket."""

    stat: Stat
    started_s: float
    until_s: float
    name: str
    command: str | None
    place: Place
    parent: Parent | None
    owners: dict[int | None, Owner] = field(default_factory=lambda: Recent(_USERS_A_PROCESS))


class Identities:
    """Makes `Owner` records, the same object again as long as nothing changed. For one thread at a time."""

    def __init__(self, cgroups: Cgroups, clock: Callable[[], float] = time.monotonic) -> None:
        self._cgroups = cgroups
        self._clock = clock
        self._processes: Recent[Pid, _Process] = Recent(_PROCESSES)
        self._users: Recent[int, tuple[str, float]] = Recent(_USERS)
        self._tick_s = 1 / os.sysconf("SC_CLK_TCK")

    def owner(self, pid: Pid, uid: int | None) -> Owner | None:
        """The record of a process whose socket has this uid; None when the process has exited."""
        process = self._process(pid)
        if process is None:
            return None
        if uid not in process.owners:
            process.owners[uid] = Owner(
                pid=pid,
                started_s=process.started_s,
                process=process.name,
                command=process.command,
                uid=uid,
                user=self.user(uid),
                unit=process.place.unit,
                container=process.place.container,
                cgroup=process.place.path,
                parent=process.parent,
            )
        return process.owners[uid]

    def of_cgroup(self, cgroup_id: int, uid: int | None) -> Owner | None:
        """The record of a socket of which only the cgroup is known; None where that says nothing."""
        place = self._cgroups.name(cgroup_id)
        if place is None or (place.unit is None and place.container is None):
            return None
        return Owner(uid=uid, user=self.user(uid), unit=place.unit, container=place.container, cgroup=place.path)

    def user(self, uid: int | None) -> str | None:
        """The name of a user, the number as text where there is none. Remembered: it may come over the network."""
        if uid is None:
            return None
        now = self._clock()
        name, until_s = self._users.get(uid, ("", 0.0))
        if now >= until_s:
            name = _user(uid)
            self._users[uid] = (name, now + _USER_AGAIN_S)
        return name

    def _process(self, pid: Pid) -> _Process | None:
        stat, known = procfs.stat(PROC, pid), self._processes.get(pid)
        if stat is None:
            self._processes.pop(pid, None)
            return None
        if known is not None and known.stat == stat and self._clock() < known.until_s:
            return known
        for _ in range(_TRIES):
            read = self._read(pid, stat)
            after = procfs.stat(PROC, pid)
            if read is None or after is None:
                break
            if after == stat:
                return self._keep(pid, read, known)
            stat = after
        self._processes.pop(pid, None)
        return None

    def _read(self, pid: Pid, stat: Stat) -> _Process | None:
        try:
            process = psutil.Process(pid)
            with process.oneshot():
                name, arguments = process.name(), process.cmdline()
        except psutil.ZombieProcess:
            # it has exited and waits to be reaped: it has a name still
            name, arguments = os.fsdecode(stat.comm), []
        except psutil.AccessDenied:
            name, arguments = os.fsdecode(stat.comm), []
        except psutil.NoSuchProcess:
            return None
        command = _text(" ".join(arguments)[:COMMAND_LENGTH]) or None
        place = self._cgroups.of_process(pid)
        # in exec() a process has its new name a little before its new command line: ask again at the next call
        until_s = self._clock() + (AGAIN_S if command else 0.0)
        return _Process(stat, self._started_s(stat), until_s, _text(name), command, place, _parent(stat.parent))

    def _started_s(self, stat: Stat) -> float:
        return time.time() - time.clock_gettime(time.CLOCK_BOOTTIME) + stat.start_ticks * self._tick_s

    def _keep(self, pid: Pid, read: _Process, known: _Process | None) -> _Process:
        if known is not None and known.stat.start_ticks == read.stat.start_ticks:
            if abs(known.started_s - read.started_s) < _CLOCK_SET_S:
                read.started_s = known.started_s
            if _same(known, read):
                read.owners = known.owners
        self._processes[pid] = read
        return read


def _same(one: _Process, other: _Process) -> bool:
    return (one.started_s, one.name, one.command, one.place, one.parent) == (
        other.started_s,
        other.name,
        other.command,
        other.place,
        other.parent,
    )


def _parent(pid: Pid) -> Parent | None:
    """The process with this pid, which is 0 where there is none or it is outside of our pid namespace."""
    if not pid:
        return None
    try:
        uid = os.stat(f"{PROC}/{pid}").st_uid  # noqa: PTH116  a Path costs as much as the call
        return Parent(pid, _text(psutil.Process(pid).name()), uid)
    except (FileNotFoundError, ProcessLookupError, PermissionError, psutil.Error):
        return None  # it has gone since, or is not ours to see


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except (KeyError, OverflowError):  # uid -1: the kernel cannot map it into our user namespace
        return str(uid)


def _text(raw: str) -> str:
    """Bytes that are no UTF-8 come as lone surrogates, which nothing else can encode."""
    return raw.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
