"""docs/recording.md is true: its example reads a real recording, its limits are the code's."""

import re
import subprocess
import sys
from pathlib import Path

from flowtopd.wire import recording, samples
from flowtopd.wire.recording import KEY_EVERY, MAGIC
from tests.flowtopd.wire.recorded import history, written

TEXT = (Path(__file__).parents[2] / "docs" / "recording.md").read_text(encoding="utf-8")


def test_the_example_tells_when_samples_were_taken_and_of_how_many_flows(tmp_path: Path) -> None:
    (program,) = re.findall(r"^```python$\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
    taken = history(3, KEY_EVERY + 10)
    path = tmp_path / "x.flowtop"
    path.write_bytes(written(taken))
    done = subprocess.run([sys.executable, "-c", program, path], capture_output=True, text=True, check=True)
    first, *lines = done.stdout.splitlines()
    assert first == "router flowtopd 0"
    assert lines == [f"{each.at_s} {each.size}" for each in taken]


def test_the_limits_are_the_codes() -> None:
    assert f"Format {MAGIC[-1]}." in TEXT
    assert f"at least every {KEY_EVERY} samples" in TEXT
    frame, plain, flows = recording.MAX_FRAME >> 20, recording.MAX_PLAIN >> 20, f"{samples.MAX_FLOWS:_}"
    assert f"{frame} MiB a frame, {plain} MiB unpacked, {flows.replace('_', ' ')} flows" in TEXT
