"""flowtopd.enrich.process.procfs: which process this is, whatever its name is made of."""

import contextlib
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from flowtopd.enrich.process import procfs
from flowtopd.enrich.process.procfs import PROC, Pid
from tests.flowtopd.enrich.process.agents import Agent
from tests.flowtopd.enrich.process.no_descriptors import no_descriptors

OURS = Pid(os.getpid())
NOBODY = Pid(1 << 30)


def test_a_process_is_known_by_its_parent_and_start() -> None:
    with Agent() as agent:
        stat, own = procfs.stat(PROC, agent.pid), procfs.stat(PROC, OURS)
    assert stat is not None
    assert own is not None
    assert stat.parent == OURS
    assert stat.start_ticks >= own.start_ticks > 0


@pytest.mark.parametrize("name", [b"plain", b"a) S 1 (b", b")", b"(", b"two words", b"line\nbreak", b"\xff\xfe"])
def test_a_name_may_hold_what_the_line_is_made_of(name: bytes, tmp_path: Path) -> None:
    program = tmp_path / os.fsdecode(name)
    program.symlink_to("/bin/sleep")
    pid = os.posix_spawn(program, [b"sleep", b"30"], {})
    try:
        stat = procfs.stat(PROC, Pid(pid))
        assert stat is not None
        assert (stat.comm, stat.parent) == (name, OURS)
    finally:
        os.kill(pid, 9)
        os.waitpid(pid, 0)


def test_of_a_process_that_is_not_there_nothing_is_known() -> None:
    assert procfs.stat(PROC, NOBODY) is None
    assert procfs.netns(PROC, NOBODY) is None


@pytest.mark.parametrize("text", ["", "17 (cut", "17 (cut) S 1 17 17 0"])
def test_a_line_that_is_cut_short_says_nothing(text: str, tmp_path: Path) -> None:
    (tmp_path / "17").mkdir()
    (tmp_path / "17/stat").write_text(text)
    assert procfs.stat(str(tmp_path), Pid(17)) is None


def test_only_processes_are_listed(tmp_path: Path) -> None:
    for name in ("1", "4711", "self", "sys", "net"):
        (tmp_path / name).mkdir()
    assert sorted(procfs.pids(str(tmp_path))) == [1, 4711]


def test_at_most_so_much_is_read(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(bytes(200_000))
    assert len(procfs.read(str(file), 150_000)) == 150_000
    assert len(procfs.read(str(file), 1 << 20)) == 200_000


def test_a_line_that_does_not_fit_is_left_out(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"one\ntwo\nthree\n")
    assert procfs.read_lines(str(file), 1 << 20) == b"one\ntwo\nthree\n"
    assert procfs.read_lines(str(file), 13) == b"one\ntwo\n"
    assert procfs.read_lines(str(file), 2) == b""


def test_without_descriptors_nobody_is_taken_for_gone() -> None:
    with no_descriptors(), pytest.raises(OSError, match="Too many open files"):
        procfs.stat(PROC, OURS)
    assert procfs.stat(PROC, OURS) is not None


@pytest.mark.parametrize("sockets", [0, 5, 300])
def test_of_a_table_of_sockets_every_line_is_read(sockets: int) -> None:
    """More than fits into one read, and less."""
    with contextlib.ExitStack() as stack:
        ports = set()
        for _ in range(sockets):
            made = stack.enter_context(socket.socket(socket.AF_INET6, socket.SOCK_DGRAM))
            made.bind(("::1", 0))
            ports.add(made.getsockname()[1])
        text = procfs.read_table("/proc/self/net/udp6", 1 << 20)
        assert text.endswith(b"\n")
        assert ports <= {int(line.split()[1].rpartition(b":")[2], 16) for line in text.splitlines()[1:]}


def test_a_table_is_not_asked_for_twice_when_it_was_short() -> None:
    """Each time the kernel walks all of its buckets."""
    script = "from flowtopd.enrich.process import procfs; procfs.read_table('/proc/self/net/tcp6', 1 << 20)"
    traced = ["strace", "-qq", "-e", "trace=read,openat", sys.executable, "-c", script]
    _before, opened, after = subprocess.run(traced, stderr=subprocess.PIPE, text=True, check=True).stderr.partition(
        "/net/tcp6"
    )
    assert opened
    assert after.count("read(") == 1
