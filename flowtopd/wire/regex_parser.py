"""The syntax of regular expressions: a pattern in, a tree out, or a RegexError. What there is, is in `wire.regex`.

A tree is bounded before anything is made of it: the pattern's length, its nesting, its size with repetitions written
out.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final, NoReturn

LONGEST: Final = 1000
"""Characters of a pattern."""

DEEPEST: Final = 50
"""Groups in one another."""

LARGEST: Final = 4096
"""States of an NFA."""


class RegexError(ValueError):
    """The pattern is none of ours. `offset` is where, in characters from 0; it may be the end of the pattern."""

    def __init__(self, offset: int, message: str) -> None:
        super().__init__(message)
        self.offset = offset
        self.message = message


# the tree


_CATEGORIES: Final[dict[str, Callable[[str], bool]]] = {
    "d": str.isdecimal,
    "w": lambda char: char.isalnum() or char == "_",
    "s": str.isspace,
}


@dataclass(frozen=True, slots=True, eq=False)
class Chars:
    """One character of a set. Each place of the pattern is a set of its own, its repetitions share it."""

    ranges: tuple[tuple[str, str], ...]
    categories: str = ""
    negated: bool = False

    def have(self, char: str) -> bool:
        """Whether a folded character is meant."""
        likes = [like for like in (char, char.upper(), char.lower()) if len(like) == 1]
        found = any(low <= like <= high for low, high in self.ranges for like in likes)
        found = found or any(_CATEGORIES[name.lower()](char) != name.isupper() for name in self.categories)
        return self.negated != found

    @property
    def literal(self) -> str:
        """The only character that is meant, empty where there are more."""
        low, high = self.ranges[0] if len(self.ranges) == 1 else ("", "-")
        return low if low == high and not self.categories and not self.negated else ""


class Assertion(Enum):
    """No character, but a place in the text."""

    BEGIN = auto()
    END = auto()


@dataclass(frozen=True, slots=True)
class Sequence:
    """All parts, one after another."""

    parts: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """One of the branches."""

    branches: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Repeat:
    """The part, `least` to `most` times; None is without end."""

    part: "Node"
    least: int
    most: int | None


Node = Chars | Assertion | Sequence | Choice | Repeat


def _size(node: Node) -> int:
    """States that it takes in the NFA."""
    match node:
        case Sequence(parts):
            return sum(map(_size, parts))
        case Choice(branches):
            return sum(map(_size, branches)) + 1
        case Repeat(part, least, most):
            return max(least, 1) * _size(part) + 1 if most is None else most * _size(part) + most - least
    return 1


def fold(text: str) -> str:
    """Make capitals and small letters the same; as many characters as before."""
    return text.lower() if text.isascii() else "".join(map(_fold_one, text))


def _fold_one(char: str) -> str:
    folded = char.casefold()
    return folded if len(folded) == 1 else char.lower()[0]


def _only(char: str) -> tuple[str, str]:
    return fold(char), fold(char)


def required(node: Node) -> str:
    """A text that is in every match, the longest that is plain to see."""
    if isinstance(node, Repeat):
        return required(node.part) if node.least else ""
    if isinstance(node, Choice | Assertion):
        return ""
    longest = run = ""
    for part in node.parts if isinstance(node, Sequence) else (node,):
        run = run + part.literal if isinstance(part, Chars) and part.literal else ""
        inner = "" if isinstance(part, Chars) else required(part)
        longest = max(longest, run, inner, key=len)
    return longest


# the parser


_QUANTIFIER: Final = re.compile(r"[*+?]|\{(?!\})([0-9]*)(,?)([0-9]*)\}")
_TIMES: Final[dict[str, tuple[int, int | None]]] = {"*": (0, None), "+": (1, None), "?": (0, 1)}
_HEX: Final = re.compile(r"x([0-9a-fA-F]{2})")
_CONTROLS: Final = {"n": "\n", "r": "\r", "t": "\t"}
_GROUPS: Final = {
    "lookaround is": ("(?=", "(?!", "(?<=", "(?<!"),
    "a back-reference is": ("(?P=",),
    "a named group is": ("(?P", "(?<"),
    "this kind of group is": ("(?>", "(?(", "(?#"),
    "an inline flag is": ("(?",),
}


class _Parser:
    """Recursive descent over the characters; `_at` is the next one."""

    def __init__(self, pattern: str) -> None:
        self._pattern = pattern
        self._at = 0
        self._depth = 0

    def whole(self) -> Node:
        if len(self._pattern) > LONGEST:
            self._fail(LONGEST, f"longer than {LONGEST} characters")
        node = self._choice()
        if self._at < len(self._pattern):
            self._fail(self._at, "a parenthesis that was not opened")
        return node

    def _choice(self) -> Node:
        start = self._at
        branches = [self._sequence()]
        while self._take("|"):
            branches.append(self._sequence())
        return branches[0] if len(branches) == 1 else self._bounded(Choice(tuple(branches)), start)

    def _sequence(self) -> Node:
        start = self._at
        parts = []
        while not self._is_end() and self._pattern[self._at] not in "|)":
            parts.append(self._repeated())
        return parts[0] if len(parts) == 1 else self._bounded(Sequence(tuple(parts)), start)

    def _repeated(self) -> Node:
        start = self._at
        if _QUANTIFIER.match(self._pattern, start):
            self._fail(start, "nothing to repeat")
        node = self._one()
        behind = self._at
        bare = isinstance(node, Assertion) and self._pattern[start] in "^$"
        while found := _QUANTIFIER.match(self._pattern, self._at):
            if bare:
                self._fail(self._at, "nothing to repeat")
            node = self._bounded(self._repeat(node, found), found.start())
            if found.start() > behind:
                self._fail(found.start(), "a quantifier behind a quantifier")
        return node

    def _repeat(self, node: Node, found: re.Match[str]) -> Node:
        self._at = found.end()
        if self._take("+"):
            self._fail(found.start(), "a possessive quantifier is not supported")
        self._take("?")
        if found[0] in _TIMES:
            least, most = _TIMES[found[0]]
        else:
            least = int(found[1] or 0)
            most = (int(found[3]) if found[3] else None) if found[2] else least
        if most is not None and most < least:
            self._fail(found.start(), "a repetition that runs backwards")
        return Repeat(node, least, most) if _size(node) else node

    def _one(self) -> Node:
        start = self._at
        if category := self._category():
            return Chars((), category)
        if self._take("("):
            return self._group(start)
        if self._take("["):
            return self._class(start)
        if self._take("."):
            return Chars((("\n", "\n"),), negated=True)
        if self._take("^"):
            return Assertion.BEGIN
        return Assertion.END if self._take("$") else Chars((_only(self._char()),))

    def _group(self, start: int) -> Node:
        if not self._take("?:"):
            for what, openings in _GROUPS.items():
                if self._pattern.startswith(openings, start):
                    self._fail(start, f"{what} not supported")
        self._depth += 1
        if self._depth > DEEPEST:
            self._fail(start, "too deep")
        node = self._choice()
        if not self._take(")"):
            self._fail(start, "a group that is not closed")
        self._depth -= 1
        return node

    def _class(self, start: int) -> Chars:
        negated = self._take("^")
        ranges, categories = [], ""
        first = self._at
        while self._at == first or not self._take("]"):
            at = self._at
            category, low = self._member(start)
            high = low
            if self._pattern.startswith("-", self._at) and not self._pattern.startswith("-]", self._at):
                self._at += 1
                _, high = self._member(start)
                if not low or not high:
                    self._fail(at, "a range that is not between two characters")
                if low > high:
                    self._fail(at, "a range that runs backwards")
            if low:
                ranges.append((low, high) if low < high else _only(low))
            categories += category
        return Chars(tuple(ranges), categories, negated)

    def _member(self, start: int) -> tuple[str, str]:
        """A category or a character of the class that began at `start`; the other one is empty."""
        if self._is_end():
            self._fail(start, "a class that is not closed")
        category = self._category()
        return category, "" if category else self._char()

    def _category(self) -> str:
        letter = self._pattern[self._at + 1 : self._at + 2]
        if not self._pattern.startswith("\\", self._at) or letter.lower() not in _CATEGORIES:
            return ""
        self._at += 2
        return letter

    def _char(self) -> str:
        start = self._at
        self._at += 1
        if self._pattern[start] != "\\":
            return self._pattern[start]
        if self._is_end():
            self._fail(start, "a backslash at the end")
        letter = self._pattern[self._at]
        if found := _HEX.match(self._pattern, self._at):
            self._at = found.end()
            return chr(int(found[1], 16))
        if letter == "x":
            self._fail(start, "\\x wants two hexadecimal digits")
        if letter in "0123456789":
            self._fail(start, "a back-reference is not supported")
        if letter.isascii() and letter.isalpha() and letter not in _CONTROLS:
            self._fail(start, f"\\{letter} is not supported")
        self._at += 1
        return _CONTROLS.get(letter, letter)

    def _is_end(self) -> bool:
        return self._at == len(self._pattern)

    def _take(self, text: str) -> bool:
        taken = self._pattern.startswith(text, self._at)
        self._at += len(text) if taken else 0
        return taken

    def _bounded(self, node: Node, offset: int) -> Node:
        if _size(node) >= LARGEST:
            self._fail(offset, "too large")
        return node

    def _fail(self, offset: int, message: str) -> NoReturn:
        raise RegexError(offset, message)


def parse(pattern: str) -> Node:
    """The tree of a pattern. Raises RegexError."""
    return _Parser(pattern).whole()
