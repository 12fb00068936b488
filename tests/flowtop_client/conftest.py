"""Fixtures for everything that talks to a daemon."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.flowtop_client.scripted_daemon import Flow, ScriptedDaemon, flow


@pytest.fixture(autouse=True)
def nobodys_preferences(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No viewer of a test reads or writes the files of whoever runs the tests."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


MakeDaemon = Callable[..., ScriptedDaemon]


@pytest.fixture
def make_daemon(tmp_path: Path) -> Iterator[MakeDaemon]:
    """Starts scripted daemons on `tmp_path`/flowtop.sock and ends them after the test."""
    with ExitStack() as stack:

        def make(flows: list[Flow] | None = None, **options: Any) -> ScriptedDaemon:
            path = str(tmp_path / "flowtop.sock")
            flows = [flow(number) for number in range(1, 4)] if flows is None else flows
            return stack.enter_context(ScriptedDaemon(path, flows, **options))

        yield make
