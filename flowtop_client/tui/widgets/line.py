"""Lines of styled text, built from the left, never wider than asked. Width is counted in terminal cells."""

from typing import Final

from prompt_toolkit.utils import get_cwidth

from flowtop_client.columns.column import Cut
from flowtop_client.columns.fit import cut
from flowtopd.wire.plain import PLAIN

Line = list[tuple[str, str]]
"""Fragments: a style and a text."""

EMPTY: Final[Line] = []


def cell_width(text: str) -> int:
    """How many cells a clean text takes. get_cwidth keeps every short text for ever, so it sees single characters."""
    return len(text) if text.isascii() else sum(map(get_cwidth, text))


def line_width(line: Line) -> int:
    """How many cells a line takes."""
    return sum(cell_width(text) for _, text in line)


def clipped(line: Line, width: int) -> Line:
    """A line cut at its end to at most `width` cells."""
    shown: Line = []
    for style, text in line:
        if width <= 0:
            break
        part = cut(text, width, Cut.END, cell_width)
        shown.append((style, part))
        width -= cell_width(part)
    return shown


def in_ascii(line: Line) -> Line:
    """The same for a terminal that can write nothing but ASCII: other characters are drawn with those that it has.

    What is left is one cell wide each, and the terminal's encoding decides.
    """
    return [(style, text if text.isascii() else "".join(map(_in_ascii, text))) for style, text in line]


def _in_ascii(char: str) -> str:
    if char.isascii():
        return char
    return PLAIN.get(char) or (char if (cells := get_cwidth(char)) == 1 else "?" * cells)


def spread(left: Line, right: Line, width: int) -> Line:
    """`left` and `right` at the two ends of a line. Where both do not fit, `right` gives way, as a whole."""
    left = clipped(left, width)
    space = width - line_width(left) - line_width(right)
    return [*left, ("", " " * space), *right] if right and space > 0 else left


def joined(parts: list[Line], between: str = "  ") -> Line:
    """Parts in a row, `between` each two of them; empty ones are left out."""
    line: Line = []
    for part in parts:
        if part:
            line += [("", between), *part] if line else part
    return line
