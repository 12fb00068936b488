import json
import signal
from pathlib import Path

import pytest

from testbed.daemon import Daemon
from testbed.entries import mix
from testbed.inject import inject
from testbed.netns import Namespace, alive

pytestmark = pytest.mark.kernel


def test_a_daemon_answers_viewers_and_stops_when_told(daemon: Daemon) -> None:
    inject(daemon.namespace, mix(100))
    shown = daemon.flowtop("--once", "--json", "--all")
    assert shown.returncode == 0, shown.stderr
    assert len(json.loads(shown.stdout)["flows"]) == 100
    pid = daemon.pid
    assert daemon.stop() == 0
    assert not alive(pid)
    assert "ready" in daemon.log


def test_a_killed_daemon_can_be_started_again(daemon: Daemon) -> None:
    daemon.kill()
    daemon.start()
    assert daemon.stop(signal.SIGINT) == 0


def test_a_daemon_that_does_not_start_says_why(namespace: Namespace, tmp_path: Path) -> None:
    daemon = Daemon(namespace, tmp_path, "--no-such-option")
    with pytest.raises(RuntimeError, match=r"flowtopd does not start, status 2:\n.*no-such-option"):
        daemon.start()
