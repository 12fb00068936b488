"""What a program of ours tells another by its standard output: a line of JSON when it is ready, one at the end."""

import json
import subprocess
from typing import Any


def line(process: subprocess.Popen[bytes]) -> Any:
    """The next line, decoded. Raises RuntimeError where the program has ended instead."""
    assert process.stdout is not None
    text = process.stdout.readline()
    if not text:
        raise RuntimeError(f"{process.args!r} ended with {process.wait(5)}")
    return json.loads(text)
