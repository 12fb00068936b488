"""flowtopd.system.privileges: what is left afterwards, seen in a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from flowtopd.system.privileges import ALWAYS, Capability, needed
from testbed.daemon import ROOT

pytestmark = pytest.mark.kernel

SHOW = """
import subprocess
from pathlib import Path
def caps(text):
    lines = [line.split() for line in text.splitlines() if line.startswith(("Cap", "NoNewPrivs"))]
    return {name.rstrip(":"): int(value, 16) for name, value in lines}
print(caps(Path("/proc/self/status").read_text()))
print(caps(subprocess.run(["cat", "/proc/self/status"], capture_output=True, text=True, check=True).stdout))
"""


LOAD = """
import sys, types
sys.modules["flowtopd"] = types.ModuleType("flowtopd")
capabilities = sys.modules["flowtopd.capabilities"] = types.ModuleType("flowtopd.capabilities")
exec({!r}, vars(capabilities))
"""


def after(code: str, *wrapped: str) -> tuple[dict[str, int], dict[str, int]]:
    """The sets of a process that has run `code`, and of a program that it starts."""
    argv = [*wrapped, sys.executable, "-c", code + SHOW]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=30, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    mine, childs = map(eval, done.stdout.splitlines())
    return mine, childs


def bits(*capabilities: Capability) -> int:
    return sum(1 << capability for capability in capabilities)


DROP = "from flowtopd.system.privileges import ALWAYS, drop\ndrop(ALWAYS)\n"


def test_of_root_the_three_are_left_and_no_more_for_what_it_starts() -> None:
    mine, childs = after(DROP)
    three = bits(*ALWAYS)
    assert mine == {"CapInh": 0, "CapPrm": three, "CapEff": three, "CapBnd": three, "CapAmb": 0, "NoNewPrivs": 1}
    assert childs["CapEff"] & ~three == 0


def test_of_a_service_user_nothing_is_left_for_what_it_starts() -> None:
    three = "net_admin,+sys_ptrace,+dac_read_search"
    argv = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    argv += [f"--inh-caps=-all,+{three}", f"--ambient-caps=-all,+{three}", f"--bounding-set=-all,+{three}", "--"]
    # nobody cannot read a checkout below root's home: what is needed is loaded by another way
    module = (ROOT / "flowtopd/capabilities.py").read_text(encoding="utf-8")
    source = LOAD.format(module) + (ROOT / "flowtopd/system/privileges.py").read_text(encoding="utf-8")
    done = subprocess.run(
        [*argv, "/usr/bin/python3", "-c", source + "\ndrop(ALWAYS)\n" + SHOW],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        cwd="/",
    )
    assert done.returncode == 0, done.stderr
    mine, childs = map(eval, done.stdout.splitlines())
    assert (mine["CapEff"], mine["CapInh"], mine["CapAmb"]) == (bits(*ALWAYS), 0, 0)
    assert (childs["CapEff"], childs["CapPrm"], childs["CapInh"]) == (0, 0, 0)


def test_what_is_not_there_is_not_missed() -> None:
    mine, _ = after(DROP, "setpriv", "--bounding-set=-all,+net_admin", "--inh-caps=-all")
    assert mine["CapEff"] == bits(Capability.NET_ADMIN)


def test_with_a_second_thread_nothing_is_dropped_and_it_is_said() -> None:
    code = "import threading\nthreading.Thread(target=threading.Event().wait, daemon=True).start()\n" + DROP
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=False, cwd=ROOT
    )
    assert "rights cannot be dropped: 2 threads are running" in done.stderr
    assert done.returncode == 1


def test_root_may_write_to_directories_of_others_only_where_it_has_to(tmp_path: Path) -> None:
    mine, theirs = tmp_path / "mine", tmp_path / "theirs"
    mine.mkdir()
    theirs.mkdir()
    os.chown(theirs, 65534, 65534)
    assert Capability.DAC_OVERRIDE not in needed([mine, mine / "not" / "yet"])
    assert Capability.DAC_OVERRIDE in needed([mine, theirs])
    assert Capability.DAC_OVERRIDE in needed([theirs / "not" / "yet"])
