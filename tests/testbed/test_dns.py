import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from testbed.dns import NO_SUCH_NAME, Dnsmasq, Query, ScriptedServer, resolving, wire_name
from testbed.netns import Namespace

pytestmark = pytest.mark.kernel


@pytest.fixture
def host() -> Iterator[Namespace]:
    with Namespace() as made:
        yield made


def getent(host: Namespace, directory: Path, address: str, hosts: bytes = b"") -> str:
    """What a program in the namespace finds; empty where there is no name."""
    argv = resolving(directory, ["getent", "hosts", address], options="timeout:1 attempts:1", hosts=hosts)
    done = subprocess.run(host.argv(argv), capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode in (0, 2), done.stderr
    return " ".join(done.stdout.split()[1:])


class TestResolving:
    def test_it_changes_nothing_outside(self, host: Namespace, tmp_path: Path) -> None:
        def mounts() -> list[str]:
            lines = Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines()
            return [line for line in lines if " /etc" in line]

        before = mounts(), Path("/etc/resolv.conf").read_bytes(), Path("/etc/hosts").read_bytes()
        found = host.run(resolving(tmp_path, ["cat", "/etc/resolv.conf", "/etc/hosts"], hosts=b"192.0.2.1 web\n"))
        assert found == "nameserver 127.0.0.1\noptions \n192.0.2.1 web\n"
        assert (mounts(), Path("/etc/resolv.conf").read_bytes(), Path("/etc/hosts").read_bytes()) == before

    def test_the_hosts_file_is_asked_first(self, host: Namespace, tmp_path: Path) -> None:
        with Dnsmasq(host, tmp_path, {"192.0.2.1": "web.example"}):
            assert getent(host, tmp_path, "192.0.2.1", hosts=b"192.0.2.1 home\n") == "home"

    def test_the_program_keeps_its_pid(self, host: Namespace, tmp_path: Path) -> None:
        process = host.popen(resolving(tmp_path, ["sh", "-c", "echo $$"]), stdout=subprocess.PIPE)
        assert int(process.communicate(timeout=10)[0]) == process.pid


class TestDnsmasq:
    def test_it_knows_its_names_and_no_others(self, host: Namespace, tmp_path: Path) -> None:
        with Dnsmasq(host, tmp_path, {"192.0.2.1": "web.example", "2001:db8::1": "six.example"}) as server:
            assert getent(host, tmp_path, "192.0.2.1") == "web.example"
            assert getent(host, tmp_path, "2001:db8::1") == "six.example"
            assert getent(host, tmp_path, "192.0.2.2") == ""
            assert getent(host, tmp_path, "192.0.2.2") == ""
            asked = [server.asked(address) for address in ("192.0.2.1", "2001:db8::1", "192.0.2.2", "192.0.2.22")]
            assert asked == [1, 1, 2, 0]

    def test_it_is_gone_afterwards(self, host: Namespace, tmp_path: Path) -> None:
        for _ in range(2):
            with Dnsmasq(host, tmp_path, {}):
                assert host.pids() != []
            assert host.pids() == []

    def test_where_it_cannot_start_that_is_said(self, host: Namespace, tmp_path: Path) -> None:
        with ScriptedServer(host, lambda _: None), pytest.raises(RuntimeError, match="dnsmasq ended with 2"):
            Dnsmasq(host, tmp_path, {}).__enter__()
        assert host.pids() == []


class TestScriptedServer:
    def test_it_answers_what_it_is_told_to(self, host: Namespace, tmp_path: Path) -> None:
        def answer(query: Query) -> None:
            if query.address == "192.0.2.1":
                query.reply(query.names([b"web", b"example"]))
            elif query.address == "2001:db8::1":
                query.reply(query.records(wire_name([b"six", b"example"])))
            else:
                query.reply(query.nothing(NO_SUCH_NAME))

        with ScriptedServer(host, answer) as server:
            assert getent(host, tmp_path, "192.0.2.1") == "web.example"
            assert getent(host, tmp_path, "2001:db8::1") == "six.example"
            assert getent(host, tmp_path, "192.0.2.2") == ""
            assert server.asked == ["192.0.2.1", "2001:db8::1", "192.0.2.2"]

    def test_it_may_be_silent(self, host: Namespace, tmp_path: Path) -> None:
        held: list[Query] = []
        with ScriptedServer(host, held.append):
            assert getent(host, tmp_path, "192.0.2.1") == ""
        assert [query.address for query in held] == ["192.0.2.1"]

    def test_the_port_is_free_afterwards(self, host: Namespace) -> None:
        for _ in range(2):
            with ScriptedServer(host, lambda _: None):
                pass
        with host.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.bind(("127.0.0.1", 53))
