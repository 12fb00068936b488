import contextlib
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from testbed import netns
from testbed.netns import Namespace

pytestmark = pytest.mark.kernel


def test_a_namespace_is_gone_after_an_error_with_what_ran_in_it() -> None:
    host = Namespace()
    with contextlib.suppress(ZeroDivisionError), host:
        process = host.popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
        # a child that we do not know, in a session of its own
        orphan = int(host.run(["sh", "-c", "setsid sleep 100 >/dev/null 2>&1 & echo $!"]))
        assert host.name in netns.left_over()
        raise ZeroDivisionError
    assert host.name not in netns.left_over()
    assert process.returncode == -signal.SIGKILL
    assert not netns.alive(orphan)


def test_sockets_live_inside_and_the_thread_comes_back(namespace: Namespace) -> None:
    before = Path("/proc/thread-self/ns/net").readlink()
    with namespace.socket(socket.AF_INET, socket.SOCK_DGRAM) as inside:
        inside.bind(("127.0.0.1", 5353))
        assert "127.0.0.1:5353" in namespace.run(["ss", "-Hnlu"])
    assert Path("/proc/thread-self/ns/net").readlink() == before


def test_sysctls_are_those_of_the_namespace() -> None:
    with Namespace() as one, Namespace() as other:
        one.account()
        assert one.sysctl("net.netfilter.nf_conntrack_acct") == "1"
        assert other.sysctl("net.netfilter.nf_conntrack_acct") == "0"
        assert one.run(["sysctl", "-n", "net.netfilter.nf_conntrack_acct"]).strip() == "1"


def test_a_failing_program_says_why(namespace: Namespace) -> None:
    with pytest.raises(RuntimeError, match=r"exit 3: no luck"):
        namespace.run(["sh", "-c", "echo no luck >&2; exit 3"])


def test_a_process_that_ignores_sigterm_is_killed(monkeypatch: pytest.MonkeyPatch, namespace: Namespace) -> None:
    monkeypatch.setattr(netns, "_STOP_S", 0.1)
    process = namespace.popen(
        ["sh", "-c", "trap '' TERM; echo ready; while :; do sleep 1; done"], stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    assert netns.stop_process(process) == -signal.SIGKILL
