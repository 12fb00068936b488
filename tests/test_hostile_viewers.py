"""Too many viewers, too fast, and too few file descriptors: on a real daemon, beside a viewer that must not notice."""

import contextlib
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import pytest

from flowtopd.session.places import RESERVED
from flowtopd.wire.codec import decode_daemon, encode_viewer
from flowtopd.wire.errors import ErrorCode
from flowtopd.wire.framing import MAX_DAEMON_FRAME, FrameReader
from flowtopd.wire.messages import PROTOCOL_VERSION, DaemonMessage, Error, Hello, Query, Snapshot, Welcome
from testbed.daemon import ROOT, Daemon
from testbed.netns import Namespace, wait_until
from testbed.terminal import Terminal
from testbed.users import as_user, connected, reachable

pytestmark = pytest.mark.kernel

ALICE, BOB = 12_001, 12_002
GID = 4
HELLO = encode_viewer(Hello(PROTOCOL_VERSION))


def heard(sock: socket.socket) -> DaemonMessage:
    """The first message."""
    sock.settimeout(20)
    frames = FrameReader(MAX_DAEMON_FRAME)
    while True:
        data = sock.recv(65_536)
        assert data, "the daemon has closed the connection"
        for body in frames.feed(data):
            return decode_daemon(body)


class Good:
    """A viewer that does as it should, in a thread, and takes the times of its frames."""

    def __init__(self, daemon: Daemon, interval_s: float = 0.2) -> None:
        self._path = os.fspath(daemon.socket)
        self._interval_s = interval_s
        self._socket = socket.socket(socket.AF_UNIX)
        self.times: list[float] = []
        self.seqs: list[int] = []
        self._thread = threading.Thread(target=self._read, daemon=True)

    def __enter__(self) -> Self:
        self._socket.connect(self._path)
        self._socket.sendall(HELLO + encode_viewer(Query(interval=self._interval_s, loopback=True)))
        self._thread.start()
        wait_until(lambda: len(self.times) >= 3)
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join(10)
        self._socket.close()

    def _read(self) -> None:
        frames = FrameReader(MAX_DAEMON_FRAME)
        while data := self._socket.recv(65_536):
            for body in frames.feed(data):
                match decode_daemon(body):
                    case Snapshot() as snapshot:
                        self.times.append(time.monotonic())
                        self.seqs.append(snapshot.seq)

    def missed(self) -> int:
        """How many ticks there were of which it has seen nothing."""
        return self.seqs[-1] - self.seqs[0] + 1 - len(self.seqs)

    def slowest(self) -> float:
        """The longest time between two frames."""
        return max(second - first for first, second in zip(self.times, self.times[1:], strict=False))


@contextlib.contextmanager
def running(namespace: Namespace, directory: Path, toml: str) -> Iterator[Daemon]:
    daemon = Daemon(namespace, directory)
    daemon.configure(toml)
    with daemon:
        reachable(daemon.socket)
        yield daemon


def test_the_next_viewer_is_told_busy_in_one_line_on_the_screen_and_in_a_pipe_and_root_gets_in(
    namespace: Namespace, tmp_path: Path
) -> None:
    toml = '[access]\ngroup = "adm"\n[daemon]\nmax_viewers = 1\n'
    with running(namespace, tmp_path, toml) as daemon, connected(daemon.socket, ALICE, (GID,)) as (first,):
        first.sendall(HELLO)
        assert isinstance(heard(first), Welcome)
        done = as_user(daemon, BOB, "--once", "--json", groups=(GID,))
        assert (done.returncode, done.stdout) == (1, "")
        line = "the daemon refused: all 1 places for viewers are taken"
        assert done.stderr.splitlines() == [f"flowtop: {line}", "flowtop: close another viewer first"]
        with contextlib.ExitStack() as stack:
            for _ in range(RESERVED):
                sock = stack.enter_context(socket.socket(socket.AF_UNIX))
                sock.connect(os.fspath(daemon.socket))
                sock.sendall(HELLO)
                assert isinstance(heard(sock), Welcome)
            with Terminal(daemon.viewer_argv(), columns=80, rows=24) as terminal:
                terminal.wait_for("flowtop: close another viewer first")  # the line before has scrolled away
                assert terminal.exit_status() == 1
        first.close()
        wait_until(lambda: as_user(daemon, BOB, "--once", "--json", groups=(GID,)).returncode == 0)
        assert daemon.log.count("closed: busy") == 2  # bob, root


STORM = """
import os, socket, sys, time
path, hello, end = sys.argv[1], bytes.fromhex(sys.argv[2]), time.monotonic() + float(sys.argv[3])
count = failed = 0
held = []
began = time.monotonic()
while time.monotonic() < end:
    sock = socket.socket(socket.AF_UNIX)
    sock.setblocking(False)
    try:
        sock.connect(path)
        kind = count % 5
        if kind:
            sock.send((hello, hello[:7], b"GET / HTTP/1.1\\r\\n\\r\\n", hello * 2)[kind - 1])
    except OSError:
        failed += 1
    held.append(sock)
    if len(held) > 200:
        held.pop(0).close()
    count += 1
    ahead = began + count / 1000 - time.monotonic()
    if ahead > 0:
        time.sleep(ahead)
print(count, failed)
"""


def test_a_thousand_connects_a_second_do_no_harm(namespace: Namespace, tmp_path: Path) -> None:
    """Some say nothing, some half a hello, some nonsense; all vanish."""
    with running(namespace, tmp_path, "[daemon]\nmax_viewers = 16\n") as daemon, Good(daemon) as good:
        argv = [sys.executable, "-c", STORM, str(daemon.socket), HELLO.hex(), "4"]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=True, cwd=ROOT)
        count, _failed = map(int, done.stdout.split())
        assert count > 1500
        assert (good.missed(), good.slowest() < 1.0) == (0, True), good.slowest()
        assert len(daemon.log.splitlines()) < 20
        assert len(list(Path(f"/proc/{daemon.pid}/fd").iterdir())) < 500
        wait_until(lambda: len(list(Path(f"/proc/{daemon.pid}/fd").iterdir())) < 60)
        assert daemon.flowtop("--once", "--json").returncode == 0


class Cramped(Daemon):
    """A daemon that may open few files."""

    @property
    def argv(self) -> list[str]:
        return ["prlimit", "--nofile=64:64", *super().argv]


def test_without_file_descriptors_viewers_go_on_and_the_next_ones_are_told(
    namespace: Namespace, tmp_path: Path
) -> None:
    daemon = Cramped(namespace, tmp_path)
    daemon.configure("[daemon]\nmax_viewers = 200\n")
    with daemon, Good(daemon) as good, contextlib.ExitStack() as stack:
        answers = []
        for _ in range(100):
            sock = stack.enter_context(socket.socket(socket.AF_UNIX))
            sock.connect(os.fspath(daemon.socket))
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                sock.sendall(HELLO)
            answers.append(heard(sock))
        refused = [answer for answer in answers if not isinstance(answer, Welcome)]
        assert refused
        assert set(refused) == {Error(ErrorCode.BUSY, "the daemon has no file descriptors left")}
        ticks = len(good.times)
        used = cpu_seconds(daemon.pid)
        wait_until(lambda: len(good.times) >= ticks + 5)
        assert cpu_seconds(daemon.pid) - used < 0.5  # it does not spin
        assert daemon.log.count("cannot take a viewer") == 1
        assert len(daemon.log.splitlines()) < 10
        stack.close()
        wait_until(lambda: daemon.flowtop("--once", "--json").returncode == 0)


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_a_viewer_that_is_stopped_or_killed_in_the_middle_of_an_answer_holds_up_nobody(
    namespace: Namespace, tmp_path: Path
) -> None:
    with running(namespace, tmp_path, "") as daemon, Good(daemon) as good:
        viewers = [
            subprocess.Popen(daemon.viewer_argv("--json", "-t", "0.2"), stdout=subprocess.PIPE, cwd=ROOT)
            for _ in range(4)
        ]
        try:
            for viewer in viewers:
                assert viewer.stdout is not None
                assert select.select([viewer.stdout], [], [], 20)[0]
            for viewer, number in zip(viewers, (signal.SIGSTOP, signal.SIGKILL) * 2, strict=True):
                viewer.send_signal(number)
            ticks = len(good.times)
            wait_until(lambda: len(good.times) >= ticks + 10)
        finally:
            for viewer in viewers:
                viewer.kill()
                viewer.communicate()
        assert good.missed() == 0


@pytest.mark.parametrize("place", ["run", "socket"])
def test_a_directory_that_others_may_write_to_is_refused_in_one_line(
    namespace: Namespace, tmp_path: Path, place: str
) -> None:
    daemon = Daemon(namespace, tmp_path)
    daemon.runtime_dir.mkdir()
    daemon.configure("")
    wrong = daemon.runtime_dir if place == "run" else tmp_path
    wrong.chmod(0o1777)
    done = subprocess.run(
        namespace.argv(daemon.argv), capture_output=True, text=True, timeout=30, check=False, cwd=ROOT
    )
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        f"flowtopd: others can write to {wrong}, and could put another socket there",
        f"flowtopd: `chmod go-w {wrong}`, or choose another directory with --runtime-dir and --socket",
    ]
    assert not daemon.socket.exists()
