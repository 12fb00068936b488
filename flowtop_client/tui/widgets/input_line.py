"""A text that is being typed, and under it what is wrong with it or what fits.

    /tcp and port abc_                                       the place is a cell in reverse
                  ^ port wants a whole number, or two …      the message stands where there is room for it

A text that is longer than the line is seen around the place.
"""

from collections.abc import Sequence

from flowtop_client.columns.excerpt import excerpt
from flowtop_client.humanize import clean
from flowtop_client.tui.widgets.line import Line, cell_width, clipped, line_width
from flowtop_client.view_state.text_input import Input


def input_line(prompt: str, typed: Input, width: int) -> Line:
    """The prompt, the text, and the place in it."""
    text = clean(typed.text)
    start, part = excerpt(text, typed.at, max(1, width - len(prompt)), cell_width)
    at = typed.at - start
    line = [("class:key", prompt), ("class:input", part[:at]), ("class:input.cursor", part[at : at + 1] or " ")]
    return clipped([*line, ("class:input", part[at + 1 :])], width)


def mark_line(prompt: str, typed: Input, offset: int, message: str, width: int) -> Line:
    """A mark under the character at `offset`, or at the end where that is not to be seen, and the message."""
    text = clean(typed.text)
    start, part = excerpt(text, typed.at, max(1, width - len(prompt)), cell_width)
    column = len(prompt) + cell_width(part[: max(0, offset - start)])
    column = min(column, width - 1)
    said = clean(message)
    if column + 2 + cell_width(said) <= width or column < width // 2:
        return clipped([("class:problem", f"{' ' * column}^ {said}")], width)
    before = clipped([("class:problem", said)], max(0, column - 1))
    return [*before, ("class:problem", " " * (column - line_width(before)) + "^")]


def choice_line(words: Sequence[str], chosen: int | None, width: int) -> Line:
    """The words that fit, from the chosen one on where not all have room."""
    first = 0 if chosen is None or cell_width("  ".join(words[: chosen + 1])) <= width else chosen
    line: Line = []
    for index, word in enumerate(words[first : first + width], first):
        line += [("class:tab.current" if index == chosen else "class:label", clean(word)), ("", "  ")]
    return clipped(line[:-1], width)
