"""`pip install`, and so pipx, which does the same: the wheel in an environment of its own, without libsystemd."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from testbed.connections import connections
from testbed.machine import ROOT
from testbed.netns import Namespace

pytestmark = pytest.mark.kernel


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of the installed programs."""
    directory = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "wheel", "--no-deps", "--wheel-dir", directory, ROOT], check=True, timeout=300)
    (wheel,) = directory.glob("flowtop-*.whl")
    subprocess.run([sys.executable, "-m", "venv", directory / "venv"], check=True, timeout=120)
    subprocess.run([directory / "venv/bin/python", *pip[1:], "install", wheel], check=True, timeout=300, cwd=directory)
    return directory / "venv" / "bin"


def run(argv: list[str], cwd: Path) -> str:
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False, cwd=cwd)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_viewer_shows_the_demonstration(programs: Path, tmp_path: Path) -> None:
    argv = [str(programs / "flowtop"), "--demo", "--speed", "20", "--once", "--json", "--all"]
    assert json.loads(run(argv, tmp_path))["flows"]


def test_root_gets_a_private_daemon_without_libsystemd(programs: Path, namespace: Namespace, tmp_path: Path) -> None:
    probe = subprocess.run([programs / "python", "-c", "import systemd.daemon"], capture_output=True, check=False)
    assert probe.returncode != 0
    with connections(namespace, 3):
        # a /run of its own, so that this host's is not touched
        argv = ["unshare", "--mount", "sh", "-c", 'mount -t tmpfs tmpfs /run && exec "$@"', "sh"]
        argv += [str(programs / "flowtop"), "--standalone", "--once", "--json", "--no-dns"]
        assert len(json.loads(run(namespace.argv(argv), tmp_path))["flows"]) == 3
