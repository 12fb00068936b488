"""The child that downloads: what it may, what it must not, and what becomes of one that misbehaves."""

import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from flowtopd.enrich.geoip.records import Kind
from flowtopd.geoip_update.child import Child, Silent
from flowtopd.geoip_update.job import Done, Failed, Got, Job
from testbed.daemon import ROOT
from testbed.netns import wait_until
from tests.flowtopd.geoip_update.conftest import Make
from tests.flowtopd.geoip_update.mirror import Mirror, Reply


@pytest.fixture
def files(tmp_path: Path) -> Iterator[tuple[int, int]]:
    with tempfile.TemporaryFile(dir=tmp_path) as raw, tempfile.TemporaryFile(dir=tmp_path) as out:
        os.fchmod(out.fileno(), 0o644)
        yield raw.fileno(), out.fileno()


def job(mirror: Mirror, path: str = "/x") -> Job:
    return Job(mirror.url + path, mirror.url + path + ".sha256", Kind.ASN)


def status(pid: int) -> dict[str, str]:
    lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def test_it_fetches(mirror: Mirror, make: Make, files: tuple[int, int]) -> None:
    mirror.replies = {"/x": Reply(make("asn"))}
    with Child(job(mirror), *files) as child:
        *on_the_way, done = child.answers()
    assert isinstance(done, Done)
    assert done.kind is Kind.ASN
    assert all(isinstance(answer, Got) for answer in on_the_way)
    assert os.pread(files[1], done.size + 1, 0) == make("asn")


def test_one_that_says_nothing_for_a_while_is_told_to_be_silent_once(mirror: Mirror, files: tuple[int, int]) -> None:
    program = "import sys; sys.stdin.readline(); print('x' * 9000)"
    with Child(job(mirror), *files, program=program, patience_s=0.0) as child:
        silent, failed = child.answers()
    assert isinstance(silent, Silent)
    assert isinstance(failed, Failed)


@pytest.mark.kernel
def test_it_downloads_as_nobody_without_any_capability(mirror: Mirror, make: Make, files: tuple[int, int]) -> None:
    held = threading.Event()
    mirror.replies = {"/x": Reply(make("asn"), held=held)}
    with Child(job(mirror), *files) as child:
        answers = child.answers()
        assert isinstance(next(answers), Got)
        seen = status(child.pid)
        limits = Path(f"/proc/{child.pid}/limits").read_text(encoding="ascii")
        open_files = [str(path.readlink()) for path in Path(f"/proc/{child.pid}/fd").iterdir()]
        environment = Path(f"/proc/{child.pid}/environ").read_bytes()
        held.set()
        assert isinstance(list(answers)[-1], Done)
    assert seen["Uid"].split() == ["65534"] * 4
    assert seen["Gid"].split() == ["65534"] * 4
    assert seen["Groups"] == ""
    for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        assert int(seen[name], 16) == 0, name
    assert seen["NoNewPrivs"] == "1"
    assert [line.split()[2:4] for line in limits.splitlines() if line.startswith("Max processes")] == [["0", "0"]]
    assert len([name for name in open_files if not name.startswith("socket:")]) == 5, "standard ones and two files"
    assert b"HOME=" not in environment


def test_it_ends_when_it_is_killed(mirror: Mirror, files: tuple[int, int]) -> None:
    mirror.replies = {"/x": Reply(b"x" * 1000, held=threading.Event())}
    with Child(job(mirror), *files) as child:
        answers = child.answers()
        next(answers)
        child.kill()
        last = list(answers)[-1]
    assert last == Failed("the download ended without an answer")


def test_it_ends_when_its_time_is_up(mirror: Mirror, files: tuple[int, int]) -> None:
    mirror.replies = {"/x": Reply(b"x" * 1000, held=threading.Event())}
    with Child(job(mirror), *files, deadline_s=1.0) as child:
        last = list(child.answers())[-1]
        assert not Path(f"/proc/{child.pid}/fd").exists() or not list(Path(f"/proc/{child.pid}").glob("fd/*"))
    assert last == Failed("took longer than 1 s")


@pytest.mark.parametrize(
    ("program", "says"),
    [
        ("print('nonsense', flush=True); import time; time.sleep(60)", "the download answered nonsense"),
        (
            "print('x' * 100_000, end='', flush=True); import time; time.sleep(60)",
            "the download ended without an answer",
        ),
        ("raise SystemExit('no such thing')", "the download ended without an answer: no such thing"),
        ("import os; os.kill(os.getpid(), 11)", "the download ended without an answer"),
        ("raise SystemExit('\\x1b[31mred')", "the download ended without an answer:  [31mred"),
    ],
)
def test_a_child_that_misbehaves_has_failed(mirror: Mirror, files: tuple[int, int], program: str, says: str) -> None:
    with Child(job(mirror), *files, program=program) as child:
        answers = list(child.answers())
    assert answers == [Failed(says)]


PARENT = """
import os, sys, tempfile
from flowtopd.geoip_update.child import Child, Silent
from flowtopd.geoip_update.job import Job
with tempfile.TemporaryFile() as raw, tempfile.TemporaryFile() as out:
    with Child(Job(sys.argv[1], sys.argv[1] + '.sha256'), raw.fileno(), out.fileno()) as child:
        answers = child.answers()
        print(child.pid, next(answers), flush=True)
        list(answers)
"""


@pytest.mark.kernel
def test_it_ends_with_its_parent(mirror: Mirror) -> None:
    """Even a SIGKILL of the daemon leaves no download behind."""
    mirror.replies = {"/x": Reply(b"x" * 1000, held=threading.Event())}
    argv = [sys.executable, "-c", PARENT, f"{mirror.url}/x"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, cwd=ROOT) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline().split()[0])
        assert status(pid)["State"][0] in "SR"
        parent.kill()
    wait_until(lambda: not Path(f"/proc/{pid}").exists() or status(pid)["State"].startswith("Z"))


@pytest.mark.kernel
def test_root_that_may_not_become_nobody_downloads_nothing(mirror: Mirror) -> None:
    """Root in a service whose capabilities were cut down, without CAP_SETUID and CAP_SETGID."""
    mirror.replies = {"/x": Reply(b"x" * 1000)}
    argv = ["setpriv", "--bounding-set", "-setuid,-setgid", sys.executable, "-c", PARENT, f"{mirror.url}/x"]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=30, check=False, cwd=ROOT)
    assert "cannot give up the daemon's rights" in done.stdout
    assert mirror.requests == []
