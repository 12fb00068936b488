"""Rights are given up for good, whatever a process had before."""

import subprocess
import sys

import pytest

from testbed.daemon import ROOT

CONFINED = """
import ctypes, os, resource, socket, struct, sys
from pathlib import Path
from flowtopd.geoip_update.confine import confine
libc = ctypes.CDLL(None, use_errno=True)
{before}
confine(1 << 20)
print(Path("/proc/self/status").read_text())
{after}
"""

AMBIENT = """
NET_ADMIN, PTRACE = 12, 19
libc.prctl(8, 1, 0, 0, 0)  # PR_SET_KEEPCAPS
os.setgroups([]); os.setresgid(12345, 12345, 12345); os.setresuid(12345, 12345, 12345)
bits = 1 << NET_ADMIN | 1 << PTRACE
assert libc.capset(struct.pack("=Ii", 0x20080522, 0), struct.pack("=3I3I", bits, bits, bits, 0, 0, 0)) == 0
for capability in NET_ADMIN, PTRACE:
    assert libc.prctl(47, 2, capability, 0, 0) == 0  # PR_CAP_AMBIENT_RAISE
assert int([line.split()[1] for line in open("/proc/self/status") if line.startswith("CapAmb")][0], 16) == bits
"""


def run(before: str = "", after: str = "") -> subprocess.CompletedProcess[str]:
    program = CONFINED.format(before=before, after=after)
    argv = [sys.executable, "-c", program]
    return subprocess.run(argv, capture_output=True, text=True, timeout=30, check=False, cwd=ROOT)


def status(done: subprocess.CompletedProcess[str]) -> dict[str, str]:
    assert done.returncode == 0, done.stderr
    return {name: value.strip() for name, _, value in (line.partition(":") for line in done.stdout.splitlines())}


@pytest.mark.kernel
def test_root_becomes_nobody_without_any_capability() -> None:
    seen = status(run())
    assert seen["Uid"].split() == seen["Gid"].split() == ["65534"] * 4
    assert [int(seen[f"Cap{which}"], 16) for which in ("Inh", "Prm", "Eff", "Bnd", "Amb")] == [0] * 5
    assert (seen["Groups"], seen["NoNewPrivs"]) == ("", "1")


@pytest.mark.kernel
def test_a_user_with_ambient_capabilities_stays_that_user_and_has_none() -> None:
    """As a service has them that does not run as root."""
    seen = status(run(AMBIENT))
    assert seen["Uid"].split() == ["12345"] * 4
    assert [int(seen[f"Cap{which}"], 16) for which in ("Inh", "Prm", "Eff", "Amb")] == [0] * 4
    assert seen["NoNewPrivs"] == "1"


@pytest.mark.kernel
@pytest.mark.parametrize(
    "deed",
    [
        "os.setresuid(0, 0, 0)",
        "os.setgroups([0])",
        "os.fork()",
        "open('/etc/shadow')",
        "os.kill(1, 0)",
        "resource.setrlimit(resource.RLIMIT_NPROC, (10, 10))",
        "socket.socket(socket.AF_PACKET, socket.SOCK_RAW)",
    ],
)
def test_what_it_may_not(deed: str) -> None:
    done = run(after=deed)
    assert done.returncode == 1
    assert any(name in done.stderr for name in ("PermissionError", "BlockingIOError", "not allowed to raise")), (
        done.stderr
    )


@pytest.mark.kernel
def test_a_file_cannot_grow_without_end(tmp_path: object) -> None:
    before = f"out = open({str(tmp_path) + '/file'!r}, 'wb', buffering=0)"
    done = run(before, "print(out.write(bytes(2 << 20))); out.write(b'x')")
    assert done.stdout.splitlines()[-1] == str(1 << 20)
    assert "File too large" in done.stderr


@pytest.mark.kernel
def test_where_rights_cannot_be_given_up_nothing_goes_on() -> None:
    """In a user namespace that has no nobody, root stays root."""
    argv = ["unshare", "--user", "--map-root-user", sys.executable, "-c", CONFINED.format(before="", after="")]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=30, check=False, cwd=ROOT)
    assert done.returncode == 1
    assert done.stdout == ""
    assert "Error" in done.stderr
