"""Tests of the installed package in a machine with a real systemd: `make test-system`, as root."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from testbed.machine import ROOT, Machine, debian_tree
from testbed.router import Router


def build(version: str, directory: Path) -> Path:
    """A package of this tree, with a version of its own."""
    environment = os.environ | {"PYTHON": sys.executable, "VERSION": version, "DIST": str(directory)}
    done = subprocess.run(
        [ROOT / "scripts" / "deb.sh"], env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    return directory / f"flowtop_{version}_all.deb"


@pytest.fixture(scope="session")
def tree() -> Path:
    return debian_tree()


@pytest.fixture(scope="session")
def packages(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """An older package and a newer one."""
    directory = tmp_path_factory.mktemp("dist")
    return build("0.0.1", directory), build("99.0", directory)


@pytest.fixture(scope="module")
def network() -> Iterator[Router]:
    with Router() as router:
        yield router


@pytest.fixture(scope="module")
def bare(tree: Path, network: Router, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """The router as a clean Debian 12: its sysctls are off, anna and ben live there."""
    for name in ("acct", "timestamp"):
        network.router.sysctl(f"net.netfilter.nf_conntrack_{name}", 0)
    with Machine(tree, tmp_path_factory.mktemp("bare"), network.router) as machine:
        for user in ("anna", "ben"):
            machine.run("useradd", user)
        yield machine


def install(machine: Machine, package: Path) -> str:
    """Install a package; what dpkg said."""
    shutil.copy(package, machine.root / "root" / package.name)
    said = machine.run("dpkg", "--install", f"/root/{package.name}")
    (machine.root / "root" / package.name).unlink()
    return said
