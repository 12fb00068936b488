"""python -m stress, as it is called."""

import subprocess
import sys
from pathlib import Path

import pytest

from stress.__main__ import PARTS

ROOT = Path(__file__).parents[2]


def stress(*options: str) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "stress", *options]
    return subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)


def test_a_piece_of_fuzzing_can_be_done_once_more() -> None:
    done = stress("--again", "host-names", "17")
    assert done.stdout.startswith("2000 attempts of host-names")
    assert done.returncode == 0


@pytest.mark.parametrize(
    "options", [["--only", "nothing"], ["--again", "dumps"], ["--again", "x", "1"], ["--again", "dumps", "x"]]
)
def test_what_it_does_not_know_is_refused(options: list[str]) -> None:
    assert stress(*options).returncode == 2


def test_every_promise_has_a_part_and_every_part_a_test() -> None:
    tested = {path.stem.removeprefix("test_") for path in (ROOT / "tests").glob("*/test_*.py")}
    assert set(PARTS) <= tested
