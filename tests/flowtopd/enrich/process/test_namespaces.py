"""flowtopd.enrich.process.namespaces: whose address this is, and what is open there; seen from outside."""

import os
import signal
import socket
from collections.abc import Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

from flowtopd.enrich.process.namespaces import ADDRESSES_S, REFRESH_S, YOUNG_S, Namespaces
from flowtopd.netlink import sock_diag
from testbed.netns import Namespace, stop_process, wait_until
from tests.flowtopd.enrich.process.agents import Agent, Clock, PidNamespace
from tests.flowtopd.enrich.process.test_net_addresses import address

pytestmark = pytest.mark.kernel

# nobody else's, whatever namespaces there are beside those of these tests, other runs of them included
_RUN = os.getpid() & 0x7FFF
_NET = f"10.{128 + (_RUN >> 8)}.{_RUN & 0xFF}"
V4, V4_3, V4_7, V4_9, V4_NOBODY = (f"{_NET}.{host}" for host in (2, 3, 7, 9, 200))
V6, V6_UPPER, V6_NOBODY = f"fd93:{_RUN:x}::2", f"fd94:{_RUN:x}::2", f"fd93:{_RUN:x}::200"


@pytest.fixture
def container() -> Iterator[Namespace]:
    """A namespace with two addresses and a process."""
    with Namespace() as made:
        give(made, V4, V6)
        made.popen(["sleep", "60"])
        wait_until(lambda: bool(made.pids()))
        yield made


@pytest.fixture
def clock() -> Clock:
    return Clock()


def give(host: Namespace, *addresses: str) -> None:
    for each in addresses:
        host.run(["ip", "address", "add", each, "dev", "lo", *(["nodad"] if ":" in each else [])])


def ask(namespaces: Namespaces, *addresses: str) -> list[int]:
    wanted: NDArray[np.uint64] = np.array([address(each) for each in addresses], np.uint64)
    return [int(each) for each in namespaces.owning(wanted)]


def netns_of(host: Namespace) -> int:
    return os.stat(host.path).st_ino  # noqa: PTH116


def test_an_address_belongs_to_the_namespace_that_has_it(container: Namespace) -> None:
    owner = netns_of(container)
    assert ask(Namespaces(), V4, V4_NOBODY, V6, V6_NOBODY) == [owner, 0, owner, 0]


def test_loopback_and_link_local_addresses_belong_to_nobody(container: Namespace) -> None:
    give(container, "169.254.3.4", "fe80::3")
    assert ask(Namespaces(), "127.0.0.1", "::1", "169.254.3.4", "fe80::3") == [0, 0, 0, 0]


def test_an_address_that_two_namespaces_have_belongs_to_neither(container: Namespace) -> None:
    with Namespace() as other:
        give(other, V4, V4_3)
        other.popen(["sleep", "60"])
        wait_until(lambda: bool(other.pids()))
        assert ask(Namespaces(), V4, V6, V4_3) == [0, netns_of(container), netns_of(other)]


def test_our_own_addresses_are_not_another_namespace_s(container: Namespace) -> None:
    with container.entered():
        namespaces = Namespaces()
    assert ask(namespaces, V4, V6) == [0, 0]


def test_only_the_upper_halves_of_addresses_differ(container: Namespace) -> None:
    assert ask(Namespaces(), V6, V6_UPPER) == [netns_of(container), 0]


def test_no_question_has_no_answer() -> None:
    assert Namespaces().owning(np.zeros((0, 2), np.uint64)).shape == (0,)


def test_the_sockets_of_a_namespace_are_seen_from_outside(container: Namespace) -> None:
    namespaces = Namespaces()
    ask(namespaces, V4)
    with container.socket() as server, container.socket(kind=socket.SOCK_DGRAM) as datagrams:
        server.bind((V4, 0))
        server.listen()
        datagrams.bind((V4, 0))
        table = namespaces.sockets(netns_of(container))
        inodes = [os.fstat(each.fileno()).st_ino for each in (server, datagrams)]
        ports = [each.getsockname()[1] for each in (server, datagrams)]
    assert table["inode"].tolist() == inodes
    assert table["local_port"].tolist() == ports
    assert table["local"].tolist() == [list(address(V4))] * 2
    assert table["netns"].tolist() == [netns_of(container)] * 2
    assert set(table) == {*sock_diag.COLUMNS, "netns"}


def test_of_a_namespace_that_nobody_knows_there_are_no_sockets() -> None:
    table = Namespaces().sockets(4711)
    assert {len(column) for column in table.values()} == {0}
    assert set(table) == {*sock_diag.COLUMNS, "netns"}


def test_a_namespace_that_has_gone_owns_nothing_and_has_no_sockets(container: Namespace, clock: Clock) -> None:
    namespaces = Namespaces(clock=clock)
    with Namespace() as other:
        give(other, V4_3)
        process = other.popen(["sleep", "60"])
        wait_until(lambda: bool(other.pids()))
        gone = netns_of(other)
        assert ask(namespaces, V4_3, V4) == [gone, netns_of(container)]
        stop_process(process)
        assert len(namespaces.sockets(gone)["inode"]) == 0
        clock.now += REFRESH_S
        assert ask(namespaces, V4_3, V4) == [0, netns_of(container)]


def test_when_the_processes_that_we_knew_exit_another_one_serves(container: Namespace, clock: Clock) -> None:
    namespaces = Namespaces(clock=clock)
    for _ in range(8):
        container.popen(["sleep", "60"])
    wait_until(lambda: len(container.pids()) == 9)
    assert ask(namespaces, V4) == [netns_of(container)]
    doors = namespaces._others[netns_of(container)].doors
    assert len(doors) < len(container.pids())
    for pid in doors:
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not set(doors) & set(container.pids()))
    for _ in range(2):
        clock.now += REFRESH_S
        found = ask(namespaces, V4)
    assert found == [netns_of(container)]


def test_a_container_that_starts_is_found_at_the_next_look(clock: Clock) -> None:
    """Its first process starts here and moves; it gets its addresses later still."""
    namespaces = Namespaces(clock=clock)
    assert ask(namespaces, V4_7) == [0]
    with Namespace() as container, Agent() as agent:
        clock.now += REFRESH_S
        assert ask(namespaces, V4_7) == [0]
        agent.become("nsenter", f"--net={container.path}", "sleep", 60)
        wait_until(lambda: agent.pid in container.pids())
        clock.now += REFRESH_S
        assert ask(namespaces, V4_7) == [0]
        give(container, V4_7)
        clock.now += REFRESH_S
        assert ask(namespaces, V4_7) == [netns_of(container)]


def test_a_new_address_is_known_after_some_seconds(container: Namespace, clock: Clock) -> None:
    namespaces = Namespaces(clock=clock)
    ask(namespaces, V4)
    clock.now += YOUNG_S
    assert ask(namespaces, V4_9) == [0]
    give(container, V4_9)
    clock.now += REFRESH_S
    assert ask(namespaces, V4_9) == [0]
    clock.now += ADDRESSES_S
    assert ask(namespaces, V4_9) == [netns_of(container)]


def test_questions_in_quick_succession_look_once(container: Namespace, clock: Clock) -> None:
    """Forwarded traffic of an ordinary router asks again and again."""
    namespaces = Namespaces(clock=clock)
    assert ask(namespaces, V4, V4_9) == [netns_of(container), 0]
    with Namespace() as later:
        give(later, V4_9)
        later.popen(["sleep", "60"])
        wait_until(lambda: bool(later.pids()))
        clock.now += REFRESH_S * 0.9
        assert ask(namespaces, V4, V4_9) == [netns_of(container), 0]
        clock.now += REFRESH_S * 0.1
        assert ask(namespaces, V4, V4_9) == [netns_of(container), netns_of(later)]


def test_tables_are_read_for_a_tenth_of_the_time_at_most(container: Namespace, clock: Clock) -> None:
    namespaces = Namespaces(clock=clock)
    ask(namespaces, V4)
    clock.step = 0.01
    first = namespaces.sockets(netns_of(container))
    clock.step = 0.0
    clock.now += 0.08
    assert namespaces.sockets(netns_of(container)) is first
    clock.now += 0.02
    assert namespaces.sockets(netns_of(container)) is not first


def test_tables_are_read_only(container: Namespace) -> None:
    namespaces = Namespaces()
    ask(namespaces, V4)
    assert not any(column.flags.writeable for column in namespaces.sockets(netns_of(container)).values())


def test_a_host_without_other_namespaces_knows_none() -> None:
    with PidNamespace() as house, house.agent():
        namespaces = Namespaces(house.proc)
        assert ask(namespaces, V4, "1.1.1.1") == [0, 0]
        assert not namespaces._others


def test_where_there_are_too_many_addresses_none_counts(container: Namespace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flowtopd.enrich.process.namespaces._ADDRESSES", 1)
    del container
    assert ask(Namespaces(), V4, V6) == [0, 0]
