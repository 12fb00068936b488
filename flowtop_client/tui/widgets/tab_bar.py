"""The line of tabs: their keys and titles, the current one in reverse. It says as much as there is room for.

1 Flows  2 Processes  3 Devices  4 Hosts …
1Flows 2Processes 3Devices 4Hosts …                on 80 columns
1Flow 2Processes 3Devi 4Host …
1 2Processes 3 4 …
"""

from collections.abc import Sequence
from typing import Final

from flowtop_client.tui.widgets.line import Line, clipped, line_width

_SHORT: Final = 4


def tab_bar(titles: Sequence[str], current: int, width: int) -> Line:
    """The widest form that fits."""
    short = [title if index == current else title[:_SHORT] for index, title in enumerate(titles)]
    none = [title if index == current else "" for index, title in enumerate(titles)]
    forms = ((titles, " ", "  "), (titles, "", " "), (short, "", " "), (none, "", " "))
    lines = [_bar(shown, current, inside, between) for shown, inside, between in forms]
    return next((line for line in lines if line_width(line) <= width), clipped(lines[-1], width))


def _bar(titles: Sequence[str], current: int, inside: str, between: str) -> Line:
    line: Line = []
    for index, title in enumerate(titles):
        if line:
            line.append(("class:tab", between))
        style = "class:tab.current" if index == current else "class:tab"
        line += [("class:tab.key", str(index + 1)), (style, inside.strip() + title)]
        if inside and title:
            line.insert(-1, ("class:tab", inside))
    return line


def tab_at(titles: Sequence[str], current: int, width: int, x: int) -> int | None:
    """The place of the tab at this cell of the line; what is between two belongs to the one before."""
    found, end = None, 0
    for style, text in tab_bar(titles, current, width):
        if style == "class:tab.key" and end <= x:
            found = 0 if found is None else found + 1
        end += line_width([(style, text)])
    return found if x < end else None
