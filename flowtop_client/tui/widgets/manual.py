"""A manual: keys and what they do, in one column or two, and prose below. Sections and text go in, lines come out.

Prose is wrapped. Lines of it that are in two columns, as a term and its meaning, stay so; what is in capitals is a
heading.
"""

import re
import textwrap
from collections.abc import Iterator, Sequence
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


_GAP: Final = r"(?<=\S) {2,}(?=\S)"


def prose(text: str, width: int) -> list[Line]:
    """A text of paragraphs, indented as it is, in lines of at most `width` cells."""
    lines: list[Line] = []
    for paragraph in _paragraphs(text):
        if not paragraph:
            lines.append(EMPTY)
        elif paragraph.isupper() and paragraph[0] != " ":
            lines.append(clipped([("class:heading", paragraph)], width))
        else:
            lines += [clipped([("", line)], width) for line in _wrapped(paragraph, width)]
    return lines


def _paragraphs(text: str) -> Iterator[str]:
    """Lines that belong together as one: what ends no sentence goes on, in two columns below the second one."""
    whole = ""
    for line in (*text.strip("\n").splitlines(), ""):
        indent = len(line) - len(line.lstrip())
        if whole and line and whole[-1] != "." and indent == _hanging(whole) and not re.search(_GAP, line):
            whole = f"{whole} {line.strip()}"
            continue
        if whole:
            yield whole
        whole = line.rstrip()
        if not line:
            yield ""


def _hanging(paragraph: str) -> int:
    """Where its further lines begin."""
    gap = re.search(_GAP, paragraph)
    return gap.end() if gap else len(paragraph) - len(paragraph.lstrip())


def _wrapped(paragraph: str, width: int) -> list[str]:
    indent, hanging = len(paragraph) - len(paragraph.lstrip()), _hanging(paragraph)
    if hanging > indent and hanging > 2 * width // 3:  # no room for two columns: one below the other
        parts = re.split(_GAP, paragraph.strip())
        return [line for part in parts for line in _wrapped(" " * min(indent, width // 4) + part, width)]
    return textwrap.wrap(paragraph, max(2, width), subsequent_indent=" " * hanging, break_on_hyphens=False)


def marked(line: Line, pattern: str, style: str) -> Line:
    """A line in which every place that says `pattern` has this style; capitals do not matter."""
    text = "".join(part for _, part in line).lower()
    wanted = pattern.lower()
    if not wanted or wanted not in text:
        return line
    inside = {at for found in re.finditer(re.escape(wanted), text) for at in range(*found.span())}
    shown: Line = []
    at = 0
    for own, part in line:
        for char in part:
            shown.append((style if at in inside else own, char))
            at += 1
    return shown
