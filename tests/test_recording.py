"""Recording and replay, end to end: a real daemon on a real kernel writes, a daemon without either shows."""

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import pytest

from flowtopd.wire.codec import decode_daemon, encode_viewer
from flowtopd.wire.demo import DEMO
from flowtopd.wire.errors import RecordingError
from flowtopd.wire.framing import MAX_DAEMON_FRAME, FrameReader
from flowtopd.wire.messages import PROTOCOL_VERSION, Hello, Query, Seek, Snapshot, ViewerMessage
from flowtopd.wire.recording_file import open_recording
from testbed.daemon import ROOT, Daemon
from testbed.netns import Namespace, wait_until
from testbed.router import Router
from testbed.terminal import Terminal
from testbed.traffic import Flow

pytestmark = pytest.mark.kernel


def samples(path: Path) -> int:
    """How many samples a file has by now."""
    try:
        with open_recording(path) as recording:
            return len(recording)
    except RecordingError:
        return 0


@pytest.fixture
def traffic(router: Router) -> Iterator[Flow]:
    with Flow(router.lan[0], router.wan, "1.1.1.1", 5001, rate=200_000, echo=True) as flow:
        yield flow


def replayed(path: Path, *options: str) -> list[dict[str, Any]]:
    """The snapshots of a recording, as `flowtop --replay --json` tells them; without any right."""
    argv = ["setpriv", "--bounding-set", "-all", "--inh-caps", "-all", sys.executable, "-m", "flowtop_client"]
    argv += ["--replay", str(path), "--json", "-t", "0.1", "--speed", "10", *options]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=30, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_a_daemon_records_with_nobody_looking_and_the_recording_shows_the_same(
    router: Router, traffic: Flow, tmp_path: Path
) -> None:
    path = tmp_path / "x.flowtop"
    with Daemon(router.router, tmp_path, "--record", str(path)) as daemon:
        wait_until(lambda: samples(path) >= 2)
        seen = json.loads(daemon.flowtop("--once", "--json", "--all", "-n").stdout)
        wait_until(lambda: samples(path) >= 4)
        assert seen["status"]["viewers"] == 1
        assert daemon.stop() == 0
    assert path.stat().st_mode & 0o777 == 0o600
    played = replayed(path, "--all", "-n")
    (same,) = [each for each in played if each["time"] == seen["time"]]
    assert same["flows"] == seen["flows"]
    assert same["totals"] == seen["totals"]
    assert [flow["sport"] for flow in same["flows"] if flow["dport"] == 5001] == [traffic.sport]
    assert same["host"] == seen["host"]


def test_a_daemon_that_is_killed_leaves_what_can_be_played(router: Router, traffic: Flow, tmp_path: Path) -> None:
    path = tmp_path / "x.flowtop"
    with Daemon(router.router, tmp_path, "--record", str(path)) as daemon:
        wait_until(lambda: samples(path) >= 2)
        daemon.kill()
    played = replayed(path)
    assert [flow["sport"] for flow in played[-1]["flows"]] == [traffic.sport]


def test_a_viewer_records_what_it_sees(router: Router, traffic: Flow, tmp_path: Path) -> None:
    path = tmp_path / "x.flowtop"
    with Daemon(router.router, tmp_path) as daemon:
        done = daemon.flowtop("--record", str(path), "--once", "-n")
        assert done.returncode == 0, done.stderr
    (flow,) = replayed(path)[-1]["flows"]
    assert (flow["sport"], flow["dst"], flow["direction"]) == (traffic.sport, "1.1.1.1", "forwarded")
    assert flow["orig_rate"] > 100_000


class Viewer:
    """A viewer in a few lines."""

    def __init__(self, path: str) -> None:
        self._sock = socket.socket(socket.AF_UNIX)
        self._sock.settimeout(10)
        self._sock.connect(path)
        self._frames = FrameReader(MAX_DAEMON_FRAME)
        self._got: list[Snapshot] = []
        self.say(Hello(PROTOCOL_VERSION), Query(protocols=None, interval=0.1))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._sock.close()

    def say(self, *messages: ViewerMessage) -> None:
        self._sock.sendall(b"".join(map(encode_viewer, messages)))

    def until(self, what: Any) -> Snapshot:
        while True:
            while not self._got:
                bodies = self._frames.feed(self._sock.recv(1 << 16))
                self._got += [each for each in map(decode_daemon, bodies) if isinstance(each, Snapshot)]
            snapshot = self._got.pop(0)
            assert snapshot.replay is not None
            if what(snapshot.replay):
                return snapshot


def test_all_viewers_of_a_recording_share_one_place_in_it(tmp_path: Path) -> None:
    with (
        Namespace() as empty,
        Daemon(empty, tmp_path, "--replay", str(DEMO)) as daemon,
        Viewer(str(daemon.socket)) as first,
        Viewer(str(daemon.socket)) as second,
    ):
        first.say(Seek(seconds=30.0, paused=True))
        there = second.until(lambda replay: replay.paused)
        assert there.replay is not None
        assert there.replay.position >= 30
        second.say(Seek(samples=-1))
        back = first.until(lambda replay: replay.position < there.replay.position and replay.paused)
        assert back.time < there.time
        first.say(Seek(seconds=1e6, speed=5.0))
        end = second.until(lambda replay: replay.position == replay.duration)
        assert end.replay is not None
        assert (end.replay.ended, end.replay.speed) == (True, 5.0)
        assert end.rows


def test_a_daemon_that_shows_a_kernel_takes_no_seek(namespace: Namespace, tmp_path: Path) -> None:
    with Daemon(namespace, tmp_path) as daemon, Viewer(str(daemon.socket)) as viewer:
        viewer.say(Seek(seconds=1.0))
        text = b""
        while b"bad-state" not in text:
            data = viewer._sock.recv(1 << 16)
            assert data, "closed without a word"
            text += data


def test_the_screen_shows_the_demo() -> None:
    argv = [sys.executable, "-m", "flowtop_client", "--demo", "--all"]
    with Terminal(argv, columns=200, rows=40, cwd=ROOT) as terminal:
        terminal.wait_for("cache7.video.example")
        terminal.wait_for("living-room-tv")
        terminal.send_keys("q")
        assert terminal.exit_status() == 0
