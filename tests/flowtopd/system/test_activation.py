"""flowtopd.system.activation: connections are tracked while it is open, and nothing else in the kernel changes."""

import errno
import json
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest

from flowtopd.system import activation
from flowtopd.system.activation import Activation
from testbed.netns import Namespace

pytestmark = pytest.mark.kernel

_HOLD = """
import signal
from flowtopd.system.activation import Activation
activation = Activation()
print(activation.name, flush=True)
signal.pause()
"""

_OTHER = "table inet other {\n\tchain c {\n\t}\n}"

_DROPS = """
table inet firewall {
    counter dropped { }
    chain input { type filter hook input priority 0; policy accept; udp dport 9 counter name dropped drop; }
}
"""


@pytest.fixture
def host() -> Iterator[Namespace]:
    """A namespace where nothing asks for tracking."""
    with Namespace() as namespace:
        yield namespace


def talk(host: Namespace, family: int, address: str, port: int = 0) -> bool:
    """Send one datagram to a server in the namespace; whether it came through."""
    server, client = host.socket(family, socket.SOCK_DGRAM), host.socket(family, socket.SOCK_DGRAM)
    with server, client:
        server.bind((address, port))
        client.sendto(b"x", server.getsockname())
        # loopback delivers before sendto returns
        server.setblocking(False)
        try:
            return server.recv(1) == b"x"
        except BlockingIOError:
            return False


def entries(host: Namespace, family: str = "ipv4") -> int:
    return host.run(["conntrack", "-L", "-f", family, "-p", "udp"]).count("\n")


def tables(host: Namespace) -> list[str]:
    listed = json.loads(host.run(["nft", "-j", "list", "tables"]))["nftables"]
    return sorted(item["table"]["name"] for item in listed if "table" in item)


def until(condition: Callable[[], bool]) -> None:
    """The kernel removes the table in the work of a closed socket, a moment after the process is gone."""
    for _ in range(10_000):
        if condition():
            return
    pytest.fail("it never came true")


@pytest.mark.parametrize(
    ("family", "address", "name"), [(socket.AF_INET, "127.0.0.1", "ipv4"), (socket.AF_INET6, "::1", "ipv6")]
)
def test_flows_are_tracked_while_it_is_open(host: Namespace, family: int, address: str, name: str) -> None:
    assert talk(host, family, address)
    assert entries(host, name) == 0
    with host.entered(), Activation() as active:
        assert active.name == "flowtop"
        assert talk(host, family, address)
        assert entries(host, name) == 1
    until(lambda: tables(host) == [])
    host.run(["conntrack", "-F"])
    assert talk(host, family, address)
    assert entries(host, name) == 0


def test_the_table_has_no_hook(host: Namespace) -> None:
    """No packet runs through it, so it can neither drop nor accept one."""
    with host.entered(), Activation():
        listed = json.loads(host.run(["nft", "-j", "list", "ruleset"]))["nftables"]
        (chain,) = [item["chain"] for item in listed if "chain" in item]
        assert not chain.keys() & {"hook", "prio", "policy"}
        assert "ct state == new accept" in host.run(["nft", "list", "table", "inet", "flowtop"])


def test_sigkill_takes_the_table_away(host: Namespace) -> None:
    process = host.popen([sys.executable, "-c", _HOLD], stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"flowtop\n"
    assert tables(host) == ["flowtop"]
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=10)
    until(lambda: tables(host) == [])


def test_flush_ruleset_by_another_program_leaves_it(host: Namespace) -> None:
    host.nft(_OTHER)
    with host.entered(), Activation():
        assert tables(host) == ["flowtop", "other"]
        host.run(["nft", "flush", "ruleset"])
        assert tables(host) == ["flowtop"]
        assert talk(host, socket.AF_INET, "127.0.0.1")
        assert entries(host) == 1


def test_other_tables_are_left_alone(host: Namespace) -> None:
    host.nft(_OTHER)
    before = host.run(["nft", "list", "ruleset"])
    with host.entered(), Activation():
        pass
    until(lambda: host.run(["nft", "list", "ruleset"]) == before)


def test_what_a_firewall_drops_is_still_dropped_and_nothing_else(host: Namespace) -> None:
    host.nft(_DROPS)
    outcomes = []
    for active in (False, True):
        opened = None
        if active:
            with host.entered():
                opened = Activation()
        for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
            outcomes.append((talk(host, family, address, port=9), talk(host, family, address, port=10)))
        if opened is not None:
            opened.close()
    assert outcomes == [(False, True)] * 4
    assert "packets 4 " in host.run(["nft", "list", "counters"])


def test_two_daemons_have_a_table_each(host: Namespace) -> None:
    with host.entered():
        first, second = Activation(), Activation()
    assert tables(host) == sorted([first.name, second.name])
    first.close()
    until(lambda: tables(host) == [second.name])
    assert talk(host, socket.AF_INET, "127.0.0.1")
    assert entries(host) == 1
    second.close()
    until(lambda: tables(host) == [])


def test_a_table_of_that_name_made_by_hand_is_not_touched(host: Namespace) -> None:
    host.nft("table inet flowtop {\n\tchain mine {\n\t}\n}")
    with host.entered(), Activation() as active:
        assert active.name != "flowtop"
    assert "chain mine" in host.run(["nft", "list", "ruleset"])


def test_close_twice_is_fine(host: Namespace) -> None:
    with host.entered():
        active = Activation()
    active.close()
    active.close()


class TestWithoutOwners:
    """A kernel before 5.12: it refuses a table flag that it does not know, as this one refuses 0x80."""

    @pytest.fixture(autouse=True)
    def _old_kernel(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(activation, "_NFT_TABLE_F_OWNER", 0x80)

    def test_close_removes_the_table(self, host: Namespace) -> None:
        with host.entered(), Activation() as active:
            assert not active.owned
            assert talk(host, socket.AF_INET, "127.0.0.1")
            assert entries(host) == 1
        assert tables(host) == []
        active.close()

    def test_one_left_by_a_killed_daemon_is_replaced(self, host: Namespace) -> None:
        with host.entered():
            Activation()._socket.close()
            assert tables(host) == ["flowtop"]
            with Activation() as active:
                assert active.name == "flowtop"
                assert host.run(["nft", "list", "ruleset"]).count("ct state == new accept") == 1
        assert tables(host) == []

    def test_a_table_that_is_gone_already_is_fine(self, host: Namespace) -> None:
        with host.entered(), Activation():
            host.run(["nft", "flush", "ruleset"])
        assert tables(host) == []


def test_without_cap_net_admin_it_is_one_line(host: Namespace) -> None:
    code = "from flowtopd.system.activation import Activation\ntry: Activation()\nexcept PermissionError as e: print(e)"
    drop = ["setpriv", "--bounding-set=-net_admin", "--inh-caps=-net_admin"]
    printed = host.run([*drop, sys.executable, "-c", code])
    assert printed == f"[Errno {errno.EPERM}] tracking cannot be turned on: that needs CAP_NET_ADMIN\n"
