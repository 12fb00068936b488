"""flowtopd.enrich.process.holders: the right process, the eldest of several, and never "nobody" by mistake.

Most tests look at a pid namespace of their own, so that nothing but their own processes is there to be seen.
"""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from flowtopd.enrich.process.cgroup import Cgroups
from flowtopd.enrich.process.holders import WALK_GAP_S, Holders, Unheld
from flowtopd.enrich.process.procfs import INIT, Pid
from testbed.netns import wait_until
from tests.flowtopd.enrich.process.agents import Agent, Clock, PidNamespace

NO_SOCKET = 4_294_967_295
"""An inode number that no test lives long enough to see."""


@pytest.fixture(scope="module")
def house() -> Iterator[PidNamespace]:
    with PidNamespace() as made:
        yield made


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def holders(house: PidNamespace, clock: Clock) -> Holders:
    return Holders(Cgroups(proc=house.proc, clock=clock), house.proc, clock)


def use_up_the_walk(holders: Holders) -> None:
    """A walk has just been made: from here on only shortcuts are left, until the clock is moved."""
    assert holders.find([NO_SOCKET]) == {NO_SOCKET: Unheld.NOBODY}


@pytest.mark.kernel
def test_each_socket_is_given_to_the_process_that_holds_it(house: PidNamespace, holders: Holders) -> None:
    with house.agent() as one, house.agent() as other:
        first, second, third = one.ask("open"), other.ask("open"), one.ask("open")
        assert holders.find([first, second, third]) == {first: one.pid, second: other.pid, third: one.pid}


@pytest.mark.kernel
def test_a_socket_that_was_closed_or_whose_process_exited_is_held_by_nobody(
    house: PidNamespace, holders: Holders, clock: Clock
) -> None:
    with house.agent() as agent:
        closed, left = agent.ask("open"), agent.ask("open")
        assert holders.find([closed, left]) == {closed: agent.pid, left: agent.pid}
        agent.ask("close", closed)
        clock.now += WALK_GAP_S
        assert holders.find([closed, left]) == {closed: Unheld.NOBODY, left: agent.pid}
    clock.now += WALK_GAP_S
    assert holders.find([left]) == {left: Unheld.NOBODY}


@pytest.mark.kernel
def test_a_socket_without_a_file_is_held_by_nobody_and_costs_no_walk(holders: Holders) -> None:
    assert holders.find([0]) == {0: Unheld.NOBODY}
    use_up_the_walk(holders)


@pytest.mark.kernel
def test_between_two_walks_the_answer_is_not_yet_and_never_nobody(
    house: PidNamespace, holders: Holders, clock: Clock
) -> None:
    with house.agent() as old:
        use_up_the_walk(holders)
        inode = old.ask("open")
        assert holders.find([inode]) == {inode: Unheld.NOT_YET}
        clock.now += WALK_GAP_S * 0.9
        assert holders.find([inode]) == {inode: Unheld.NOT_YET}
        clock.now += WALK_GAP_S * 0.1
        assert holders.find([inode]) == {inode: old.pid}


@pytest.mark.kernel
def test_where_a_walk_takes_long_it_is_made_less_often(house: PidNamespace) -> None:
    clock = Clock(step=1.0)
    holders = Holders(Cgroups(proc=house.proc, clock=clock), house.proc, clock)
    use_up_the_walk(holders)
    clock.step = 0.0
    clock.now += 2.0
    assert holders.find([NO_SOCKET - 1]) == {NO_SOCKET - 1: Unheld.NOT_YET}
    clock.now += 30.0
    assert holders.find([NO_SOCKET - 1]) == {NO_SOCKET - 1: Unheld.NOBODY}


@pytest.mark.kernel
def test_that_nobody_holds_a_socket_stands_for_longer_each_time(holders: Holders, clock: Clock) -> None:
    """A socket of the kernel has no holder ever; it must not keep us walking."""
    for attempt, stands_s in enumerate([1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 32.0], 1):
        use_up_the_walk(holders)
        clock.now += stands_s - 0.1
        assert holders.find([NO_SOCKET]) == {NO_SOCKET: Unheld.NOBODY}
        # that was from memory: the walk is still to be had
        other = NO_SOCKET - attempt
        assert holders.find([other]) == {other: Unheld.NOBODY}
        clock.now += WALK_GAP_S


@pytest.mark.kernel
def test_a_new_process_is_looked_at_at_once(house: PidNamespace, holders: Holders) -> None:
    use_up_the_walk(holders)
    with house.agent() as new:
        inode = new.ask("open")
        assert holders.find([inode]) == {inode: new.pid}


@pytest.mark.kernel
def test_a_young_process_that_opens_more_sockets_is_looked_at_again(
    house: PidNamespace, holders: Holders, clock: Clock
) -> None:
    use_up_the_walk(holders)
    with house.agent() as young:
        assert holders.find([NO_SOCKET - 2]) == {NO_SOCKET - 2: Unheld.NOT_YET}
        clock.now += 0.2
        inode = young.ask("open")
        assert holders.find([inode]) == {inode: young.pid}


@pytest.mark.kernel
def test_a_process_in_which_sockets_were_found_is_looked_at_without_a_walk(
    house: PidNamespace, holders: Holders
) -> None:
    """A resolver that makes a socket for each query is an old process; its sockets live for milliseconds."""
    with house.agent() as resolver:
        first = resolver.ask("open")
        assert holders.find([first]) == {first: resolver.pid}
        second = resolver.ask("open")
        assert holders.find([second]) == {second: resolver.pid}


@pytest.mark.kernel
def test_the_shortcut_leaves_out_a_process_with_very_many_descriptors(house: PidNamespace, holders: Holders) -> None:
    with house.agent() as server:
        first, *_ = server.ask_many("open-many", 600)
        assert holders.find([first]) == {first: server.pid}
        later = server.ask("open")
        assert holders.find([later]) == {later: Unheld.NOT_YET}


@pytest.mark.kernel
def test_the_processes_of_its_cgroup_are_looked_at_without_a_walk(cgroup: Path, clock: Clock) -> None:
    with Agent() as agent:
        holders = Holders(Cgroups(clock=clock), clock=clock)
        holders.find([NO_SOCKET])
        inode = agent.ask("open")
        (cgroup / "cgroup.procs").write_text(str(agent.pid))
        assert holders.find([inode]) == {inode: Unheld.NOT_YET}
        assert holders.find([inode], [cgroup.stat().st_ino]) == {inode: agent.pid}


@pytest.mark.kernel
def test_of_a_process_and_its_forks_the_eldest_is_named(house: PidNamespace, holders: Holders) -> None:
    with house.agent() as parent:
        inode = parent.ask("open")
        parent.ask("fork")
        parent.ask("fork")
        assert holders.find([inode]) == {inode: parent.pid}


@pytest.mark.kernel
def test_a_new_child_is_not_named_instead_of_its_old_parent(house: PidNamespace, holders: Holders) -> None:
    """Only the child is new, so only the child is looked at; the parent is found by climbing."""
    with house.agent() as parent:
        use_up_the_walk(holders)
        inode = parent.ask("open")
        parent.ask("fork")
        assert holders.find([inode]) == {inode: parent.pid}


@pytest.mark.kernel
def test_when_the_eldest_closes_a_socket_its_child_is_named(
    house: PidNamespace, holders: Holders, clock: Clock
) -> None:
    with house.agent() as parent:
        inode = parent.ask("open")
        child = parent.ask("fork")
        assert holders.find([inode]) == {inode: parent.pid}
        parent.ask("close", inode)
        clock.now += WALK_GAP_S
        assert holders.find([inode]) == {inode: child}


@pytest.mark.kernel
def test_pid_1_is_named_only_where_nobody_else_holds_the_socket(
    house: PidNamespace, holders: Holders, clock: Clock
) -> None:
    """systemd keeps the sockets that it passes to the services it starts through them."""
    alone, shared = house.init.ask("open"), house.init.ask("open")
    service = house.init.ask("fork")
    house.init.ask("close", alone)
    alone = house.init.ask("open")
    clock.now += WALK_GAP_S
    assert holders.find([alone, shared]) == {alone: INIT, shared: service}


@pytest.mark.kernel
def test_of_unrelated_holders_the_one_that_started_first_is_named(house: PidNamespace, holders: Holders) -> None:
    with house.agent() as first, house.agent() as second:
        inode = second.ask("open")
        first.ask("take", second.pid, inode)
        assert holders.find([inode]) == {inode: first.pid}


@pytest.mark.kernel
def test_processes_that_come_and_go_during_the_walk_disturb_nobody() -> None:
    """Hundreds of processes come and go while we walk; the one that stays is always found."""
    crowd = "for i in $(seq 400); do /bin/true; done"
    with Agent() as agent, subprocess.Popen(["/bin/sh", "-c", crowd]) as shell:
        inode = agent.ask("open")
        passes = 0
        while shell.poll() is None:
            clock = Clock()
            holders = Holders(Cgroups(clock=clock), clock=clock)
            assert holders.find([inode, NO_SOCKET])[inode] == agent.pid
            passes += 1
    assert passes > 5


@pytest.mark.kernel
def test_a_pid_that_was_used_again_does_not_get_the_sockets_of_the_one_before(
    house: PidNamespace, holders: Holders, clock: Clock
) -> None:
    with house.agent() as before:
        inode, pid = before.ask("open"), before.pid
        assert holders.find([inode]) == {inode: pid}
    for _ in range(50):
        house.init.ask("next-pid", pid)
        again = Pid(house.init.ask("fork"))
        if again == pid:
            break
    assert again == pid
    clock.now += WALK_GAP_S
    assert holders.find([inode]) == {inode: Unheld.NOBODY}


_UNPRIVILEGED = """
import os, sys
from pathlib import Path
from flowtopd.enrich.process.cgroup import Cgroups
from flowtopd.enrich.process.holders import Holders

os.setgroups([])
os.setresgid(65534, 65534, 65534)
os.setresuid(65534, 65534, 65534)
inode = int(sys.argv[1])
print(Holders(Cgroups()).find([inode])[inode].name)
"""


@pytest.mark.kernel
@pytest.mark.parametrize("hidepid", ["off", "noaccess", "invisible"])
def test_what_may_not_be_read_is_told_from_what_has_exited(hidepid: str) -> None:
    """As another user, without capabilities, with /proc mounted in the three ways there are."""
    mount = f'mount -t proc -o hidepid={hidepid} proc /proc && exec "$@"'
    with Agent() as agent:
        argv = ["unshare", "--mount", "sh", "-c", mount, "sh", sys.executable, "-c", _UNPRIVILEGED]
        done = subprocess.run([*argv, str(agent.ask("open"))], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "UNREADABLE"


@pytest.mark.kernel
def test_memory_is_bounded(house: PidNamespace, holders: Holders) -> None:
    with house.agent() as agent:
        inode = agent.ask("open")
        for first in range(1_000_000, 1_012_000, 1000):
            holders.find([inode, *range(first, first + 1000)])
            holders._walk_from_s = 0.0
    assert len(holders._unheld) <= 4096
    assert len(holders._known) == 1


def test_own_sockets_are_found_in_the_real_proc() -> None:
    holders = Holders(Cgroups())
    with socket.socket() as one, socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as other:
        inodes = [os.fstat(each.fileno()).st_ino for each in (one, other)]
        wait_until(lambda: set(holders.find(inodes).values()) == {os.getpid()})
