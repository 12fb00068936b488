"""What Markdown says that a program can check: links, blocks of code, and the commands in them. Text in, values out."""

import re
import shlex
from collections.abc import Iterator
from typing import Final

PROGRAMS: Final = ("flowtop", "flowtop-viewer", "flowtopd")

_FENCE: Final = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_INDENTED: Final = re.compile(r"(?:^(?: {4}|\t).*\n?)+", re.MULTILINE)
_INLINE: Final = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
_LINK: Final = re.compile(r"\]\(([^)\s]+)\)")
_HEADING: Final = re.compile(r"^#+ (.+)$", re.MULTILINE)
_BEHIND: Final = re.compile(r"^(?:Exec\w+=|(?:[\d*/,-]+ ){4}[\d*/,-]+ |# )")
"""What may stand before a command in a line: a key of a unit, the five fields of crontab(5), root's prompt."""

_WRAPPERS: Final = {"sudo": 0, "timeout": 1, "exec": 0}
"""Programs that run the command behind them, and how many words of their own they have."""


def blocks(text: str) -> Iterator[tuple[str, str]]:
    """The blocks of code: the word behind a fence, or nothing, and the content."""
    for found in _FENCE.finditer(text):
        yield found[1], found[2]
    for found in _INDENTED.finditer(_FENCE.sub("", text)):
        yield "", re.sub("^(?: {4}|\t)", "", found[0], flags=re.MULTILINE)


def links(text: str) -> list[str]:
    """Targets that are no URL."""
    plain = _INLINE.sub("", _FENCE.sub("", text))
    return [target for target in _LINK.findall(plain) if "://" not in target]


def anchors(text: str) -> set[str]:
    """What may follow the `#` of a link, as forges make it of headings."""
    plain = _FENCE.sub("", text)
    return {re.sub(r"[^\w\- ]", "", found.lower()).replace(" ", "-") for found in _HEADING.findall(plain)}


def commands(text: str) -> list[list[str]]:
    """Every command line of one of PROGRAMS with at least one option, in words, the program first."""
    lines = [line for _, content in blocks(text) for line in content.replace("\\\n", " ").splitlines()]
    lines += _INLINE.findall(_FENCE.sub("", text))
    return [words for line in lines for words in _of_line(_BEHIND.sub("", line.strip()))]


def _of_line(line: str) -> Iterator[list[str]]:
    if not any(program in line for program in PROGRAMS):
        return
    lexer = shlex.shlex(line, posix=True, punctuation_chars=";&|()<>")
    lexer.whitespace_split = True
    try:
        tokens = list(lexer)
    except ValueError:  # prose, or a part of a command with one quote
        return
    command: list[str] = []
    for token in (*tokens, ";"):
        if token and not token.strip(";&|()<>"):
            yield from _of_command(command)
            command = []
        else:
            command.append(token)


def _of_command(words: list[str]) -> Iterator[list[str]]:
    while words and (words[0] in _WRAPPERS or re.match(r"[A-Z_]+=", words[0])):
        words = words[1 + _WRAPPERS.get(words[0], 0) :]
    if "IMAGE" in words:  # of podman run
        words = words[words.index("IMAGE") + 1 :]
    if words[1:2] == ["-c"] and words[0].endswith("sh"):
        yield from _of_line(words[2])
    elif len(words) > 1 and words[0].rpartition("/")[2] in PROGRAMS and words[1].startswith("-"):
        yield [words[0].rpartition("/")[2], *words[1:]]
