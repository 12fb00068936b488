"""The switch for recordings that a viewer has: one at a time, each in a new file in the current directory."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from socket import socket
from typing import Protocol

from flowtop_client.connection.link import Target, Unavailable
from flowtop_client.recorded import Recorded
from flowtop_client.view_state.state import ViewState


class _Recorder(Protocol):
    """What a Recorder is to its switch."""

    recorded: Recorded

    async def run(self, target: Target, *, once: bool = False) -> None:
        """Record until cancelled. Raises Unavailable."""


Ended = Callable[[Recorded, str], None]
"""Takes how far a recording came, and why it ended: empty where it was stopped."""


class Recordings:
    """The recordings of one viewer: at most one at a time, in a task of `tasks`, in a file of `directory`."""

    def __init__(
        self,
        target: Target | None,
        tasks: asyncio.TaskGroup,
        directory: Path,
        *,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._target = target
        self._tasks = tasks
        self._directory = directory
        self._wall = wall
        self._task: asyncio.Task[None] | None = None
        self._recorder: _Recorder | None = None

    @property
    def recorded(self) -> Recorded | None:
        """How far the one that runs is; None where none does."""
        return None if self._recorder is None else self._recorder.recorded

    def start(self, state: ViewState, ended: Ended) -> Path:
        """Begin one of what this state shows; gives its file. Raises Unavailable."""
        if self._target is None:
            raise Unavailable("a recording is of one host: `flowtop --host HOST --record FILE` makes one")
        if isinstance(self._target, socket):
            raise Unavailable("a private daemon serves this viewer alone: nothing can record from it")
        path = self._directory / time.strftime("flowtop-%Y%m%d-%H%M%S.flowtop", time.localtime(self._wall()))
        from flowtop_client.recorder import Recorder  # noqa: PLC0415  # most viewers record nothing

        self._recorder = recorder = Recorder(path, state)
        self._task = self._tasks.create_task(self._run(self._target, recorder, ended))
        return path

    def stop(self) -> None:
        """End it, if one runs."""
        if self._task is not None:
            self._task.cancel()

    async def _run(self, target: Target, recorder: _Recorder, ended: Ended) -> None:
        why = ""
        try:
            await recorder.run(target)
        except Unavailable as error:
            why = error.what
        finally:
            self._task = self._recorder = None
            ended(recorder.recorded, why)
