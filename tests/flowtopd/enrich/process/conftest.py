import itertools
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from testbed.netns import wait_until

_numbers = itertools.count(1)


def mount_point() -> Path:
    """Where cgroup v2 is mounted."""
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        if " - cgroup2 " in line:
            return Path(line.split(" ")[4])
    raise AssertionError("no cgroup v2 here")


@pytest.fixture
def cgroup() -> Iterator[Path]:
    """A cgroup v2 named like a service; what still runs in it at the end is moved to the root."""
    path = mount_point() / f"flowtop-{os.getpid()}-{next(_numbers)}.service"
    path.mkdir()
    try:
        yield path
    finally:
        empty(path)


def empty(path: Path) -> None:
    """Remove a cgroup and those in it."""
    for below in [each for each in path.iterdir() if each.is_dir()]:
        empty(below)
    for pid in (path / "cgroup.procs").read_text().split():
        (mount_point() / "cgroup.procs").write_text(pid)
    wait_until(lambda: "populated 0" in (path / "cgroup.events").read_text())
    path.rmdir()
