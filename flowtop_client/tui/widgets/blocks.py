"""Blocks of lines below one another, or where there is room for it in two columns, each under the shorter one."""

from collections.abc import Sequence
from typing import Final

from flowtop_client.tui.widgets.line import EMPTY, Line, clipped, line_width

TWO_COLUMNS_FROM: Final = 110
"""A width at which both columns have room for an IPv6 address behind a label."""


def block_width(width: int) -> int:
    """How wide a block may be on a screen of this width."""
    return width // 2 - 1 if width >= TWO_COLUMNS_FROM else width


def arranged(blocks: Sequence[Sequence[Line]], width: int) -> list[Line]:
    """The lines of all blocks, which are no wider than `block_width`."""
    if width < TWO_COLUMNS_FROM:
        return [clipped(line, width) for block in blocks for line in [*block, EMPTY]][:-1]
    left: list[Line] = []
    right: list[Line] = []
    for block in blocks:
        column = left if len(left) <= len(right) else right
        column += [EMPTY, *block] if column else block
    half = width // 2
    rows = max(len(left), len(right))
    left += [EMPTY] * (rows - len(left))
    right += [EMPTY] * (rows - len(right))
    return [
        [*a, ("", " " * (half - line_width(a))), *clipped(b, width - half)] if b else a
        for a, b in zip(left, right, strict=True)
    ]
