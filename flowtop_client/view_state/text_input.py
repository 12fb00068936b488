"""A text that is being typed, and the place in it. Pure: a text and an edit in, a text out.

Places are counted in characters. What is typed or pasted becomes one line: a line break or a control character is a
blank in it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from flowtopd.wire.filter_parser import LONGEST


class Edit(StrEnum):
    """What a key does to a text."""

    LEFT = "input-left"
    RIGHT = "input-right"
    HOME = "input-home"
    END = "input-end"
    ERASE = "erase"
    ERASE_NEXT = "erase-next"
    ERASE_WORD = "erase-word"
    ERASE_LINE = "erase-line"


@dataclass(frozen=True, slots=True)
class Input:
    """The text, and the character before which the next one is typed."""

    text: str = ""
    at: int = 0

    @classmethod
    def of(cls, text: str) -> "Input":
        """A text with the place at its end."""
        return cls(text, len(text))

    def typed(self, text: str) -> "Input":
        """With `text` in front of the place, as far as there is room for it."""
        line = "".join(char if char.isprintable() else " " for char in text)[: LONGEST - len(self.text)]
        return self.replaced(self.at, line)

    def replaced(self, start: int, text: str) -> "Input":
        """With `text` instead of what is between `start` and the place."""
        return Input(self.text[:start] + text + self.text[self.at :], start + len(text))


def _to(line: Input, at: int) -> Input:
    return Input(line.text, max(0, min(at, len(line.text))))


def _erase_next(line: Input) -> Input:
    return Input(line.text[: line.at] + line.text[line.at + 1 :], line.at)


def _erase_word(line: Input) -> Input:
    """Back to the beginning of the word, as a shell does: blanks first, then what is none."""
    rest = line.text[: line.at].rstrip()
    return line.replaced(len(rest.rpartition(" ")[0]) + (" " in rest), "")


EDITS: Final[dict[Edit, Callable[[Input], Input]]] = {
    Edit.LEFT: lambda line: _to(line, line.at - 1),
    Edit.RIGHT: lambda line: _to(line, line.at + 1),
    Edit.HOME: lambda line: _to(line, 0),
    Edit.END: lambda line: _to(line, len(line.text)),
    Edit.ERASE: lambda line: line.replaced(max(0, line.at - 1), ""),
    Edit.ERASE_NEXT: _erase_next,
    Edit.ERASE_WORD: _erase_word,
    Edit.ERASE_LINE: lambda line: line.replaced(0, ""),
}
