"""Whose answer is worked out next: one at a time, and who has asked goes before whom only a new tick has woken.

A tick wakes every viewer at once, and at 100 000 flows each answer is milliseconds of work. Without turns a key would
wait for the answers to all of them; with turns it waits for the one that is being made. Nobody is passed by
twice in a row: those who ask without end take no more than every other turn from those who wait for a tick.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final, NamedTuple

_STEPS: Final = 3
"""Rounds of the event loop between two turns: so many does a message take from the socket to where it asks."""


class _Waiting(NamedTuple):
    has_asked: Callable[[], bool]
    turn: asyncio.Future[None]


class Turns:
    """The turns of all viewers of a server. Lives on its event loop."""

    def __init__(self) -> None:
        self._taken = False
        self._waiting: list[_Waiting] = []
        self._passed_by = False

    @asynccontextmanager
    async def turn(self, has_asked: Callable[[], bool]) -> AsyncIterator[None]:
        """Wait for one's turn and have it. `has_asked` is called when a turn is given: one may ask while one waits."""
        await self._wait(has_asked)
        try:
            yield
        finally:
            self._pass_on(_STEPS)

    async def _wait(self, has_asked: Callable[[], bool]) -> None:
        if not self._taken:
            self._taken = True
            return
        waiting = _Waiting(has_asked, asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        try:
            await waiting.turn
        except asyncio.CancelledError:
            if not waiting.turn.cancelled():  # it was given the turn already, and does not want it
                self._pass_on(_STEPS)
            raise

    def _pass_on(self, steps: int) -> None:
        if steps:
            asyncio.get_running_loop().call_soon(self._pass_on, steps - 1)
            return
        self._waiting = [waiting for waiting in self._waiting if not waiting.turn.cancelled()]
        if self._waiting:
            self._next().turn.set_result(None)
        else:
            self._taken = False

    def _next(self) -> _Waiting:
        """Take out who comes next: the first who has asked, or the first of all when that was passed by last time."""
        first = 0
        if not self._passed_by:
            first = next((at for at, waiting in enumerate(self._waiting) if waiting.has_asked()), 0)
        self._passed_by = first > 0
        return self._waiting.pop(first)
