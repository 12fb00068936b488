"""The last lines of the screen while something is asked, and the line that says how it went.

    Close the TCP connection of this flow? It is over then.              what will happen
      tcp 10.0.0.1:40001 > 192.0.2.2:443, firefox[4711]                  to whom
    y yes  n no

On a low screen one line has to do: `y/n tcp 10.0.0.1:40001 > …`.
"""

from flowtop_client.columns.column import Cut
from flowtop_client.columns.fit import cut
from flowtop_client.humanize import clean
from flowtop_client.tui.widgets.line import Line, cell_width, clipped


def question_lines(question: str, about: str, width: int, height: int) -> list[Line]:
    """A question in three lines, or in one. What it is about gives way in its middle."""
    told = clean(about)
    if height < 3:
        word = question.split(maxsplit=1)[0].lower()
        return [clipped([("class:problem", f"y/n {word} {told}?")], width)]
    return [
        clipped([("class:problem", question)], width),
        clipped([("", "  "), ("class:value", cut(told, max(1, width - 2), Cut.MIDDLE, cell_width))], width),
        clipped([("class:key", "y"), ("class:label", " yes  "), ("class:key", "n"), ("class:label", " no")], width),
    ]


def notice_line(text: str, width: int, *, good: bool) -> Line:
    """What is told for some seconds."""
    return clipped([("class:on" if good else "class:problem", clean(text))], width)
