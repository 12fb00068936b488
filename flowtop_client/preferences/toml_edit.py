"""Some values of a TOML text replaced, with all else left as it stands: comments, order, blanks. Pure.

Rules: it looks at lines, not at the whole of TOML. What comes out is read again, and must say what was wanted and, of
all else, what the text said before; otherwise UneditableError is raised and nothing is lost.
"""

import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from typing import Any, Final

Place = tuple[str, ...]
"""A key, behind the name of its table where it is in one."""

_TABLE: Final = re.compile(r"\s*\[([^\[\]]+)\]\s*(#.*)?$")
_KEY: Final = re.compile(r"\s*([A-Za-z0-9_-]+)\s*=")


class UneditableError(ValueError):
    """The text is written in a way that this does not know."""


def edited(text: str, changes: Mapping[Place, str | Sequence[str] | None]) -> str:
    """The text with these values; None takes a key away. Raises UneditableError."""
    try:
        wanted = tomllib.loads(text)
        new = text
        for place, value in changes.items():
            _put(wanted, place, value)
            new = _with(new, place, value)
        if _without_empty(tomllib.loads(new)) == _without_empty(wanted):
            return new
    except (ValueError, RecursionError, AttributeError, TypeError):  # not TOML, or what Python has limits for
        pass
    raise UneditableError(text)


def _put(document: dict[str, Any], place: Place, value: str | Sequence[str] | None) -> None:
    *tables, key = place
    for table in tables:
        document = document.setdefault(table, {})
    if value is None:
        document.pop(key, None)
    else:
        document[key] = value if isinstance(value, str) else list(value)


def _without_empty(document: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in document.items() if value != {}}


def _with(text: str, place: Place, value: str | Sequence[str] | None) -> str:
    *tables, key = place
    table = tables[0] if tables else ""
    lines = text.splitlines()
    written = [] if value is None else [f"{key} = {_toml(value)}"]
    begin, end = _section(lines, table)
    if begin is None:
        new = [*lines, *([""] if lines else []), f"[{table}]", *written] if written else lines
    elif (found := _statement(lines, begin, end, key)) is not None:
        new = [*lines[: found[0]], *written, *lines[found[1] :]]
    else:
        while end > begin and not lines[end - 1].strip():  # before the blank lines that end the table
            end -= 1
        new = [*lines[:end], *written, *lines[end:]]
    return "".join(line + "\n" for line in new)


def _toml(value: str | Sequence[str]) -> str:
    """A text, or a list of texts. JSON's way to write a text is one of TOML's."""
    return json.dumps(value if isinstance(value, str) else list(value), ensure_ascii=False)


def _section(lines: Sequence[str], table: str) -> tuple[int | None, int]:
    """The lines of a table behind its head; the top of the file for the nameless one."""
    begin = 0 if not table else None
    for number, line in enumerate(lines):
        if not line.lstrip().startswith("[") or not (head := _TABLE.match(line)):
            continue
        if begin is not None:
            return begin, number
        if head[1].strip() == table:
            begin = number + 1
    return begin, len(lines)


def _statement(lines: Sequence[str], begin: int, end: int, key: str) -> tuple[int, int] | None:
    """The lines of `key = value`, which may go on over several lines."""
    for number in range(begin, end):
        match = _KEY.match(lines[number])
        if match is None or match[1] != key:
            continue
        for after in range(number + 1, end + 1):
            try:
                tomllib.loads("\n".join(lines[number:after]))
            except tomllib.TOMLDecodeError:
                continue
            return number, after
    return None
