"""A filter with a mistake, as it is shown on stderr. Pure."""

from typing import Final

from flowtop_client.columns.excerpt import excerpt
from flowtop_client.columns.text_width import text_width
from flowtop_client.humanize import clean

_EXCERPT: Final = 76
"""Cells of a filter: what a terminal of 80 columns has room for."""


def marked(text: str, offset: int) -> tuple[str, str]:
    """A filter, or the part of it around a mistake, and a mark under the mistake."""
    start, part = excerpt(clean(text), offset, _EXCERPT, text_width)
    return f"  {part}", f"  {' ' * text_width(part[: offset - start])}^"
