"""Keys and what they do, in one column or two. Sections go in, lines come out."""

from collections.abc import Sequence
from typing import Final

from flowtop_client.tui.widgets.line import EMPTY, Line, clipped, line_width

Section = tuple[str, Sequence[tuple[str, str]]]
"""A heading, and pairs of keys and their meaning."""

_KEYS_WIDTH: Final = 12
_TWO_COLUMNS_FROM: Final = 76


def _section(section: Section) -> list[Line]:
    heading, entries = section
    lines: list[Line] = [[("class:heading", heading)]]
    lines += [[("class:key", f" {keys:<{_KEYS_WIDTH}}"), ("", meaning)] for keys, meaning in entries]
    return lines


def manual(sections: Sequence[Section], width: int) -> list[Line]:
    """The sections below one another, or where there is room for it in two columns, each under the shorter one."""
    blocks = [_section(section) for section in sections]
    if width < _TWO_COLUMNS_FROM:
        return [clipped(line, width) for block in blocks for line in [*block, EMPTY]][:-1]
    left: list[Line] = []
    right: list[Line] = []
    for block in blocks:
        column = min(left, right, key=len)
        column += [EMPTY, *block] if column else block
    half = width // 2
    rows = max(len(left), len(right))
    left += [EMPTY] * (rows - len(left))
    right += [EMPTY] * (rows - len(right))
    return [_beside(a, b, half, width) for a, b in zip(left, right, strict=True)]


def _beside(left: Line, right: Line, half: int, width: int) -> Line:
    left = clipped(left, half - 1)
    return [*left, ("", " " * (half - line_width(left))), *clipped(right, width - half)]
