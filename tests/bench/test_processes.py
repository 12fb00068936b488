import os
import subprocess
import sys
import time

import pytest

from bench.processes import cpu, cpu_seconds


def test_cpu_seconds_of_this_process_are_what_its_own_clock_says() -> None:
    before = time.process_time()
    said = cpu_seconds(os.getpid())
    assert before <= said <= time.process_time()


def test_cpu_seconds_of_another_process_count_its_threads_too() -> None:
    work = "import threading, time\ndef work():\n while time.thread_time() < 0.1: pass\n"
    run = (
        "for t in [threading.Thread(target=work) for _ in range(2)]: t.start(); t.join()\nprint(1, flush=True); input()"
    )
    with subprocess.Popen([sys.executable, "-c", work + run], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        said = cpu_seconds(process.pid)
        assert said >= 0.2
        assert cpu(process.pid).total == pytest.approx(said, abs=0.03)
        process.communicate(b"\n")


def test_a_process_that_is_gone_is_an_error() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    with pytest.raises(OSError, match="Invalid"):
        cpu_seconds(process.pid)
