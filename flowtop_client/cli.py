"""The command `flowtop`: from argv to a viewer or to output for scripts, and an exit status.

    parser, options ─▶ cli ─┬─▶ on_screen ─▶ tui          what is shown of a daemon
                            ├─▶ output ─▶ batch, scrape
                            ├─▶ recorder
                            ├─▶ update
                            └─▶ standalone, connection.remote: where the daemon is, if it is not this host's

Status: 0 fine, also when a recording is ended by Ctrl-C, and when the reader of a pipe is gone; 1 the daemon cannot be
reached or was lost, a private one cannot be had, an update has failed, or a recording cannot be made or is broken;
2 usage; 3 something fits the condition of --exit-if; 130 batch output or an update ended by Ctrl-C, as a shell expects.
Every failure is one line on stderr, and at most one more that helps.

A mode is imported when it is chosen: together they take longer than a first screen may.
"""

import asyncio
import errno
import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from flowtop_client import on_screen
from flowtop_client.connection.link import NoDaemon, Target, Unavailable
from flowtop_client.connection.targets import Targets
from flowtop_client.exit_status import FAILED, INTERRUPTED, UNREACHABLE
from flowtop_client.humanize import clean
from flowtop_client.options import Options, parse
from flowtop_client.parser import DEFAULT_SOCKET
from flowtop_client.preferences.files import usual_files

_NO_ROOM: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})
"""Why output may end before it should, beside a reader that is gone."""


async def _serve(options: Options, targets: Targets) -> int:
    """Open the connection and show what comes; return the exit status. Raises Unavailable and OSError."""
    if options.record is not None:
        from flowtop_client.recorder import record  # noqa: PLC0415  # as the head says

        await record(options.record, options.state, targets[0][1], once=options.once)
        return 0
    if options.form is not None:
        from flowtop_client import output  # noqa: PLC0415  # as the head says

        return await output.write(options, options.form, targets)
    await on_screen.show(options, targets)
    return 0


async def _update(target: Target) -> int:
    from flowtop_client import update  # noqa: PLC0415  # as the head says

    return 0 if await update.run(target, sys.stdout, sys.stderr) else FAILED


def _privately(options: Options) -> int:
    from flowtop_client import standalone  # noqa: PLC0415  # as the head says

    own = replace(options, state=replace(options.state, private=True))
    return standalone.of_this_host(lambda targets: _serve(own, targets), activate=options.activate)


def _replayed(options: Options, path: Path) -> int:
    from flowtop_client import standalone  # noqa: PLC0415  # as the head says

    return standalone.of_recording(path, options.speed, lambda targets: _serve(options, targets))


async def _from_afar(options: Options, targets: Targets) -> int:
    """Show what the daemons of other hosts see, or have one updated. Raises Unavailable and OSError."""
    return await (_update(targets[0][1]) if options.update else _serve(options, targets))


def _show(options: Options) -> int:
    """Show what the system's daemon sees; for root without one, a private one's. Gives the exit status."""
    if options.hosts:
        from flowtop_client.connection import remote  # noqa: PLC0415  # as the head says

        # not $FLOWTOP_SOCKET: that one is here
        return remote.run(options.hosts, options.path or DEFAULT_SOCKET, lambda made: _from_afar(options, made))
    path = options.path or os.environ.get("FLOWTOP_SOCKET") or DEFAULT_SOCKET
    if options.update:
        return asyncio.run(_update(path))
    if options.replay is not None:
        return _replayed(options, options.replay)
    if options.standalone:
        return _privately(options)
    try:
        return asyncio.run(_serve(options, [("", path)]))
    except NoDaemon:
        if path != DEFAULT_SOCKET or os.geteuid() != 0:
            raise
        return _privately(options)


def main(argv: Sequence[str] | None = None) -> int:
    """The entry point. Gives the exit status."""
    if sys.stdout is None:  # closed by whoever started this: nobody reads
        sys.stdout = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115  # for as long as this runs
    terminal = all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stdout))
    terminal = terminal and os.environ.get("TERM") != "dumb"  # it cannot place a cursor
    options = parse(argv, terminal=terminal, settings=usual_files(os.environ).settings)
    try:
        status = _show(options)
        sys.stdout.flush()
    except Unavailable as error:
        lines = [f"flowtop: {clean(line)}" for line in (error.what, error.hint) if line]  # what a daemon says, too
        print(*lines, sep="\n", file=sys.stderr)
        return UNREACHABLE
    except BrokenPipeError:
        # the reader has what it wanted; nothing may be written at exit either
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        if error.errno not in _NO_ROOM:
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        print(f"flowtop: cannot write: {error.strerror}", file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        return 0 if options.record else INTERRUPTED
    return status
