"""What somebody meets who starts it for the first time, on a real kernel: the daemon, its socket and a terminal."""

import grp
import os
import pwd
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from testbed.daemon import ROOT, Daemon
from testbed.entries import mix
from testbed.inject import inject
from testbed.netns import Namespace
from testbed.terminal import Terminal

pytestmark = pytest.mark.kernel

NOBODY = pwd.getpwnam("nobody")
OTHER = next(group for group in grp.getgrall() if group.gr_gid not in {0, NOBODY.pw_gid})
"""A group of this machine that nobody is not in."""


@pytest.fixture
def bare() -> Iterator[Namespace]:
    """A host whose kernel has not been told to track or to count anything."""
    with Namespace() as host:
        yield host


@contextmanager
def screen(daemon: Daemon, *options: str, columns: int = 80, rows: int = 24) -> Iterator[Terminal]:
    env = {"PYTHONPATH": str(ROOT), "LC_ALL": "C.UTF-8", "XDG_CONFIG_HOME": str(daemon.runtime_dir)}
    with Terminal(daemon.viewer_argv(*options), columns=columns, rows=rows, env=env, cwd=ROOT) as terminal:
        yield terminal


@contextmanager
def connections(namespace: Namespace, count: int) -> Iterator[None]:
    """So many TCP connections within the namespace."""
    with ExitStack() as stack:
        server = stack.enter_context(namespace.socket())
        server.bind(("127.0.0.1", 0))
        server.listen(count)
        for _ in range(count):
            stack.enter_context(namespace.socket()).connect(server.getsockname())
            stack.enter_context(server.accept()[0])
        yield


@pytest.mark.parametrize("columns", [80, 200])
def test_a_table_that_nothing_tracks_is_explained_with_what_helps(
    bare: Namespace, tmp_path: Path, columns: int
) -> None:
    with Daemon(bare, tmp_path) as daemon:
        with screen(daemon, columns=columns) as terminal:
            terminal.wait_for("no firewall rule asks it to")
            assert "activate = true" in terminal.screen()
            assert "--activate" in terminal.screen()
        done = daemon.flowtop("--once", "--json")
        assert "activate = true" in done.stderr


def test_with_activation_nothing_is_left_to_explain(bare: Namespace, tmp_path: Path) -> None:
    with Daemon(bare, tmp_path, "--activate") as daemon:
        with screen(daemon) as terminal:
            terminal.wait_for("holds no connection yet")
        assert daemon.flowtop("--once", "--json").stderr == ""


def test_connections_older_than_accounting_are_explained_until_they_are_gone(bare: Namespace, tmp_path: Path) -> None:
    bare.track()
    with ExitStack() as stack:
        old = stack.enter_context(ExitStack())
        old.enter_context(connections(bare, 3))
        daemon = stack.enter_context(Daemon(bare, tmp_path))
        stack.enter_context(connections(bare, 2))
        terminal = stack.enter_context(screen(daemon, "--loopback"))
        terminal.wait_for("counters only for new flows: 3 here began before accounting was on")
        assert "counters only for new flows" in daemon.flowtop("--once", "--loopback").stderr
        assert daemon.flowtop("--once", "--loopback", "--json").stderr == ""
        old.close()
        bare.run(["conntrack", "-D", "-p", "tcp", "--state", "TIME_WAIT"])
        terminal.wait_for(lambda shown: "counters only" not in shown and "ESTABLISHED" in shown)


def test_a_daemon_that_may_not_count_says_so(bare: Namespace, tmp_path: Path) -> None:
    bare.track()
    daemon = Daemon(bare, tmp_path)
    daemon.configure('[conntrack]\nsysctl = "never"\n')
    with connections(bare, 1), daemon, screen(daemon, "--loopback") as terminal:
        terminal.wait_for("accounting is off: no bytes, no rates")


AS = """
import os, sys
import flowtop_client.output
from flowtop_client.cli import main
uid, gid = map(int, sys.argv[1:3])
os.setgroups([])
os.setgid(gid)
os.setuid(uid)
sys.exit(main(sys.argv[3:]))
"""
"""The viewer as another user, who may not be allowed to read where it is installed."""


def refused(path: Path, gid: int) -> list[str]:
    """What nobody is told, in a session of the group `gid`, at a socket that is closed to it."""
    argv = [sys.executable, "-c", AS, str(NOBODY.pw_uid), str(gid), "--once", "--socket", str(path)]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=30, check=False, cwd=ROOT)
    assert done.returncode == 1
    return done.stderr.splitlines()


@pytest.fixture
def closed_socket() -> Iterator[Path]:
    """A socket that only root and its group may use, where everybody can see it."""
    with tempfile.TemporaryDirectory() as directory, socket.socket(socket.AF_UNIX) as listener:
        Path(directory).chmod(0o755)
        path = Path(directory, "flowtop.sock")
        listener.bind(str(path))
        listener.listen()
        path.chmod(0o660)
        yield path


def test_who_is_not_in_the_group_is_told_its_name_and_theirs(closed_socket: Path) -> None:
    os.chown(closed_socket, 0, OTHER.gr_gid)
    what, hint = refused(closed_socket, NOBODY.pw_gid)
    assert what == f"flowtop: no permission on {closed_socket}"
    assert hint == f"flowtop: `sudo usermod -aG {OTHER.gr_name} nobody`, then log in again"


def test_who_is_in_the_group_but_not_in_this_session_is_told_to_log_in_again(closed_socket: Path) -> None:
    os.chown(closed_socket, 0, NOBODY.pw_gid)
    _, hint = refused(closed_socket, OTHER.gr_gid)
    assert hint.endswith("log in again")
    assert "usermod" not in hint


class OtherDaemon(Daemon):
    """The daemon with another version of itself or of its protocol."""

    def __init__(self, namespace: Namespace, directory: Path, change: str) -> None:
        super().__init__(namespace, directory)
        self._change = change

    @property
    def argv(self) -> list[str]:
        code = f"import sys; {self._change}; from flowtopd.__main__ import main; sys.exit(main())"
        return [sys.executable, "-c", code, *super().argv[3:]]


OLDER = "from flowtopd.wire import version; version.VERSION = '0.0.9'"
NEWER = "from flowtopd.wire import version; version.VERSION = '99.0'"
OLD_PROTOCOL = "from flowtopd.wire import messages; messages.PROTOCOL_VERSION -= 1"
NEW_PROTOCOL = "from flowtopd.wire import messages; messages.PROTOCOL_VERSION += 1"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (OLDER, "flowtopd 0.0.9 is older than this flowtop"),
        (NEWER, "is older than flowtopd 99.0: update it"),
    ],
)
def test_another_version_is_talked_to_and_mentioned(bare: Namespace, tmp_path: Path, change: str, said: str) -> None:
    bare.track()
    with OtherDaemon(bare, tmp_path, change) as daemon, connections(bare, 1):
        with screen(daemon, "--loopback") as terminal:
            terminal.wait_for(lambda shown: said in shown and "ESTABLISHED" in shown)
        done = daemon.flowtop("--once", "--loopback")
        assert done.returncode == 0
        assert said in done.stderr


@pytest.mark.parametrize(
    ("change", "older", "hint"),
    [
        (OLD_PROTOCOL, "the daemon is older", "update flowtopd;"),
        (NEW_PROTOCOL, "the viewer is older", "update flowtop;"),
    ],
)
def test_another_protocol_is_refused_with_what_to_update(
    bare: Namespace, tmp_path: Path, change: str, older: str, hint: str
) -> None:
    with OtherDaemon(bare, tmp_path, change) as daemon:
        done = daemon.flowtop("--once")
        assert done.returncode == 1
        what, how = done.stderr.splitlines()
        assert what.endswith(older)
        assert how.startswith(f"flowtop: {hint}")


def test_a_place_without_a_database_of_cities_and_networks_says_how_to_get_one(bare: Namespace, tmp_path: Path) -> None:
    bare.track()
    daemon = Daemon(bare, tmp_path)
    daemon.configure(f'[geoip]\ndirectory = "{tmp_path}"\n')
    with daemon:
        inject(bare, mix(40))
        with screen(daemon, "--all", columns=200, rows=50) as terminal:
            terminal.wait_for("1.1.1.")
            terminal.send_keys("/")
            terminal.type("dst net 8.8.8.0/24")
            terminal.send_keys("Enter")
            terminal.wait_for(lambda shown: "8.8.8." in shown and "1.1.1." not in shown)
            terminal.send_keys("Enter")
            terminal.wait_for("US (cities: `flowtop -u`)")
            terminal.wait_for("not known (`flowtop -u` gets a database)")
            assert "no database" not in terminal.screen()
        with screen(daemon, "--all", "--view", "networks") as terminal:
            terminal.wait_for("no database tells networks: `flowtop -u` gets one")
        with screen(daemon, "--all", "--view", "countries") as terminal:
            terminal.wait_for("US")
            assert "no database" not in terminal.screen()
