"""The mode with a screen. The first query is on its way before what draws is imported."""

import os
import shutil
from dataclasses import replace
from importlib import import_module

from flowtop_client.columns.column import needed_fields
from flowtop_client.columns.flows import flow_columns
from flowtop_client.connection.targets import Targets, link_to
from flowtop_client.importing import postponed, uncollected
from flowtop_client.options import Options
from flowtop_client.preferences.files import usual_files
from flowtop_client.view_state.filter_line import remembered
from flowtop_client.view_state.state import query_for


async def show(options: Options, targets: Targets) -> None:
    """Show what comes until the user leaves. Raises Unavailable."""
    lines, state, files = shutil.get_terminal_size().lines, options.state, usual_files(os.environ)
    history = remembered(files.history(), state.filter)
    state = replace(state, page=lines, fields=needed_fields(flow_columns(source=True)), history=history)
    connection = link_to(targets, query_for(state), whole=False)
    up = await connection.open()
    try:
        with uncollected():
            postponed("prompt_toolkit")  # it has dialogs, prompts and progress bars in it: 5 ms and 1 MB
            import_module("prompt_toolkit.application")  # first, as there: its modules import one another in circles
            # 50 ms and 7 MB, which output for scripts never needs; and the daemon makes the first snapshot meanwhile
            from flowtop_client.tui.app import run  # noqa: PLC0415

        colours = not os.environ.get("NO_COLOR")
        reason = await run(connection, state, up, files=files, keys=options.keys, colours=colours)
    finally:
        await connection.close()
    if reason is not None:
        raise reason
