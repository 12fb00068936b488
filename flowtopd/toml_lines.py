"""Where things stand in a TOML text: tomllib says it neither of keys nor, before Python 3.14, of mistakes.

A scan line by line, which a key inside a multi-line string can mislead: a wrong line in a message about a strange
file, nothing worse.
"""

import re
from typing import Final

_HEADER: Final = re.compile(r"\s*\[+\s*([^\]]+?)\s*\]+\s*(?:#.*)?$")
_KEY: Final = re.compile(r"""\s*((?:[\w-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[\w-]+|"[^"]*"|'[^']*'))*)\s*=""")
_POSITION: Final = re.compile(r" \(at (?:line (\d+), column \d+|end of document)\)")


class Lines:
    """The lines of the keys and sections of one text."""

    def __init__(self, text: str) -> None:
        self._lines: dict[tuple[str, ...], int] = {}
        section: tuple[str, ...] = ()
        for number, line in enumerate(text.splitlines(), start=1):
            if found := _HEADER.match(line):
                section = _dotted(found[1])
                self._lines.setdefault(section, number)
            elif found := _KEY.match(line):
                place = section + _dotted(found[1])
                for depth in range(1, len(place) + 1):
                    self._lines.setdefault(place[:depth], number)

    def of(self, place: tuple[str, ...]) -> int | None:
        """The line of `place`, counted from 1: its own, or that of the innermost table around it (an inline table)."""
        depths = range(len(place), 0, -1)
        return next((self._lines[place[:depth]] for depth in depths if place[:depth] in self._lines), None)


def _dotted(text: str) -> tuple[str, ...]:
    return tuple(part.strip().strip("\"'") for part in text.split("."))


def syntax_error(text: str, message: str) -> tuple[int | None, str]:
    """Line and bare message of what tomllib says of a mistake; it has the position in its message."""
    found = _POSITION.search(message)
    if found is None:
        return None, message
    return int(found[1]) if found[1] else text.count("\n") + 1, message[: found.start()]
