import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from flowtopd.wire.version import VERSION
from testbed.daemon import ROOT, Daemon
from testbed.netns import Namespace


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
        (("--nonsense",), "unrecognized arguments: --nonsense"),
        (("--log-level", "loud"), "argument --log-level: invalid choice: 'loud'"),
        (("--viewer-fd", "x"), "argument --viewer-fd: invalid int value: 'x'"),
        (("--runtime",), "unrecognized arguments: --runtime"),
    ],
)
def test_a_bad_option_is_one_line_and_a_hint_and_status_2(options: tuple[str, ...], said: str) -> None:
    run = flowtopd(*options)
    assert run.returncode == 2
    first, hint = run.stderr.splitlines()
    assert first.startswith(f"flowtopd: {said}")
    assert hint == "hint: flowtopd --help lists the options"


def test_version_and_help_are_told() -> None:
    assert flowtopd("--version").stdout == f"flowtopd {VERSION}\n"
    assert "--runtime-dir" in flowtopd("--help").stdout


def test_a_bad_configuration_is_one_line_with_file_line_and_key(tmp_path: Path) -> None:
    config = tmp_path / "flowtopd.toml"
    config.write_text('[conntrack]\nsysctl = "always"\n')
    run = flowtopd("--config", config, "--check-config")
    assert run.returncode == 2
    (line,) = run.stderr.splitlines()
    assert line.startswith(f"flowtopd: {config}:2: conntrack.sysctl:")


def test_an_empty_configuration_is_fine(tmp_path: Path) -> None:
    config = tmp_path / "flowtopd.toml"
    config.write_text("")
    assert flowtopd("--config", config, "--check-config").returncode == 0


def test_restoring_where_nothing_was_left_is_fine(tmp_path: Path) -> None:
    run = flowtopd("--runtime-dir", tmp_path / "none", "--restore")
    assert run.returncode == 0
    assert "nothing to restore" in run.stdout


@pytest.mark.kernel
def test_a_second_daemon_says_which_one_is_running(daemon: Daemon, namespace: Namespace) -> None:
    run = flowtopd("--runtime-dir", daemon.runtime_dir, namespace=namespace)
    assert run.returncode == 1
    assert lines_of(run)[0] == f"flowtopd: flowtopd is already running in {daemon.runtime_dir} (pid {daemon.pid})"


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
