"""The screen on which columns are chosen: a pure function of the state and the size.

flowtop myhost   columns of Flows                    what is chosen from
 [x] PROCESS  the program, or why it is not known    in the order of the screen, one of them selected
 [ ] PID      number of the process
 …
Space on, off  < > order  Enter keeps  w writes …    footer
"""

from typing import Final

from flowtop_client.columns.meanings import all_columns, meaning
from flowtop_client.humanize import clean
from flowtop_client.tui.widgets.checklist import checklist
from flowtop_client.tui.widgets.line import EMPTY, Line, clipped, joined, line_width
from flowtop_client.view_state.column_choice import ColumnChoice, seen_from
from flowtop_client.view_state.state import ViewState

_HINTS: Final = (
    "Space on, off  < > earlier, later  a automatic  Enter keeps  w writes to the file  Esc as before",
    "Space on, off  < > order  a auto  Enter keeps  w writes  Esc as before",
    "Space  < >  a auto  Enter keeps  w writes  Esc",
    "Enter keeps  Esc",
)


def column_page(state: ViewState, choice: ColumnChoice, width: int, height: int) -> list[Line]:
    """All lines, at most `height`."""
    room = max(1, height - 2)
    titles = {column.name: column.title for column in all_columns(state.view, state.sort)}
    entries = [(on, titles.get(name, name), meaning(state.view, name)) for name, on in choice.columns]
    body = checklist(entries, choice.at, seen_from(choice, room), width, room)
    body += [EMPTY] * (room - len(body))
    how = "as many as there is room for" if choice.automatic else f"{sum(on for _, on in choice.columns)} chosen"
    program = joined([[("class:program", "flowtop")], [("", clean(state.host))] if state.host else []], " ")
    of: Line = [("class:value", f"columns of {state.view.value}"), ("class:label", f"  {how}")]
    hint = next((hint for hint in _HINTS if line_width([("", hint)]) <= width), _HINTS[-1])
    lines = [clipped(joined([program, of], "   "), width), *body, clipped([("class:label", hint)], width)]
    return lines[-max(height, 1) :]
