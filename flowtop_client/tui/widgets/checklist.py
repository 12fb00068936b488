"""A list of things that are on or off, one of them selected. It knows nothing of what they are.

[x] PROCESS     the program, or why it is not known
[ ] PID         number of the process
"""

from collections.abc import Sequence

from flowtop_client.tui.widgets.line import Line, cell_width, clipped

Entry = tuple[bool, str, str]
"""Whether it is on, what it is called, and what that means."""


def checklist(entries: Sequence[Entry], selected: int, first: int, width: int, height: int) -> list[Line]:
    """The lines from the entry `first` on, as many as there are and as have room."""
    wide = max((cell_width(name) for _, name, _ in entries), default=0)
    return [_line(entries[index], wide, width, chosen=index == selected) for index in range(first, len(entries))][
        :height
    ]


def _line(entry: Entry, wide: int, width: int, *, chosen: bool) -> Line:
    on, name, meaning = entry
    box = "[x] " if on else "[ ] "
    padded = name + " " * (wide - cell_width(name) + 2)
    if chosen:
        text = f" {box}{padded}{meaning}"
        return clipped([("class:cursor", text + " " * max(0, width - cell_width(text)))], width)
    return clipped([("class:key", f" {box}"), ("class:on" if on else "", padded), ("class:label", meaning)], width)
