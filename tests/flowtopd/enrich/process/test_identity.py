"""flowtopd.enrich.process.identity: what a process is called now, and never what another one was."""

import os
import pwd
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil  # type: ignore[import-untyped]
import pytest

from flowtopd.enrich.process import procfs
from flowtopd.enrich.process.cgroup import Cgroups
from flowtopd.enrich.process.identity import AGAIN_S, COMMAND_LENGTH, Identities
from flowtopd.enrich.process.procfs import PROC, Pid
from flowtopd.flows.dimensions import Owner, Parent
from testbed.netns import wait_until
from tests.flowtopd.enrich.process.agents import Agent, Clock

NOBODY = 65534
NO_SUCH_USER = 3_999_999_999


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def identities(clock: Clock) -> Identities:
    return Identities(Cgroups(clock=clock), clock)


def owner(identities: Identities, pid: int, uid: int | None = 0) -> Owner:
    found = identities.owner(Pid(pid), uid)
    assert found is not None
    return found


def test_a_process_has_name_command_user_and_start(identities: Identities) -> None:
    with Agent(argument="an argument") as agent:
        found = owner(identities, agent.pid)
        started_s = psutil.Process(agent.pid).create_time()
    assert found.pid == agent.pid
    assert found.process == Path(sys.executable).name
    assert found.command is not None
    assert found.command.startswith(sys.executable)
    assert found.command.endswith(" an argument")
    assert (found.uid, found.user) == (0, "root")
    assert found.started_s == pytest.approx(started_s, abs=1.5)


def test_the_user_is_that_of_the_socket(identities: Identities) -> None:
    nobody = owner(identities, os.getpid(), NOBODY)
    assert (nobody.uid, nobody.user) == (NOBODY, pwd.getpwuid(NOBODY).pw_name)
    unknown = owner(identities, os.getpid(), NO_SUCH_USER)
    assert (unknown.uid, unknown.user) == (NO_SUCH_USER, str(NO_SUCH_USER))
    without = owner(identities, os.getpid(), None)
    assert (without.uid, without.user) == (None, None)


def test_a_name_that_the_kernel_cuts_is_told_whole(identities: Identities, tmp_path: Path) -> None:
    program = tmp_path / "a-name-longer-than-fifteen"
    shutil.copy("/bin/sleep", program)
    with Agent() as agent:
        agent.become(program, 60)
        assert owner(identities, agent.pid).process == program.name


def test_as_long_as_nothing_changes_it_is_the_same_record(identities: Identities, clock: Clock) -> None:
    with Agent() as agent:
        first = owner(identities, agent.pid)
        clock.now += AGAIN_S * 3
        assert owner(identities, agent.pid) is first


def test_a_process_that_becomes_another_program_is_told_by_its_new_name_at_once(identities: Identities) -> None:
    with Agent() as agent:
        before = owner(identities, agent.pid)
        agent.become("sleep", 60)
        after = owner(identities, agent.pid)
    assert (before.process, after.process) == (Path(sys.executable).name, "sleep")
    assert after.command == "sleep 60"
    assert (after.pid, after.started_s) == (before.pid, before.started_s)


def test_a_command_line_that_changes_under_the_same_name_is_noticed_in_time(
    identities: Identities, clock: Clock
) -> None:
    with Agent() as agent:
        agent.become("sleep", 60)
        assert owner(identities, agent.pid).command == "sleep 60"
    with Agent() as agent:
        owner(identities, agent.pid)
        agent.become(sys.executable, "-c", "input()", "second")
        clock.now += AGAIN_S
        command = owner(identities, agent.pid).command
    assert command is not None
    assert command.endswith(" second")


def test_a_command_line_that_was_not_there_yet_is_asked_for_again(identities: Identities) -> None:
    """In exec() a process has its new name a little before its new command line; a spawn returns in between."""
    pid = os.posix_spawn("/bin/sleep", ["/bin/sleep", "60"], {})
    try:
        wait_until(lambda: owner(identities, pid).command == "/bin/sleep 60")
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def test_a_process_that_has_exited_has_no_record_and_is_forgotten(identities: Identities) -> None:
    with Agent() as agent:
        owner(identities, agent.pid)
    assert identities.owner(agent.pid, 0) is None
    assert not identities._processes


def test_a_zombie_has_its_name_still(identities: Identities) -> None:
    with Agent() as agent:
        zombie = owner(identities, agent.ask("zombie"))
    assert (zombie.process, zombie.command) == (Path(sys.executable).name, None)


def test_a_kernel_thread_has_a_name_and_no_command(identities: Identities) -> None:
    found = owner(identities, 2)
    assert (found.process, found.command) == ("kthreadd", None)


def test_a_command_line_that_is_no_text_can_be_encoded(identities: Identities) -> None:
    with Agent(argument=b"caf\xe9 \xff") as agent:
        command = owner(identities, agent.pid).command
    assert command is not None
    assert command.endswith("caf\ufffd \ufffd")
    command.encode()


def test_the_parent_is_told_with_its_name_and_user(identities: Identities) -> None:
    with Agent() as agent:
        found = owner(identities, agent.pid).parent
        child = owner(identities, agent.ask("fork")).parent
    assert found == Parent(os.getpid(), psutil.Process().name(), os.getuid())
    assert child == Parent(agent.pid, Path(sys.executable).name, os.getuid())


def test_a_parent_whose_name_the_kernel_cuts_is_told_whole(identities: Identities, tmp_path: Path) -> None:
    program = tmp_path / "a-parent-longer-than-fifteen"
    shutil.copy("/bin/sh", program)
    with family(program) as (shell, child):
        assert owner(identities, child).parent == Parent(shell.pid, program.name, os.getuid())


def test_a_parent_that_has_gone_is_told_no_more(identities: Identities) -> None:
    """Its child is given to another process at once, and so is the record."""
    with family() as (shell, child):
        before = owner(identities, child).parent
        shell.kill()
        wait_until(lambda: parent_of(child) != shell.pid)
        after = owner(identities, child).parent
        heir = parent_of(child)
    assert before == Parent(shell.pid, "sh", os.getuid())
    assert after == Parent(heir, psutil.Process(heir).name(), Path(f"/proc/{heir}").stat().st_uid)


def test_a_parent_that_becomes_another_program_is_noticed_in_time(identities: Identities, clock: Clock) -> None:
    with family() as (shell, child):
        owner(identities, child)
        assert shell.stdin is not None
        shell.stdin.close()
        wait_until(lambda: psutil.Process(shell.pid).name() == "sleep")
        clock.now += AGAIN_S
        assert owner(identities, child).parent == Parent(shell.pid, "sleep", os.getuid())


def test_who_has_no_parent_has_none(identities: Identities) -> None:
    assert owner(identities, 2).parent is None


@contextmanager
def family(shell: str | Path = "/bin/sh") -> Iterator[tuple[subprocess.Popen[bytes], Pid]]:
    """A shell and its child; when its input ends, the shell becomes another program."""
    script = "sleep 60 & read line; exec sleep 60"
    with subprocess.Popen([shell, "-c", script], executable=shell, stdin=subprocess.PIPE) as parent:
        wait_until(lambda: [name_of(child) for child in children(parent.pid)] == [b"sleep"])
        (child,) = children(parent.pid)
        try:
            yield parent, child
        finally:
            os.kill(child, signal.SIGKILL)
            parent.kill()


def name_of(pid: Pid) -> bytes | None:
    stat = procfs.stat(PROC, pid)
    return None if stat is None else stat.comm


def children(pid: int) -> list[Pid]:
    return [Pid(int(each)) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def parent_of(pid: int) -> int:
    stat = procfs.stat(PROC, Pid(pid))
    assert stat is not None
    return stat.parent


def test_a_very_long_command_line_is_cut(identities: Identities) -> None:
    with Agent(argument="x" * 100_000) as agent:
        command = owner(identities, agent.pid).command
    assert command is not None
    assert len(command) == COMMAND_LENGTH


_PID_REUSE = """
import os, signal, time
from pathlib import Path
from flowtopd.enrich.process.cgroup import Cgroups
from flowtopd.enrich.process.identity import Identities
from flowtopd.enrich.process.procfs import Pid

def start(program, pid):
    for _ in range(100):
        if pid:
            with open("/proc/sys/kernel/ns_last_pid", "w") as file:
                file.write(str(pid - 1))
        started = os.posix_spawn(program[0], program, {})
        if pid in (0, started):
            while not Path(f"/proc/{started}/cmdline").read_bytes():
                pass  # exec() is not done yet
            return started
        end(started)
    raise SystemExit("the pid cannot be had again")

def end(pid):
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)

identities = Identities(Cgroups(), lambda: 1000.0)
pid = start(["/bin/sleep", "60"], 0)
before = identities.owner(Pid(pid), 0)
end(pid)
time.sleep(0.03)  # a start is told in clock ticks of 10 ms
assert start(["/bin/sleep", "61"], pid) == pid
after = identities.owner(Pid(pid), 0)
assert (before.command, after.command) == ("/bin/sleep 60", "/bin/sleep 61"), (before, after)
assert after.started_s > before.started_s
"""


@pytest.mark.kernel
def test_a_pid_that_is_used_again_is_another_process() -> None:
    """In a pid namespace of its own, where the next pid can be chosen. Both programs have the same name."""
    unshare = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"]
    done = subprocess.run([*unshare, sys.executable, "-c", _PID_REUSE], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


_HIDDEN = """
import os, sys
from flowtopd.enrich.process.cgroup import Cgroups
from flowtopd.enrich.process.identity import Identities
from flowtopd.enrich.process.procfs import Pid

identities = Identities(Cgroups())
os.setgroups([])
os.setresgid(65534, 65534, 65534)
os.setresuid(65534, 65534, 65534)
print(identities.owner(Pid(int(sys.argv[1])), 0))
"""


@pytest.mark.kernel
@pytest.mark.parametrize("hidepid", ["noaccess", "invisible"])
def test_a_process_that_proc_hides_has_no_record(hidepid: str) -> None:
    mount = f'mount -t proc -o hidepid={hidepid} proc /proc && exec "$@"'
    with Agent() as agent:
        argv = ["unshare", "--mount", "sh", "-c", mount, "sh", sys.executable, "-c", _HIDDEN, str(agent.pid)]
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert (done.stdout.strip(), done.stderr) == ("None", "")


@pytest.mark.kernel
def test_unit_comes_from_the_cgroup_of_the_process(identities: Identities, clock: Clock, cgroup: Path) -> None:
    with Agent() as agent:
        assert owner(identities, agent.pid).unit is None
        (cgroup / "cgroup.procs").write_text(str(agent.pid))
        clock.now += AGAIN_S
        found = owner(identities, agent.pid)
        assert (found.unit, found.cgroup) == (cgroup.name, f"/{cgroup.name}")


@pytest.mark.kernel
def test_of_a_socket_without_a_process_its_cgroup_tells_something(identities: Identities, cgroup: Path) -> None:
    found = identities.of_cgroup(cgroup.stat().st_ino, NOBODY)
    name = pwd.getpwuid(NOBODY).pw_name
    assert found == Owner(uid=NOBODY, user=name, unit=cgroup.name, cgroup=f"/{cgroup.name}")
    assert identities.of_cgroup(cgroup.parent.stat().st_ino, NOBODY) is None
    assert identities.of_cgroup((1 << 40) + 1, NOBODY) is None


@pytest.mark.kernel
def test_processes_that_come_and_go_give_a_whole_record_or_none(identities: Identities) -> None:
    with subprocess.Popen(["/bin/sh", "-c", "for i in $(seq 300); do /bin/true; done"]) as shell:
        names = set()
        while shell.poll() is None:
            pid = int(Path("/proc/loadavg").read_text().split()[-1])
            if found := identities.owner(Pid(pid), 0):
                names.add((found.process, found.command))
    # the child is a copy of the shell until it becomes the other program
    assert names
    for process, command in names:
        assert process is not None
        if process == "true":
            assert command in {"/bin/true", None}


def test_a_clock_that_was_set_moves_the_start(identities: Identities, clock: Clock) -> None:
    """A router learns the time after it has booted."""
    with Agent() as agent:
        before = owner(identities, agent.pid)
        known = identities._processes[agent.pid]
        known.started_s -= 1_000_000.0
        known.owners.clear()
        clock.now += AGAIN_S
        after = owner(identities, agent.pid)
    assert after.started_s == pytest.approx(before.started_s, abs=1.0)


def test_memory_is_bounded(identities: Identities) -> None:
    for uid in range(5000):
        identities.user(uid + NOBODY + 1)
    assert len(identities._users) <= 1024
