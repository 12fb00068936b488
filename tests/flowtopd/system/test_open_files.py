import subprocess
import sys

import pytest

from flowtopd.system.open_files import ENOUGH
from testbed.daemon import ROOT

PROGRAM = """
import resource
from flowtopd.system.open_files import raise_open_files
print(raise_open_files(), *resource.getrlimit(resource.RLIMIT_NOFILE))
"""


@pytest.mark.parametrize(
    ("soft", "hard", "becomes"),
    [(100, 200, 200), (200, 200, 200), (100, 20_000, ENOUGH), (20_000, 20_000, 20_000)],
)
def test_as_many_files_may_be_open_as_are_of_use(soft: int, hard: int, becomes: int) -> None:
    argv = ["prlimit", f"--nofile={soft}:{hard}", sys.executable, "-c", PROGRAM]
    done = subprocess.run(argv, capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.split() == [str(becomes), str(becomes), str(hard)]
