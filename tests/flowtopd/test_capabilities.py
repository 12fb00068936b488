"""flowtopd.capabilities: what is asked of the kernel, seen in a process of its own."""

import json
import subprocess
import sys

import pytest

from testbed.daemon import ROOT

pytestmark = pytest.mark.kernel

KILL, NET_ADMIN, SYS_PTRACE = 1 << 5, 1 << 12, 1 << 19


def held_after(code: str) -> dict[str, int]:
    program = f"import json\nfrom flowtopd.capabilities import *\n{code}\nprint(json.dumps(held()))"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=True, cwd=ROOT
    )
    sets: dict[str, int] = json.loads(done.stdout)
    return sets


def test_what_is_kept_is_permitted_and_effective_and_not_inheritable() -> None:
    sets = held_after(f"assert keep({NET_ADMIN | SYS_PTRACE})")
    assert (sets["CapPrm"], sets["CapEff"], sets["CapInh"]) == (NET_ADMIN | SYS_PTRACE, NET_ADMIN | SYS_PTRACE, 0)


def test_the_bounding_set_has_what_it_is_bound_to() -> None:
    assert held_after(f"bound({KILL})")["CapBnd"] == KILL


def test_what_is_not_permitted_cannot_be_kept() -> None:
    assert held_after(f"assert keep(0)\nassert not keep({KILL})")["CapPrm"] == 0


def test_no_new_privileges_are_told_apart() -> None:
    assert held_after("prctl(PR_SET_NO_NEW_PRIVS, 1)")["NoNewPrivs"] == 1
    with pytest.raises(subprocess.CalledProcessError):
        held_after("prctl(PR_SET_NO_NEW_PRIVS, 2)")
