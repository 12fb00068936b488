"""The mode without a screen: snapshots on stdout in a format, and on stderr what is to be known about them."""

import asyncio
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace

from flowtop_client import batch, condition, scrape
from flowtop_client.connection.link import Connection, Target, Unavailable, Up, named
from flowtop_client.connection.targets import Targets, link_to
from flowtop_client.exit_status import FITS, USAGE
from flowtop_client.formats import Format
from flowtop_client.mistakes import marked
from flowtop_client.options import Options
from flowtop_client.view_state.problems import notes
from flowtop_client.view_state.state import ViewState
from flowtop_client.view_state.versions import older_side
from flowtop_client.writers import query_of, writer_for
from flowtopd.wire.filter_parser import parse as parse_filter
from flowtopd.wire.messages import Query, Snapshot, View
from flowtopd.wire.plain import write_plainly


async def write(options: Options, form: Format, targets: Targets) -> int:
    """Write what comes; gives the exit status. Raises Unavailable and OSError."""
    write_plainly(sys.stdout)  # `→` and names in a locale that cannot write them
    try:
        if form is Format.OPENMETRICS:
            await _metrics(options, targets[0][1])
            return 0
        return FITS if await _rows(options, form, targets) else 0
    except batch.Refused as error:
        at = error.error.offset
        mark = () if at is None or not options.state.filter else marked(options.state.filter, at)
        print(f"flowtop: {error}", *mark, sep="\n", file=sys.stderr)
        return USAGE


async def _rows(options: Options, form: Format, targets: Targets) -> bool:
    """Write the rows of a view; tell whether some that fit the condition were found, where there is one."""
    state, fits = _conditional(options)
    query = query_of(state, form, options.limit)
    if len(targets) > 1 and form is Format.JSON:
        return await _json_of_each(options, targets, query, fits)
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    connection = link_to(targets, query, whole=True)
    up = await connection.open()
    older = older_side(up.server)
    mind = _noting(options, form, up, older) if fits is None else lambda _part: None
    try:
        writer = writer_for(form, sys.stdout, state, host=up.host, width=width)
        return await batch.run(connection, writer, sys.stdout, once=options.once, fits=fits, mind=mind)
    except Unavailable as error:
        raise Unavailable(error.what, error.hint or older) from None
    finally:
        await connection.close()


def _noting(options: Options, form: Format, up: Up, older: str) -> Callable[[Snapshot], None]:
    """Says on stderr what is to be known about the output, once; a table for people needs more of it."""
    people, said = form is Format.TEXT, set[str]()
    state = replace(options.state, may=up.may)

    def mind(snapshot: Snapshot) -> None:
        told = (*notes(state, snapshot, people=people), *([older] if older and people else []))
        for line in told:
            if line not in said:
                print(f"flowtop: {line}", file=sys.stderr)
        said.update(told)

    return mind


async def _json_of_each(options: Options, targets: Targets, query: Query, fits: batch.Fits | None) -> bool:
    """Write the snapshots of several hosts, each as it comes; tell whether rows that fit were found."""
    connections = {name: Connection(target, query) for name, target in targets}
    try:
        wrong = await asyncio.gather(*(_refusal(name, each) for name, each in connections.items()))
        for error in wrong:
            if error is not None:
                raise error
        return await batch.run_each(connections, sys.stdout, once=options.once, fits=fits)
    finally:
        for each in connections.values():
            await each.close()


async def _refusal(name: str, connection: Connection) -> Unavailable | None:
    """Open a connection to one of several hosts; why it is none."""
    try:
        await connection.open()
    except Unavailable as error:
        return named(name, error)
    return None


def _conditional(options: Options) -> tuple[ViewState, batch.Fits | None]:
    """What to ask for, and which of its rows fit: of flows the daemon tells, of groups we do."""
    state = options.state
    node = parse_filter(options.exit_if)
    if node is None:
        return state, None
    if state.view is View.FLOWS:
        both = f"({state.filter}) ({options.exit_if})" if state.filter else options.exit_if
        return replace(state, filter=both), lambda _row: True
    return state, lambda row: condition.fits(node, row, state.view)


async def _metrics(options: Options, target: Target) -> None:
    connection = Connection(target, scrape.first_query(options.state))
    up = await connection.open()
    try:
        await scrape.run(connection, options.state, sys.stdout, host=up.host, once=options.once)
    finally:
        await connection.close()
