"""The part of a long text around one place, so that the place can be seen. Pure; the width is measured as in `fit`."""

from collections.abc import Callable
from typing import Final

_AHEAD: Final = 4
"""A quarter of the width is kept for what stands behind the place."""


def excerpt(text: str, at: int, width: int, measure: Callable[[str], int]) -> tuple[int, str]:
    """Where the part begins, and the part: at most `width` cells, with the character at `at` or the end among them."""
    if measure(text) < width:
        return 0, text
    start, end, used = at, at, 0
    while start > 0 and (used := used + measure(text[start - 1])) <= width - max(1, width // _AHEAD):
        start -= 1
    used = measure(text[start:at])
    while end < len(text) and (used := used + measure(text[end])) <= width:
        end += 1
    return start, text[start:end]
