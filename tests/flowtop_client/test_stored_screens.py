from pathlib import Path

import pytest

from tests.flowtop_client.conftest import MakeDaemon
from tests.flowtop_client.stored_screens import assert_screen
from tests.flowtop_client.terminal import Terminal


def test_a_screen_is_stored_when_all_of_it_is_there(
    make_daemon: MakeDaemon, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    daemon = make_daemon()
    daemon.answers = False
    with Terminal(["--socket", daemon.path]) as terminal:
        terminal.wait_for("waiting for the first snapshot")
        daemon.answers = True
        daemon.push()
        monkeypatch.setenv("FLOWTOP_WRITE_SCREENS", "1")
        assert_screen(terminal, "rows", tmp_path)
        assert "1-3 of 3" in (tmp_path / "rows.txt").read_text()
