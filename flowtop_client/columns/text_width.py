"""How wide a text is on a terminal, without prompt_toolkit: for what is no screen. Pure."""

import unicodedata
from typing import Final

_COMBINING: Final = frozenset({"Mn", "Me"})  # drawn over the character before


def text_width(text: str) -> int:
    """How many cells a clean text takes."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.category(char) in _COMBINING else 2 if unicodedata.east_asian_width(char) in "WF" else 1
        for char in text
    )
