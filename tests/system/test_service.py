"""flowtopd as a service of a router: what systemd starts, stops, restarts and says, with the package installed."""

import json
import re
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import pytest

from flowtopd.system.journal import MESSAGE_IDS, Event
from testbed.machine import Machine
from testbed.netns import wait_until
from testbed.router import Router
from testbed.traffic import Flow
from tests.system.conftest import install

pytestmark = pytest.mark.kernel

SERVICE, SOCKET = "flowtopd.service", "flowtopd.socket"
UNITS = (SERVICE, SOCKET, "flowtop-geoip-update.service", "flowtop-geoip-update.timer")
VIEWER = "/usr/bin/flowtop"
SYSCTLS = ("net.netfilter.nf_conntrack_acct", "net.netfilter.nf_conntrack_timestamp")


@pytest.fixture(scope="module")
def installed(bare: Machine, packages: tuple[Path, Path]) -> Machine:
    install(bare, packages[1])
    bare.run("usermod", "--append", "--groups", "flowtop", "ben")
    return bare


@pytest.fixture
def machine(installed: Machine) -> Iterator[Machine]:
    """With the daemon running, and no change of a test before."""
    installed.run("systemctl", "start", SOCKET, SERVICE)
    yield installed
    drop_in = installed.root / "etc/systemd/system/flowtopd.service.d"
    if drop_in.exists():
        installed.run("rm", "-r", "/etc/systemd/system/flowtopd.service.d")
        installed.run("systemctl", "daemon-reload")
    installed.run("rm", "-f", "/etc/flowtop/flowtopd.toml", "/etc/flowtop/tcp.conf")
    installed.run("systemctl", "stop", SOCKET, SERVICE)
    installed.run("systemctl", "reset-failed")


def sysctls(network: Router) -> list[str]:
    return [network.router.sysctl(name) for name in SYSCTLS]


def pid(machine: Machine) -> str:
    return machine.show(SERVICE, "MainPID")


def configure(machine: Machine, text: str) -> None:
    (machine.root / "etc/flowtop/flowtopd.toml").write_text(text, encoding="utf-8")


def override(machine: Machine, text: str) -> None:
    """Settings of the unit that are other ones in this test."""
    directory = machine.root / "etc/systemd/system/flowtopd.service.d"
    directory.mkdir(parents=True)
    (directory / "test.conf").write_text(f"[Service]\n{text}\n", encoding="utf-8")
    machine.run("systemctl", "daemon-reload")


def journal(machine: Machine, event: Event) -> list[dict[str, Any]]:
    """The entries of one kind, the newest last."""
    machine.run("journalctl", "--sync")
    lines = machine.run("journalctl", "-o", "json", "-u", SERVICE, f"MESSAGE_ID={MESSAGE_IDS[event]}").splitlines()
    return [json.loads(line) for line in lines]


def snapshot(machine: Machine, *options: str, user: str = "ben") -> dict[str, Any]:
    found: dict[str, Any] = json.loads(
        machine.run(VIEWER, "--once", "--json", "--all", "--no-dns", *options, user=user)
    )
    return found


def test_the_service_runs_as_its_own_user_with_three_capabilities(machine: Machine, network: Router) -> None:
    assert machine.show(SERVICE, "ActiveState") == "active"
    assert sysctls(network) == ["1", "1"]
    status = machine.run("cat", f"/proc/{pid(machine)}/status")
    found = dict(re.findall(r"^(Cap\w+|NoNewPrivs|Seccomp|Uid):\s*(\S+)", status, re.MULTILINE))
    three = f"{1 << 12 | 1 << 19 | 1 << 2:016x}"
    assert [found[name] for name in ("CapPrm", "CapEff", "CapBnd")] == [three] * 3
    assert int(found["CapAmb"], 16) == 0
    assert (found["NoNewPrivs"], found["Seccomp"]) == ("1", "2")
    assert found["Uid"] == machine.run("id", "-u", "flowtop").strip()


def test_no_file_of_it_can_be_written_by_others(machine: Machine) -> None:
    snapshot(machine)
    writable = machine.run("find", "/run/flowtop", "/var/lib/flowtop", "-perm", "/o=w", "!", "-type", "l")
    assert writable == ""
    assert machine.run("stat", "--format=%A %U %G", "/run/flowtop/flowtop.sock") == "srw-rw---- root flowtop\n"


def test_stopping_restores_the_sysctls(machine: Machine, network: Router) -> None:
    assert sysctls(network) == ["1", "1"]
    machine.run("systemctl", "stop", SERVICE)
    assert sysctls(network) == ["0", "0"]
    assert not (machine.root / "run/flowtop/sysctls.json").exists()


def test_a_killed_daemon_is_started_again_and_sysctls_are_never_left(machine: Machine, network: Router) -> None:
    override(machine, "RestartSec=3s")
    before = pid(machine)
    machine.run("kill", "-KILL", before)
    machine.until(SERVICE, "SubState", "auto-restart")
    assert sysctls(network) == ["0", "0"]  # by ExecStopPost, before it is started again
    machine.until(SERVICE, "SubState", "running")
    assert pid(machine) != before
    assert sysctls(network) == ["1", "1"]
    machine.run("systemctl", "stop", SERVICE)
    assert sysctls(network) == ["0", "0"]


def test_the_first_viewer_starts_the_daemon_and_is_answered_within_a_second(machine: Machine) -> None:
    machine.run("systemctl", "stop", SERVICE)
    assert machine.show(SOCKET, "ActiveState") == "active"
    script = """
import socket, struct, time
from flowtopd.wire.codec import encode_viewer
from flowtopd.wire.messages import PROTOCOL_VERSION, Hello
began = time.monotonic()
with socket.socket(socket.AF_UNIX) as viewer:
    viewer.connect("/run/flowtop/flowtop.sock")
    viewer.sendall(encode_viewer(Hello(PROTOCOL_VERSION, "test")))
    assert viewer.recv(4096)
print(time.monotonic() - began)
"""
    launcher = f"import sys; sys.path.insert(0, '/usr/lib/flowtop')\n{script}"
    took_s = min(
        float(machine.run("python3", "-I", "-c", launcher, user="ben"))
        for _ in range(3)
        if machine.run("systemctl", "stop", SERVICE) == ""
    )
    assert took_s <= 1.0
    assert machine.show(SERVICE, "ActiveState") == "active"


def test_a_member_of_the_group_sees_flows_of_the_lan(machine: Machine, network: Router) -> None:
    with Flow(network.lan[0], network.wan, "8.8.8.8", 5001, rate=50_000, seconds=30) as flow:
        found = snapshot(machine)
    (mine,) = [each for each in found["flows"] if each["sport"] == flow.sport]
    assert (mine["src"], mine["dst"], mine["nat"]) == ("192.168.1.11", "8.8.8.8", "snat")
    assert mine["orig_rate"] > 10_000
    assert found["status"]["accounting"]


def test_processes_of_other_users_are_named(machine: Machine) -> None:
    """What CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH are for, below all the hardening."""
    script = """
import socket, sys
server = socket.create_server(("203.0.113.1", 0))
client = socket.create_connection(server.getsockname())
print(client.getsockname()[1], flush=True)
sys.stdin.read()
"""
    with subprocess.Popen(
        machine.argv("python3", "-I", "-c", script, user="anna"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as program:
        assert program.stdout is not None
        sport = int(program.stdout.readline())
        found = snapshot(machine)
        program.communicate("")
    (mine,) = [each for each in found["flows"] if each["sport"] == sport]
    assert (mine["process"], mine["user"]) == ("python3", "anna")


def test_who_is_not_in_the_group_is_told_what_helps(machine: Machine) -> None:
    done = machine.ask(VIEWER, "--once", "--json", user="anna")
    assert (done.returncode, done.stdout) == (1, "")
    said, hint = done.stderr.splitlines()
    assert said == "flowtop: no permission on /run/flowtop/flowtop.sock"
    assert "usermod -aG flowtop" in hint
    assert "log in again" in hint


def test_a_daemon_that_hangs_is_started_again_by_the_watchdog(machine: Machine, network: Router) -> None:
    override(machine, "WatchdogSec=2s\nTimeoutAbortSec=2s")
    machine.run("systemctl", "restart", SERVICE)
    before = pid(machine)
    machine.run("kill", "-STOP", before)
    machine.until(SERVICE, "NRestarts", "1")
    machine.until(SERVICE, "SubState", "running")
    assert pid(machine) != before
    assert sysctls(network) == ["1", "1"]
    machine.run("systemctl", "stop", SERVICE)
    assert sysctls(network) == ["0", "0"]


def test_an_idle_daemon_keeps_the_watchdog_content(machine: Machine) -> None:
    override(machine, "WatchdogSec=1s")
    machine.run("systemctl", "restart", SERVICE)
    before = machine.show(SERVICE, "WatchdogTimestampMonotonic")
    wait_until(lambda: int(machine.show(SERVICE, "WatchdogTimestampMonotonic")) > int(before) + 3_000_000, 20)
    assert machine.show(SERVICE, "NRestarts") == "0"


def test_a_reload_takes_what_is_new_and_loses_no_frame(machine: Machine, network: Router) -> None:
    seen: list[dict[str, Any]] = []

    def read(lines: IO[str] | None) -> None:
        for line in lines or ():
            seen.append(json.loads(line))  # noqa: PERF401  # a list that grows is the point

    with (
        Flow(network.lan[0], network.wan, "8.8.8.8", 5001, rate=20_000, seconds=60) as flow,
        machine.running(VIEWER, "--json", "--all", "--no-dns", "-t", "0.2", user="ben") as viewer,
    ):
        threading.Thread(target=read, args=(viewer.stdout,), daemon=True).start()

        def service() -> str | None:
            flows = seen[-1]["flows"] if seen else []
            return next((each["service"] for each in flows if each["sport"] == flow.sport), None)

        wait_until(lambda: len(seen) > 3 and service() not in {None, "reloaded"})
        (machine.root / "etc/flowtop/tcp.conf").write_text("5001, reloaded\n", encoding="utf-8")
        configure(machine, '[conntrack]\nsysctl = "never"\n[access]\ngroup = "users"\n')
        before = pid(machine)
        machine.run("systemctl", "reload", SERVICE)
        wait_until(lambda: service() == "reloaded")
        wait_until(lambda: sysctls(network) == ["0", "0"])
        count = len(seen)
        wait_until(lambda: len(seen) > count + 3)
    numbers = [each["seq"] for each in seen]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    assert pid(machine) == before
    said = machine.run("journalctl", "-o", "cat", "-u", SERVICE)
    assert "access.group has changed: that needs a restart" in said


def test_a_mistake_in_the_configuration_changes_nothing_and_is_said(machine: Machine) -> None:
    configure(machine, '[conntrack]\nsysctl = "sometimes"\n')
    before = pid(machine)
    machine.run("systemctl", "reload", SERVICE)
    assert pid(machine) == before
    assert machine.show(SERVICE, "ActiveState") == "active"
    said = machine.run("journalctl", "-o", "cat", "-u", SERVICE)
    assert "/etc/flowtop/flowtopd.toml:2: conntrack.sysctl: wants" in said


def test_the_status_line_has_flows_and_viewers(machine: Machine) -> None:
    wait_until(lambda: machine.show(SERVICE, "StatusText") == "idle, nobody looks")
    with machine.running(VIEWER, "--json", "--all", "--no-dns", user="ben"):
        wait_until(lambda: re.fullmatch(r"\d+ flows, 1 viewer", machine.show(SERVICE, "StatusText")) is not None)
    wait_until(lambda: machine.show(SERVICE, "StatusText") == "idle, nobody looks")


def test_an_idle_daemon_leaves_where_it_is_told_to_and_the_next_viewer_starts_it(
    machine: Machine, network: Router
) -> None:
    configure(machine, "[daemon]\nidle_exit = 1\n")
    machine.run("systemctl", "restart", SERVICE)
    machine.until(SERVICE, "ActiveState", "inactive")
    assert machine.show(SERVICE, "Result") == "success"
    assert sysctls(network) == ["0", "0"]
    began = time.monotonic()
    assert snapshot(machine)["status"]["accounting"]
    assert time.monotonic() - began < 10


def test_the_journal_has_fields(machine: Machine, network: Router) -> None:
    configure(machine, '[access]\nadmin_group = "users"\n')
    machine.run("systemctl", "restart", SERVICE)
    started = journal(machine, Event.STARTED)[-1]
    assert started["PRIORITY"] == "6"
    assert started["SYSLOG_IDENTIFIER"] == "flowtopd"
    with Flow(network.lan[0], network.wan, "8.8.8.8", 5001, rate=20_000, seconds=60) as flow:
        (mine,) = [each for each in snapshot(machine)["flows"] if each["sport"] == flow.sport]
        for user in ("ben", "root"):
            began = time.monotonic()
            machine.run("python3", "-I", "-c", _DELETE.format(mine["id"]), user=user)
            # the machine's name server does not answer, and names are asked for: nobody else waits for it
            assert time.monotonic() - began < 5
    refused = journal(machine, Event.REFUSED)[-1]
    acted = journal(machine, Event.ACTED)[-1]
    assert refused["FLOWTOP_UID"] == machine.run("id", "-u", "ben").strip()
    assert acted["FLOWTOP_UID"] == "0"
    for entry in (refused, acted):
        assert entry["FLOWTOP_ACTION"] == "delete"
        assert entry["FLOWTOP_FLOW"] == f"tcp 192.168.1.11:{flow.sport} > 8.8.8.8:5001"
        assert int(entry["FLOWTOP_PID"]) > 0


_DELETE = """
import socket, sys
sys.path.insert(0, "/usr/lib/flowtop")
from flowtopd.wire.codec import decode_daemon, encode_viewer
from flowtopd.wire.framing import MAX_DAEMON_FRAME, FrameReader
from flowtopd.wire.messages import PROTOCOL_VERSION, Delete, Done, Error, Hello, Query, Snapshot
frames = FrameReader(MAX_DAEMON_FRAME)
with socket.socket(socket.AF_UNIX) as viewer:
    viewer.connect("/run/flowtop/flowtop.sock")
    viewer.sendall(encode_viewer(Hello(PROTOCOL_VERSION, "test")) + encode_viewer(Query()))
    while data := viewer.recv(65536):
        for body in frames.feed(data):
            match decode_daemon(body):
                case Snapshot():
                    viewer.sendall(encode_viewer(Delete("{}")))
                case Done() | Error():
                    sys.exit(0)
"""


def test_activation_works_below_the_hardening_and_is_gone_afterwards(machine: Machine) -> None:
    configure(machine, "[conntrack]\nactivate = true\n")
    machine.run("systemctl", "restart", SERVICE)
    assert "table inet flowtop" in machine.run("nft", "list", "tables")
    configure(machine, "")
    machine.run("systemctl", "reload", SERVICE)
    wait_until(lambda: "table inet flowtop" not in machine.run("nft", "list", "tables"))


def test_an_update_runs_without_a_right_and_says_what_failed(machine: Machine) -> None:
    """No server is there to fetch from; that it gets so far is what can be seen."""
    (machine.root / "etc/flowtop/geoip.conf").write_text("https://127.0.0.1:9/country.mmdb\n", encoding="utf-8")
    done = machine.ask("systemctl", "start", "flowtop-geoip-update.service")
    assert done.returncode != 0
    said = machine.run("journalctl", "-o", "cat", "-u", "flowtop-geoip-update.service")
    assert "127.0.0.1:9" in said
    assert "Traceback" not in said
    viewer = machine.ask(VIEWER, "-u", user="ben")  # the same in the daemon, whose child it is
    assert viewer.returncode == 1
    assert "127.0.0.1:9" in viewer.stdout + viewer.stderr


def test_root_by_hand_and_the_service_take_turns(machine: Machine, network: Router) -> None:
    """What one leaves in the runtime directory does not keep the other from starting."""
    machine.run("systemctl", "stop", SOCKET, SERVICE)
    machine.run("rm", "-f", "/run/flowtop/flowtopd.lock")
    with machine.running("/usr/sbin/flowtopd"):
        wait_until(lambda: machine.ask(VIEWER, "--once", "-n", user="ben").returncode == 0)
        assert sysctls(network) == ["1", "1"]
        held = machine.run("sh", "-c", "cat /proc/$(cat /run/flowtop/flowtopd.lock)/status")
        dropped = int(dict(re.findall(r"^(Cap\w+):\s*(\w+)", held, re.MULTILINE))["CapEff"], 16)
        assert not dropped & (1 << 21 | 1 << 16 | 1 << 13 | 1)  # SYS_ADMIN, SYS_MODULE, NET_RAW, CHOWN
    assert sysctls(network) == ["0", "0"]
    assert machine.run("ls", "/run/flowtop") == "flowtopd.lock\n"
    machine.run("systemctl", "start", SOCKET, SERVICE)
    assert machine.show(SERVICE, "ActiveState") == "active"


def test_the_units_verify_without_a_word(machine: Machine) -> None:
    """`verify` exits with 0 at an unknown key: what counts is that nothing is said."""
    done = machine.ask("systemd-analyze", "verify", "--man=no", *(f"/lib/systemd/system/{unit}" for unit in UNITS))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_timer_is_weekly_and_spread(machine: Machine) -> None:
    machine.run("systemctl", "start", "flowtop-geoip-update.timer")
    assert machine.show("flowtop-geoip-update.timer", "ActiveState") == "active"
    assert "weekly" in machine.show("flowtop-geoip-update.timer", "TimersCalendar") or "Mon" in machine.show(
        "flowtop-geoip-update.timer", "TimersCalendar"
    )
    assert machine.show("flowtop-geoip-update.timer", "RandomizedDelayUSec") == "1d"
    machine.run("systemctl", "stop", "flowtop-geoip-update.timer")


@pytest.mark.parametrize(("unit", "most"), [(SERVICE, 2.0), ("flowtop-geoip-update.service", 1.5)])
def test_the_units_are_hardened(machine: Machine, unit: str, most: float) -> None:
    said = machine.run("systemd-analyze", "security", "--offline=yes", "--no-pager", f"/lib/systemd/system/{unit}")
    (score,) = re.findall(r"Overall exposure level for \S+: ([\d.]+)", said)
    assert float(score) <= most
