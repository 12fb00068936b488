"""`flowtop -u`: the daemon updates the GeoIP databases, and its progress is shown until it has ended.

A bar on a terminal, plain lines without one; what went wrong goes to stderr. Text of the daemon is cleaned first. The
update goes on when this program is ended.
"""

from contextlib import aclosing
from dataclasses import replace
from typing import TextIO

from flowtop_client.connection.link import Connection, Down, NoDaemon, Target, Unavailable, rejection
from flowtop_client.humanize import clean
from flowtopd.wire.bar import Display, terminal_width
from flowtopd.wire.messages import Error, Progress, Update
from flowtopd.wire.plain import write_plainly


async def run(target: Target, out: TextIO, err: TextIO) -> bool:
    """Ask the daemon there; return whether the update went well.

    Raises Unavailable when there is no daemon, it refuses or is lost, OSError when nobody reads.
    """
    write_plainly(out)  # `█` in a locale that cannot write it
    display = Display()
    connection = Connection(target, Update())
    try:
        await connection.open()
        path = target if isinstance(target, str) else ""
        return await _follow(connection, path, display, out, err)
    except NoDaemon as error:
        raise Unavailable(error.what, "`sudo flowtopd --update` does it without one") from None
    finally:
        print(display.clear(), end="", file=out, flush=True)
        await connection.close()


async def _follow(connection: Connection, path: str, display: Display, out: TextIO, err: TextIO) -> bool:
    async with aclosing(connection.events()) as events:
        async for event in events:
            match event:
                case Progress():
                    _show(display, replace(event, text=clean(event.text), what=clean(event.what)), out, err)
                    if event.ended is not None:
                        return event.ended
                case Error():
                    raise rejection(event, path)
                case Down(why, hint):
                    raise Unavailable(f"lost the daemon: {why}", hint)
    raise Unavailable("lost the daemon")


def _show(display: Display, progress: Progress, out: TextIO, err: TextIO) -> None:
    if progress.text and not progress.good:
        print(display.clear(), end="", file=out, flush=True)
        print(f"flowtop: {progress.text}", file=err, flush=True)
    else:
        print(display.show(progress, terminal_width(out)), end="", file=out, flush=True)
