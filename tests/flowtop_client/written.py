"""What batch mode writes about the flows of a scripted daemon."""

import asyncio
import io

import pytest

from flowtop_client.batch import run
from flowtop_client.connection.link import Connection
from flowtop_client.formats import Format
from flowtop_client.view_state.state import ViewState
from flowtop_client.writers import query_of, writer_for
from tests.flowtop_client.scripted_daemon import ScriptedDaemon


def output(
    daemon: ScriptedDaemon,
    form: Format,
    *,
    state: ViewState | None = None,
    limit: int | None = None,
    once: bool = True,
    width: int | None = None,
    out: io.StringIO | None = None,
) -> str:
    """The output about the flows of `daemon`."""
    out = out or io.StringIO()
    state = state or ViewState()

    async def conversation() -> None:
        connection = Connection(daemon.path, query_of(state, form, limit))
        up = await connection.open()
        try:
            writer = writer_for(form, out, state, host=up.host, width=width)
            await run(connection, writer, out, once=once)
        finally:
            await connection.close()

    asyncio.run(asyncio.wait_for(conversation(), 30))
    return out.getvalue()


class _Stop(io.StringIO):
    """Hangs up like a reader that has had enough after some flushes; before that it asks for the next tick."""

    def __init__(self, daemon: ScriptedDaemon, flushes: int) -> None:
        super().__init__()
        self._daemon = daemon
        self._left = flushes

    def flush(self) -> None:
        self._left -= 1
        if not self._left:
            raise BrokenPipeError
        self._daemon.push()


def streamed(daemon: ScriptedDaemon, form: Format, *, ticks: int) -> str:
    """The output of so many ticks, until nobody reads on."""
    out = _Stop(daemon, ticks)
    with pytest.raises(BrokenPipeError):
        output(daemon, form, once=False, out=out)
    return out.getvalue()
