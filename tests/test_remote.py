"""flowtop over a real ssh: real sshds, each with a real flowtopd, on hosts of a network of namespaces.

lan[0]: the viewer ──┐
                     ├─ router: sshd, flowtopd, 20 flows
lan[1]: "ap" ────────┘  ap: sshd, flowtopd, 10 flows
"""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from testbed.daemon import ROOT, Daemon
from testbed.entries import mix
from testbed.inject import inject
from testbed.netns import Namespace, alive, wait_until
from testbed.router import Router
from testbed.sshd import Ssh, Sshd, make_key, ssh_processes
from testbed.terminal import Terminal

pytestmark = pytest.mark.kernel

FLOWS = {"router": 20, "ap": 10}


@dataclass
class Hosts:
    """Where the viewer is, and what it looks at."""

    viewer: Namespace
    servers: dict[str, Sshd]
    daemons: dict[str, Daemon]
    ssh: Ssh
    socket: Path
    directory: Path

    def argv(self, *options: str, ssh: Ssh | None = None) -> list[str]:
        command = [sys.executable, "-m", "flowtop_client", "--socket", str(self.socket), *options]
        return [
            "env",
            f"XDG_CONFIG_HOME={self.directory}/config",
            f"XDG_STATE_HOME={self.directory}/state",
            f"XDG_RUNTIME_DIR={self.directory}/runtime",
            *(ssh or self.ssh).argv(command),
        ]

    def flowtop(self, *options: str, ssh: Ssh | None = None) -> subprocess.CompletedProcess[str]:
        argv = self.viewer.argv(self.argv(*options, ssh=ssh))
        return subprocess.run(
            argv, capture_output=True, text=True, timeout=60, check=False, cwd=ROOT, start_new_session=True
        )

    def terminal(self, *options: str, columns: int = 80, ssh: Ssh | None = None) -> Terminal:
        return Terminal(self.argv(*options, ssh=ssh), columns=columns, namespace=self.viewer, cwd=ROOT)

    def left(self) -> list[Path]:
        """What is left of the viewers' sockets."""
        return list((self.directory / "runtime").iterdir())


@pytest.fixture
def hosts(router: Router, tmp_path: Path) -> Iterator[Hosts]:
    tmp_path.chmod(0o755)
    there = tmp_path / "there"
    (tmp_path / "runtime").mkdir()
    there.mkdir()
    router.lan[1].account()
    router.lan[1].track()
    places = {"router": (router.router, "192.168.1.1"), "ap": (router.lan[1], "192.168.1.12")}
    servers, daemons = {}, {}
    with ExitStack() as stack:
        for name, (namespace, address) in places.items():
            directory = tmp_path / name
            directory.mkdir()
            inject(namespace, mix(FLOWS[name]))
            daemons[name] = stack.enter_context(Daemon(namespace, directory))
            # as docs/remote.md recommends it
            options = ("AllowTcpForwarding local", "AllowStreamLocalForwarding local")
            files = tmp_path / f"{name}-sshd"
            server = Sshd(namespace, files, address=address, seen=(directory, there), options=options)
            servers[name] = stack.enter_context(server)
        ssh = Ssh(tmp_path / "client", servers)
        yield Hosts(router.lan[0], servers, daemons, ssh, there / "flowtop.sock", tmp_path)


def one_line_and_a_hint(run: subprocess.CompletedProcess[str]) -> tuple[str, str]:
    assert run.returncode == 1
    assert run.stdout == ""
    what, hint = run.stderr.splitlines()
    assert what.startswith("flowtop: ")
    assert hint.startswith("flowtop: ")
    return what.removeprefix("flowtop: "), hint.removeprefix("flowtop: ")


def test_one_host_is_shown_on_the_screen_and_nothing_is_left(hosts: Hosts) -> None:
    with hosts.terminal("--host", "router", "--all") as terminal:
        screen = terminal.wait_for(re.compile(r"1-\d+ of \d\d"), timeout=30)
        assert "HOST" not in screen
        viewer = terminal.pid
        (ssh,) = ssh_processes(viewer)
        terminal.send_keys("q")
        assert terminal.exit_status() == 0
    assert not alive(ssh)
    assert hosts.left() == []


def test_output_for_scripts_is_that_of_the_host(hosts: Hosts) -> None:
    run = hosts.flowtop("-H", "root@router", "--once", "--json", "--all")
    assert run.returncode == 0, run.stderr
    (line,) = run.stdout.splitlines()
    theirs = json.loads(line)["flows"]
    ours = json.loads(hosts.daemons["router"].flowtop("--once", "--json", "--all").stdout)["flows"]
    kept = {flow["id"] for flow in ours if flow["proto"] != "icmp"}
    assert len(kept & {flow["id"] for flow in theirs}) >= FLOWS["router"] - 5


def test_a_recording_comes_over_ssh_too(hosts: Hosts) -> None:
    tape = hosts.directory / "tape.flowtop"
    run = hosts.flowtop("-H", "router", "--record", str(tape), "--once", "--all")
    assert run.returncode == 0, run.stderr
    assert tape.stat().st_size > 0


@pytest.mark.parametrize("columns", [80, 200])
def test_several_hosts_share_a_screen_with_a_column_for_them(hosts: Hosts, columns: int) -> None:
    with hosts.terminal("-H", "router", "-H", "ap", "--all", columns=columns) as terminal:
        screen = terminal.wait_for(
            lambda screen: "router" in screen and re.search("^ap ", screen, re.MULTILINE) is not None, 30
        )
        lines = screen.splitlines()
        assert lines[0].startswith("flowtop router, ap ")
        assert lines[1].startswith("every 1 s, ")
        assert "2 hosts" in lines[1]
        assert lines[3].startswith("HOST ")
        assert {line[:6].strip(" +") for line in lines[4:23]} == {"router", "ap"}
        terminal.send_keys("2")
        screen = terminal.wait_for(re.compile("^ +total", re.MULTILINE))
        assert screen.splitlines()[3].startswith("HOST ")
        terminal.send_keys("1")
        terminal.wait_for("STATE")
        terminal.send_keys("Enter")
        terminal.wait_for("Path")
        terminal.send_keys("q")  # closes the details
        terminal.wait_for("STATE")
        terminal.send_keys("q")
        assert terminal.exit_status() == 0
    assert hosts.left() == []


def test_one_of_several_that_vanishes_is_told_and_comes_back(hosts: Hosts) -> None:
    with hosts.terminal("-H", "router", "-H", "ap", "--all", columns=120) as terminal:
        terminal.wait_for(re.compile("^ap ", re.MULTILINE), 30)
        hosts.servers["ap"].stop()
        terminal.wait_for(re.compile("^ap gone: .*reconnecting", re.MULTILINE), 30)
        terminal.wait_for(lambda screen: re.search("^ap ", screen.partition("HOST")[2], re.MULTILINE) is None)
        hosts.servers["ap"].start()
        screen = terminal.wait_for(lambda screen: "gone" not in screen and "\nap " in screen, 30)
        assert "router" in screen


def test_a_host_that_vanishes_stays_on_the_screen_and_comes_back(hosts: Hosts) -> None:
    with hosts.terminal("-H", "router", "--all", columns=120) as terminal:
        terminal.wait_for(re.compile(r"1-\d+ of \d\d"), timeout=30)
        hosts.servers["router"].stop()
        screen = terminal.wait_for("daemon gone: ", 30)
        assert "tcp" in screen
        hosts.servers["router"].start()
        terminal.wait_for(lambda screen: "gone" not in screen, 30)


def test_a_daemon_that_restarts_is_found_again_by_the_same_ssh(hosts: Hosts) -> None:
    with hosts.terminal("-H", "router", "--all", columns=120) as terminal:
        terminal.wait_for(re.compile(r"1-\d+ of \d\d"), timeout=30)
        before = ssh_processes(terminal.pid)
        hosts.daemons["router"].stop()
        terminal.wait_for("no daemon answers on", 30)
        hosts.daemons["router"].start()
        terminal.wait_for(lambda screen: "gone" not in screen, 30)
        assert ssh_processes(terminal.pid) == before


def rows_of(run: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    assert run.returncode == 0, run.stderr
    return [json.loads(line) for line in run.stdout.splitlines()]


def test_scripts_get_a_line_a_host_or_rows_with_their_host(hosts: Hosts) -> None:
    options = ("-H", "router", "-H", "ap", "--once", "--all")
    told = {each["host"]: each for each in rows_of(hosts.flowtop(*options, "--json"))}
    assert set(told) == {"router", "ap"}
    assert all(each["interval"] for each in told.values())
    csv = hosts.flowtop(*options, "--csv", "--sort", "dport:asc").stdout.splitlines()
    names = csv[0].split(",")
    assert names[0] == "host"
    ports = [int(port) for line in csv[1:] if (port := line.split(",")[names.index("dport")])]
    assert ports == sorted(ports)
    assert {line.split(",")[0] for line in csv[1:]} == {"router", "ap"}
    table = hosts.flowtop(*options, "--limit", "7").stdout.splitlines()
    assert table[0].split()[0] == "HOST"
    assert len(table) == 8


def test_a_wrong_name_is_one_line(hosts: Hosts) -> None:
    what, hint = one_line_and_a_hint(hosts.flowtop("-H", "no..host", "--once"))
    assert what.startswith("no..host: Could not resolve hostname ")
    assert "`ssh no..host`" in hint


def test_who_is_not_let_in_is_told_so(hosts: Hosts) -> None:
    hosts.servers["router"].authorize()
    what, hint = one_line_and_a_hint(hosts.flowtop("-H", "router", "--once"))
    assert re.fullmatch(r"router: .*Permission denied \(publickey.*\)\.", what)
    assert hint == "`ssh router` must log in first"


def test_a_key_that_has_changed_is_never_trusted(hosts: Hosts) -> None:
    hosts.ssh.trust({"router": hosts.servers["ap"]})
    run = hosts.flowtop("-H", "router", "--once")
    assert run.returncode == 1
    assert "REMOTE HOST IDENTIFICATION HAS CHANGED" in run.stderr
    assert run.stderr.splitlines()[-2:] == [
        "flowtop: router: Host key verification failed.",
        "flowtop: `ssh router` shows the key and asks about it",
    ]


def test_no_daemon_no_right_and_no_forwarding_are_one_line(hosts: Hosts) -> None:
    for options in (("-H", "nobody@router"), ("-H", "router", "--socket", "/nowhere")):
        what, hint = one_line_and_a_hint(hosts.flowtop(*options, "--once"))
        assert re.fullmatch(r"router: no daemon answers on /\S+ there", what)
        assert "group flowtop" in hint
    assert "nobody" in one_line_and_a_hint(hosts.flowtop("-H", "nobody@router", "--once"))[1]


def test_output_of_several_is_never_of_less(hosts: Hosts) -> None:
    hosts.servers["ap"].stop()
    what, _ = one_line_and_a_hint(hosts.flowtop("-H", "router", "-H", "ap", "--once", "--csv"))
    assert what.startswith("ap: connect to host 192.168.1.12 port 22: Connection refused")


def test_a_restricted_key_is_enough(hosts: Hosts) -> None:
    """docs/remote.md recommends this line."""
    page = (ROOT / "docs" / "remote.md").read_text(encoding="utf-8")
    assert 'restrict,port-forwarding,command="/bin/false"' in page
    hosts.servers["router"].authorize(f'restrict,port-forwarding,command="/bin/false" {hosts.ssh.public_key}')
    assert hosts.flowtop("-H", "router", "--once", "--all").returncode == 0


def test_ssh_asks_before_there_is_a_screen(hosts: Hosts) -> None:
    client = Ssh(hosts.directory / "other", hosts.servers, passphrase="open sesame")
    client.trust({})
    with hosts.terminal("-H", "router", "--all", ssh=client) as terminal:
        terminal.wait_for("Are you sure you want to continue connecting", 30)
        terminal.type("yes\r")
        terminal.wait_for("Enter passphrase for key", 30)
        terminal.type("wrong\r")
        terminal.wait_for(lambda screen: screen.count("Enter passphrase for key") == 2, 30)
        terminal.type("open sesame\r")
        screen = terminal.wait_for(re.compile(r"1-\d+ of \d\d"), 30)
        assert "passphrase" not in screen
        hosts.servers["router"].stop()
        terminal.wait_for("daemon gone: ", 30)
        hosts.servers["router"].start()
        screen = terminal.wait_for("start flowtop again", 30)
        assert "passphrase" not in screen
        terminal.send_keys("q")
        assert terminal.exit_status() == 0


def test_no_ssh_outlives_a_viewer_that_is_killed(hosts: Hosts) -> None:
    with hosts.terminal("-H", "router", "-H", "ap") as terminal:
        terminal.wait_for("HOST", 30)
        pids = ssh_processes(terminal.pid)
        assert len(pids) == 2
        os.kill(terminal.pid, signal.SIGKILL)
        wait_until(lambda: not any(map(alive, pids)))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_viewer_that_is_ended_leaves_nothing(hosts: Hosts, number: signal.Signals) -> None:
    with hosts.terminal("-H", "router") as terminal:
        terminal.wait_for("1Flows", 30)
        (pid,) = ssh_processes(terminal.pid)
        os.kill(terminal.pid, number)
        terminal.exit_status()
        wait_until(lambda: not alive(pid))
    assert hosts.left() == []


def test_make_key_makes_a_key_that_ssh_reads(tmp_path: Path) -> None:
    assert make_key(tmp_path / "key").startswith("ssh-ed25519 ")
