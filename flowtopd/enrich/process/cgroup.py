"""From a cgroup to its name: by id, as sock_diag gives it, or by process.

The id of a cgroup v2 is the inode number of its directory (INET_DIAG_CGROUP_ID, kernel 5.8). The tree is listed when an
unknown id is asked for, which costs about 40 µs a cgroup, and at most for a twentieth of the time; an id that was not
there is not looked for again for ten seconds.

A socket keeps the cgroup of the process that made it. A service that systemd activated through a socket, or a session
of sshd, is in another one: where the process is known, its own cgroup (`of_process`) is the better answer.

Works with cgroup v2, v1, and both at once (hybrid); ids need v2.
"""

import os
import re
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from flowtopd.enrich.process import procfs
from flowtopd.enrich.process.cgroup_name import CgroupName, name_of, pod_of
from flowtopd.enrich.process.containers import Containers
from flowtopd.enrich.process.procfs import Pid
from flowtopd.enrich.process.recent import Recent

PATH_LENGTH: Final = 1024
"""Characters of a path that are told; the kernel has them up to PATH_MAX, 4096 bytes."""

_WALK_SHARE: Final = 0.05
_UNKNOWN_S: Final = 10.0
_CGROUPS: Final = 16_384
_MEMBERS: Final = 32
_FILE_BYTES: Final = 1 << 16

# st_ino of a 32-bit kernel holds the lower half of the id (kernfs_ino in linux/kernfs.h)
_INODE_MASK: Final = 2 * sys.maxsize + 1

_OCTAL: Final = re.compile(r"\\([0-7]{3})")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a process or a socket belongs: its systemd unit, its container, the path of its control group.

    `container` is a name, else a short id. `path` is of the hierarchy that says most, and cut at PATH_LENGTH.
    """

    unit: str | None = None
    container: str | None = None
    path: str | None = None


NOWHERE: Final = Place()


class Cgroups:
    """Knows cgroups by id and by process. For one thread at a time."""

    def __init__(
        self,
        containers: Containers | None = None,
        proc: Path = Path(procfs.PROC),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._containers = containers or Containers(clock)
        self._proc = str(proc)
        self._clock = clock
        self._mount = _mount_point(self._proc)
        self._paths: dict[int, str] = {}
        self._unknown: Recent[int, float] = Recent(_CGROUPS)
        self._walk_from_s = clock()

    def name(self, cgroup_id: int) -> Place | None:
        """What the cgroup of this id is; None where there is no such cgroup, or it is too early to look for it."""
        path = self._path(cgroup_id)
        return None if path is None else self._place([path])

    def of_process(self, pid: Pid) -> Place:
        """Where a process belongs. Nothing is known of one that has exited."""
        try:
            lines = procfs.read(f"{self._proc}/{pid}/cgroup", _FILE_BYTES)
        except OSError:
            return NOWHERE
        return self._place(paths_of(lines.decode(errors="replace")))

    def members(self, cgroup_id: int) -> list[Pid]:
        """The processes of a cgroup; none where they are many, so that this is a shortcut for who looks for one."""
        path = self._path(cgroup_id)
        if self._mount is None or path is None:
            return []
        try:
            lines = procfs.read(f"{self._mount}{path}/cgroup.procs", _FILE_BYTES).split()
        except OSError:
            return []  # it has gone, or is threaded
        return [Pid(int(line)) for line in lines] if len(lines) <= _MEMBERS else []

    def _place(self, paths: list[str]) -> Place:
        names = [(name_of(path), path) for path in paths]
        unit = next((name.unit for name, _ in names if name.unit), None)
        container = next(filter(None, (self._container(name, path) for name, path in names)), None)
        # beside v1, the v2 hierarchy may be there and have everybody in its root
        path = next((path for path in paths if path.strip("/")), "/" if "/" in paths else None)
        return Place(unit, container, path and path[:PATH_LENGTH])

    def _container(self, name: CgroupName, path: str) -> str | None:
        if name.container_id is not None:
            return self._containers.name(name.container_id)
        if name.container is None and (pod := pod_of(path)):
            return f"pod {pod}"
        return name.container

    def _path(self, cgroup_id: int) -> str | None:
        inode = cgroup_id & _INODE_MASK
        path = self._paths.get(inode)
        if path is None and self._mount is not None and self._may_walk(inode):
            began = self._clock()
            self._paths = dict(_tree(self._mount))
            ended = self._clock()
            self._walk_from_s = ended + (ended - began) * (1 / _WALK_SHARE - 1)
            path = self._paths.get(inode)
            if path is None:
                self._unknown[inode] = ended + _UNKNOWN_S
        return path

    def _may_walk(self, inode: int) -> bool:
        now = self._clock()
        return now >= self._walk_from_s and now >= self._unknown.get(inode, now)


def paths_of(lines: str) -> list[str]:
    """The paths in /proc/PID/cgroup (`HIERARCHY:CONTROLLERS:PATH`), those that say most first.

    That is v2, then systemd's own hierarchy of v1, then the controllers, where docker or lxc may be without systemd.
    """
    ranked = []
    for line in lines.splitlines():
        hierarchy, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        rank = 0 if hierarchy == "0" else 1 if controllers == "name=systemd" else 2
        ranked.append((rank, path))
    return list(dict.fromkeys(path for _, path in sorted(ranked, key=lambda each: each[0])))


def _mount_point(proc: str) -> str | None:
    """Where cgroup v2 is mounted: /sys/fs/cgroup, or /sys/fs/cgroup/unified beside v1."""
    try:
        lines = Path(proc, "self/mountinfo").read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return None
    for line in lines:
        # "ID PARENT DEVICE ROOT MOUNT-POINT OPTIONS … - TYPE SOURCE OPTIONS"; blanks are written \040
        fields, _, rest = line.partition(" - ")
        if rest.startswith("cgroup2 "):
            return _OCTAL.sub(lambda code: chr(int(code[1], 8)), fields.split(" ")[4])
    return None


def _tree(mount: str) -> Iterator[tuple[int, str]]:
    """Inode number and path of every cgroup, the root first, nearest ones first where there are too many."""
    try:
        yield os.stat(mount).st_ino, "/"  # noqa: PTH116
    except OSError:
        return
    level, count = [""], 1
    while level:
        below = []
        for path in level:
            for inode, name in _children(mount + path):
                below.append(f"{path}/{name}")
                yield inode, below[-1]
                count += 1
                if count == _CGROUPS:
                    return
        level = below


def _children(folder: str) -> list[tuple[int, str]]:
    try:
        # the listing itself has type and inode number: nothing is asked for a single entry
        with os.scandir(folder) as entries:
            return [(entry.inode(), entry.name) for entry in entries if entry.is_dir(follow_symlinks=False)]
    except OSError:
        return []  # it went since its parent was listed
