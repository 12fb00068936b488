import grp
import os
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from flowtopd.cli import joining
from flowtopd.wire.version import VERSION
from testbed.daemon import ROOT, Daemon
from testbed.netns import Namespace
from testbed.terminal import Terminal
from tests.flowtopd.enrich.geoip.databases import COUNTRY, write
from tests.flowtopd.geoip_update.mirror import Mirror, Reply

GROUP = grp.getgrgid(0).gr_name
"""A group that is there everywhere."""


def flowtopd(*options: str | Path, namespace: Namespace | None = None) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "flowtopd", *map(str, options)]
    if namespace is not None:
        argv = namespace.argv(argv)
    return subprocess.run(argv, capture_output=True, text=True, timeout=30, check=False, cwd=ROOT)


def lines_of(run: subprocess.CompletedProcess[str]) -> list[str]:
    """What was said on stderr, the warning about the missing group aside."""
    return [line for line in run.stderr.splitlines() if "there is no group" not in line]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--nonsense",), "unknown option --nonsense"),
        (
            ("--log-level", "loud"),
            "argument --log-level: invalid choice: 'loud' (choose from 'debug', 'info', 'warning', 'error')",
        ),
        (("--viewer-fd", "x"), "argument --viewer-fd: invalid int value: 'x'"),
        (("now",), "unexpected argument 'now'"),
    ],
)
def test_a_bad_option_is_one_line_and_a_hint_and_status_2(options: tuple[str, ...], said: str) -> None:
    run = flowtopd(*options)
    assert run.returncode == 2
    first, hint = run.stderr.splitlines()
    assert first.startswith(f"flowtopd: {said}")
    assert hint == "flowtopd: `flowtopd --help` lists the options"


@pytest.mark.parametrize(
    ("wrong", "meant"),
    [("--chek-config", "--check-config"), ("--runtime", "--runtime-dir"), ("--lop-level=info", "--log-level")],
)
def test_an_option_that_is_misspelt_is_guessed(wrong: str, meant: str) -> None:
    run = flowtopd(wrong)
    assert run.returncode == 2
    assert run.stderr.splitlines() == [
        f"flowtopd: unknown option {wrong}",
        f"flowtopd: did you mean {meant}? `flowtopd --help` lists the options",
    ]


def test_version_and_help_are_told() -> None:
    assert flowtopd("--version").stdout == f"flowtopd {VERSION}\n"
    assert "--runtime-dir" in flowtopd("--help").stdout


@pytest.mark.parametrize("options", [(), ("--check-config",)], ids=["start", "check"])
def test_every_mistake_in_the_configuration_is_a_line_with_file_line_and_key(
    options: tuple[str, ...], tmp_path: Path
) -> None:
    config = tmp_path / "flowtopd.toml"
    config.write_text('[conntrack]\nsysctl = "always"\nactivat = true\n')
    run = flowtopd("--config", config, *options)
    assert (run.returncode, run.stdout) == (2, "")
    assert run.stderr.splitlines() == [
        f'flowtopd: {config}:2: conntrack.sysctl: wants "while-running" or "keep" or "never", got "always"',
        f"flowtopd: {config}:3: conntrack.activat: unknown key, did you mean activate?",
    ]


def test_a_good_configuration_is_said_to_be_fine(tmp_path: Path) -> None:
    config = tmp_path / "flowtopd.toml"
    config.write_text(f"[access]\ngroup = '{GROUP}'\n")
    run = flowtopd("--config", config, "--check-config")
    assert (run.returncode, run.stdout, run.stderr) == (0, f"flowtopd: {config}: fine\n", "")


def test_warnings_leave_a_configuration_fine(tmp_path: Path) -> None:
    config = tmp_path / "flowtopd.toml"
    config.write_text(f"[access]\ngroup = '{GROUP}'\n[geoip]\nfiles = ['/nonexistent/x.mmdb']\n")
    run = flowtopd("--config", config, "--check-config")
    assert (run.returncode, run.stdout) == (0, f"flowtopd: {config}: fine, with 1 warning\n")
    assert run.stderr == f"flowtopd: warning: {config}:4: geoip.files: /nonexistent/x.mmdb: no such file\n"


def test_restoring_where_nothing_was_left_is_fine(tmp_path: Path) -> None:
    run = flowtopd("--runtime-dir", tmp_path / "none", "--restore")
    assert run.returncode == 0
    assert "nothing to restore" in run.stdout


@pytest.mark.kernel
def test_a_second_daemon_says_which_one_is_running(daemon: Daemon, namespace: Namespace) -> None:
    run = flowtopd("--runtime-dir", daemon.runtime_dir, namespace=namespace)
    assert run.returncode == 1
    assert lines_of(run) == [
        f"flowtopd: flowtopd is already running in {daemon.runtime_dir} (pid {daemon.pid})",
        "flowtopd: viewers join it with: flowtop --socket PATH",
    ]
    run = flowtopd("--runtime-dir", daemon.runtime_dir, "--socket", daemon.socket, namespace=namespace)
    assert lines_of(run)[1] == f"flowtopd: viewers join it with: flowtop --socket {daemon.socket}"


def test_a_second_daemon_names_the_socket_where_viewers_would_not_look_there_by_themselves(tmp_path: Path) -> None:
    assert joining(tmp_path, None) == "flowtop --socket PATH"
    usual, other = tmp_path / "flowtop.sock", tmp_path / "other.sock"
    with socket.socket(socket.AF_UNIX) as first, socket.socket(socket.AF_UNIX) as second:
        first.bind(str(usual))
        assert joining(tmp_path, None) == joining(tmp_path, other) == f"flowtop --socket {usual}"
        assert joining(tmp_path, None, default=tmp_path) == "flowtop"
        second.bind(str(other))
        assert joining(tmp_path, other, default=tmp_path) == f"flowtop --socket {other}"


@pytest.mark.kernel
def test_a_socket_of_another_daemon_is_not_taken(daemon: Daemon, namespace: Namespace, tmp_path: Path) -> None:
    run = flowtopd("--runtime-dir", tmp_path / "other", "--socket", daemon.socket, namespace=namespace)
    assert run.returncode == 1
    assert lines_of(run)[0] == f"flowtopd: another daemon listens on {daemon.socket}"
    with socket.socket(socket.AF_UNIX) as peer:
        peer.connect(os.fspath(daemon.socket))


@pytest.mark.kernel
def test_without_cap_net_admin_it_says_so_and_what_helps(namespace: Namespace, tmp_path: Path) -> None:
    argv = ["setpriv", "--bounding-set", "-all", "--inh-caps", "-all"]  # still root, but without any capability
    argv += [sys.executable, "-m", "flowtopd", "--runtime-dir", str(tmp_path / "run")]
    run = subprocess.run(namespace.argv(argv), capture_output=True, text=True, timeout=30, check=False, cwd=ROOT)
    assert run.returncode == 1
    said, hint = run.stderr.splitlines()
    assert said == "flowtopd: cannot read connection tracking: Operation not permitted"
    assert "CAP_NET_ADMIN" in hint


@pytest.mark.kernel
def test_a_runtime_directory_that_cannot_be_made_is_named(namespace: Namespace, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    run = flowtopd("--runtime-dir", tmp_path / "file" / "run", namespace=namespace)
    assert run.returncode == 1
    assert lines_of(run)[0].startswith(f"flowtopd: {tmp_path}/file")


@pytest.fixture
def mirror() -> Iterator[Mirror]:
    with Mirror().serving() as serving:
        yield serving


@pytest.fixture
def geoip(tmp_path: Path) -> Path:
    """A configuration whose mirrors are in geoip.conf beside it, and whose databases go to lib."""
    (tmp_path / "flowtopd.toml").write_text(
        f'[geoip]\ndirectory = "{tmp_path}/lib"\nmirrors = "{tmp_path}/geoip.conf"\n', encoding="utf-8"
    )
    return tmp_path / "flowtopd.toml"


@pytest.mark.kernel
def test_an_update_says_what_it_did(geoip: Path, mirror: Mirror) -> None:
    database = write(geoip.parent / "made", COUNTRY).read_bytes()
    mirror.replies = {"/country.mmdb": Reply(database, headers={"ETag": '"1"'})}
    (geoip.parent / "geoip.conf").write_text(f"two words\n{mirror.url}/country.mmdb\n")
    run = flowtopd("--config", geoip, "--update")
    assert run.returncode == 0
    *_quarters, last = run.stdout.splitlines()
    assert last == f"country: 0.0 MB of 2023-11-14 from {mirror.host}"
    assert "\r" not in run.stdout
    assert run.stderr.startswith(f"flowtopd: {geoip.parent}/geoip.conf:1: wants one host or URL a line")
    assert (geoip.parent / "lib" / "country.mmdb").read_bytes() == database
    assert flowtopd("--config", geoip, "--update").stdout == "country: up to date\n"


def test_an_update_that_fails_says_why_in_a_line_and_exits_1(geoip: Path, mirror: Mirror) -> None:
    (geoip.parent / "geoip.conf").write_text(f"{mirror.url}/country.mmdb\n")
    run = flowtopd("--config", geoip, "--update")
    assert run.returncode == 1
    assert run.stderr == f"flowtopd: country: {mirror.host}: the server says 404 Not Found\n"
    assert run.stdout == ""


@pytest.mark.kernel
def test_an_update_on_a_terminal_has_a_bar(geoip: Path, mirror: Mirror) -> None:
    held = threading.Event()
    mirror.replies = {"/country.mmdb": Reply(write(geoip.parent / "made", COUNTRY).read_bytes(), held=held)}
    (geoip.parent / "geoip.conf").write_text(f"{mirror.url}/country.mmdb\n")
    argv = [sys.executable, "-m", "flowtopd", "--config", str(geoip), "--update"]
    with Terminal(argv, columns=90, rows=10, cwd=ROOT) as terminal:
        terminal.wait_for(re.compile(r"country  \[█{11,12} +\]  50 %"))
        held.set()
        terminal.wait_for(f"country: 0.0 MB of 2023-11-14 from {mirror.host}")
        assert terminal.exit_status() == 0


# recordings


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--record", "/x", "--replay", "/x"), "--record and --replay"),
        (("--speed", "2"), "--speed is that of --replay FILE"),
        (("--loop",), "--loop is that of --replay FILE"),
        (("--loop", "--check-config"), "--loop is that of --replay FILE"),
        (("--replay", "/x", "--speed", "0"), "argument --speed: '0' is no speed from 0.1 to 100"),
    ],
)
def test_a_mistake_about_recordings_is_a_line_and_status_2(options: tuple[str, ...], said: str) -> None:
    run = flowtopd(*options)
    assert run.returncode == 2
    assert run.stderr.startswith(f"flowtopd: {said}")


@pytest.mark.parametrize(
    ("content", "why"), [(None, "No such file or directory"), (b"nonsense", "this is no recording of flowtop")]
)
def test_what_cannot_be_replayed_is_one_line(content: bytes | None, why: str, tmp_path: Path) -> None:
    path = tmp_path / "x.flowtop"
    if content is not None:
        path.write_bytes(content)
    run = flowtopd("--replay", path, "--socket", tmp_path / "sock")
    assert (run.returncode, lines_of(run)) == (1, [f"flowtopd: {path}: {why}"])
    assert not (tmp_path / "sock").exists()


@pytest.mark.kernel
def test_a_recording_that_is_there_is_not_written_over(namespace: Namespace, tmp_path: Path) -> None:
    path = tmp_path / "x.flowtop"
    path.write_text("dear")
    run = flowtopd("--runtime-dir", tmp_path / "run", "--record", path, namespace=namespace)
    assert run.returncode == 1
    assert lines_of(run) == [f"flowtopd: {path} is there already", "flowtopd: a recording is never written over"]
    assert path.read_text() == "dear"
