import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from bench.compare.__main__ import SIZES, possible
from bench.screen import ROOT


@pytest.mark.parametrize(
    ("room", "fitting", "dropped"),
    [
        (2_000_000, list(SIZES), []),
        (252_144, list(SIZES[:-1]), [1_000_000]),
        (240_900, [*SIZES[:-2], 240_000], [250_000, 1_000_000]),
        (56_000, [*SIZES[:4], 56_000], list(SIZES[4:])),
        (21_000, list(SIZES[:4]), list(SIZES[4:])),
    ],
)
def test_tables_that_do_not_fit_are_replaced_by_the_largest_that_does(
    room: int, fitting: list[int], dropped: list[int]
) -> None:
    assert possible(SIZES, room) == (fitting, dropped)


@pytest.mark.kernel
def test_a_short_run_writes_its_section_and_the_plot_and_nothing_else(tmp_path: Path) -> None:
    page = tmp_path / "benchmarks.md"
    page.write_text("# Benchmarks\n\n<!-- bench: begin -->\nkept\n<!-- bench: end -->\n")
    argv = [sys.executable, "-m", "bench.compare", "--quick", "--sizes", "500", "--loads", "0", "1000"]
    argv += ["--only", "list", "events", "pyroute2", "--write", str(tmp_path)]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    written = page.read_text()
    assert "\nkept\n" in written
    assert "\n### 1 000 new flows a second\n" in written
    assert re.search(r"\| 500 +\| conntrack -L +\| \d", written)
    assert "failed" not in written
    ET.parse(tmp_path / "compare.svg")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["benchmarks.md", "compare.svg"]
