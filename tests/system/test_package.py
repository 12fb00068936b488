"""The Debian package: installed on a clean Debian 12, upgraded, removed and purged, beside Debian's own flowtop."""

from pathlib import Path

import pytest

from testbed.machine import Machine
from testbed.router import Router
from tests.system.conftest import install

pytestmark = pytest.mark.kernel

SERVICE = "flowtopd.service"

LISTED = ("/etc", "/lib/systemd", "/usr", "/var/lib", "/run/flowtop", "/root", "/home")
"""Where a package may leave something. What follows is written by others, whatever is installed."""
OTHERS = (
    *("/etc/passwd-", "/etc/group-", "/etc/shadow-", "/etc/gshadow-", "/etc/subuid-", "/etc/subgid-"),
    *("/etc/machine-id", "/etc/.updated", "/var/lib/dpkg", "/var/lib/systemd", "/var/.updated", "/etc/ld.so.cache"),
)


def listing(machine: Machine) -> set[str]:
    found = machine.ask("find", *LISTED, "-not", "-name", "__pycache__", "-not", "-name", "*.pyc").stdout.split("\n")
    return {path for path in found if path and not path.startswith(OTHERS)}


def accounts(machine: Machine) -> list[str]:
    return [machine.run("getent", kind) for kind in ("passwd", "group")]


def test_it_is_installed_upgraded_and_purged_without_a_trace(
    bare: Machine, network: Router, packages: tuple[Path, Path]
) -> None:
    old, new = packages
    before, people = listing(bare), accounts(bare)

    install(bare, old)
    assert bare.show(SERVICE, "ActiveState") == "active"
    assert bare.run("systemctl", "is-enabled", SERVICE, "flowtopd.socket") == "enabled\nenabled\n"
    assert bare.ask("systemctl", "is-enabled", "flowtop-geoip-update.timer").stdout == "disabled\n"
    assert "flowtop" in bare.run("getent", "group", "flowtop")
    assert network.router.sysctl("net.netfilter.nf_conntrack_acct") == "1"
    assert bare.run("flowtop-viewer", "--version") == "flowtop 0.0.1\n"
    first = bare.show(SERVICE, "MainPID")
    (bare.root / "etc/flowtop/geoip.conf").write_text("# mine\n", encoding="utf-8")

    install(bare, new)
    assert bare.show(SERVICE, "ActiveState") == "active"
    assert bare.show(SERVICE, "MainPID") != first
    assert bare.run("flowtop-viewer", "--version") == "flowtop 99.0\n"
    assert bare.run("dpkg-query", "--show", "--showformat=${Version}", "flowtop") == "99.0"
    assert (bare.root / "etc/flowtop/geoip.conf").read_text("utf-8") == "# mine\n"
    assert bare.run("dpkg", "--verify", "flowtop").strip() == "??5?????? c /etc/flowtop/geoip.conf"

    bare.run("dpkg", "--remove", "flowtop")
    assert bare.ask("systemctl", "is-active", SERVICE, "flowtopd.socket").stdout == "inactive\ninactive\n"
    assert network.router.sysctl("net.netfilter.nf_conntrack_acct") == "0"
    assert (bare.root / "etc/flowtop/geoip.conf").exists()

    bare.run("dpkg", "--purge", "flowtop")
    assert sorted(listing(bare) - before) == []
    assert sorted(before - listing(bare)) == []
    assert accounts(bare) == people
    assert not list((bare.root / "var/lib/systemd").rglob("*flowtop*"))
    assert not list((bare.root / "etc/systemd").rglob("*flowtop*"))


def test_it_lives_beside_the_flowtop_of_netsniff_ng(bare: Machine, packages: tuple[Path, Path]) -> None:
    """The classic one comes first where /usr/sbin does; `flowtop-viewer` is always ours."""
    install(bare, packages[1])
    try:
        assert bare.run("dpkg", "--search", "/usr/sbin/flowtop") == "netsniff-ng: /usr/sbin/flowtop\n"
        assert bare.run("sh", "-c", "command -v flowtop") == "/usr/sbin/flowtop\n"
        assert bare.run("/usr/bin/flowtop", "--version") == "flowtop 99.0\n"
        assert bare.run("flowtop-viewer", "--version") == "flowtop 99.0\n"
    finally:
        bare.run("dpkg", "--purge", "flowtop")
