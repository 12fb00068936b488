r"""Regular expressions that cannot hang the daemon: whether one matches anywhere in a text, capitals or not.

    pattern ─▶ tree ─▶ NFA, one state a character (Thompson) ─▶ DFA, made where texts lead: a dict lookup a character

Patterns come from viewers, texts from the network, and a root process with one event loop brings them together.
Python's `re` goes back and forth: `(a+)+$` takes it hours for 40 characters. Libraries of linear time (RE2) have no
wheels for all machines that flowtop runs on, 32-bit ARM routers among them; hence an engine of our own.

    a é . [a-z] [^0-9]        a character, any but a newline, one of a class; ] - ^ in a class as in `re`
    \d \w \s \D \W \S         digits; letters, digits and _; blanks; and their opposites. In classes too
    \. \\ \- \n \r \t \xHH    the character itself; a letter or digit that is not listed here is an error
    * + ? {2} {2,} {,5} {2,5} how often; a ? behind it changes nothing, since where a match ends is not asked
    ( ) (?: ) |               groups and alternatives
    ^ $                       the beginning and the end of the text, wherever they stand; $ is never before a newline

Rules
1. A character of the text is read once: in one lookup (0.04 µs) where the like of it was read before, else in a few
   steps for each state of the NFA. `steps` counts these, so that whoever searches many texts can lose patience: where
   every text leads to new states of the DFA, a character costs 3 µs with an NFA of 20 states, 0.3 ms with the largest.
2. Everything is bounded: the pattern, its nesting, its states with repetitions written out (told before that is
   done), and what is remembered of the DFA. Beyond CELLS it is forgotten and made again.
3. Case is folded a character at a time, so that one remains one: `.` is ß, and İ is i. A range holds a character
   when it holds the small one or the capital.
4. For one thread at a time.
"""

import re
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final, NoReturn

LONGEST: Final = 1000
"""Characters of a pattern."""

DEEPEST: Final = 50
"""Groups in one another."""

LARGEST: Final = 4096
"""States of an NFA."""

CELLS: Final = 65_536
"""Lookups and members of states that are remembered, about 5 MB."""

_OBJECT_CELLS: Final = 4
"""What a state or a character takes besides."""


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


def _required(node: Node) -> str:
    """A text that is in every match, the longest that is plain to see."""
    if isinstance(node, Repeat):
        return _required(node.part) if node.least else ""
    if isinstance(node, Choice | Assertion):
        return ""
    longest = run = ""
    for part in node.parts if isinstance(node, Sequence) else (node,):
        run = run + part.literal if isinstance(part, Chars) and part.literal else ""
        inner = "" if isinstance(part, Chars) else _required(part)
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


# the automata


_ACCEPT: Final = 0


@dataclass(slots=True)
class Nfa:
    """States by number, 0 is the match: what each waits for (None is nothing), and where that leads."""

    marks: list[Chars | Assertion | None] = field(default_factory=lambda: [None])
    targets: list[tuple[int, ...]] = field(default_factory=lambda: [()])

    def build(self, node: Node, target: int) -> int:
        """Add the states of a node that leads to `target`, from back to front; return where it begins."""
        match node:
            case Sequence(parts):
                for part in reversed(parts):
                    target = self.build(part, target)
                return target
            case Choice(branches):
                return self._add(None, *[self.build(branch, target) for branch in branches])
            case Repeat():
                return self._build_repeat(node, target)
            case _:
                return self._add(node, target)

    def _build_repeat(self, node: Repeat, target: int) -> int:
        copies = node.least
        if node.most is None:
            loop = self._add(None)
            again = self.build(node.part, loop)
            self.targets[loop] = (again, target)
            # the loop is the last copy: otherwise + would double what is in it, and once more around that
            target, copies = (again, copies - 1) if copies else (loop, 0)
        else:
            behind = target
            for _ in range(node.most - node.least):
                target = self._add(None, self.build(node.part, target), behind)
        for _ in range(copies):
            target = self.build(node.part, target)
        return target

    def _add(self, mark: Chars | Assertion | None, *targets: int) -> int:
        self.marks.append(mark)
        self.targets.append(targets)
        return len(self.marks) - 1


class _State(dict["str | frozenset[Chars]", "_State"]):
    """A state of the DFA: what comes next by the character, and by the sets that have the character.

    `members` are states of the NFA; `ends` is whether it is a match when the text ends here.
    """

    __slots__ = ("ends", "members")

    def __init__(self, members: frozenset[int], *, ends: bool) -> None:
        super().__init__()
        self.members = members
        self.ends = ends


_MATCH: Final = _State(frozenset(), ends=True)
_DEAD: Final = _State(frozenset(), ends=False)
_ANYWHERE: Final = frozenset({None})
_AT_BEGIN: Final = frozenset({None, Assertion.BEGIN})
_AT_END: Final = frozenset({None, Assertion.END})


class Regex:
    """A pattern. Raises RegexError where it is none."""

    def __init__(self, pattern: str) -> None:
        tree = _Parser(pattern).whole()
        self._required = _required(tree)
        self._nfa = Nfa()
        self._entry = self._nfa.build(tree, _ACCEPT)
        marks = self._nfa.marks
        self._sets = {mark for mark in marks if isinstance(mark, Chars)}
        self._waiting = {at for at, mark in enumerate(marks) if isinstance(mark, Chars) or mark is Assertion.END}
        self.steps = 0
        """States of the NFA that were gone through so far: 0.1 to 0.2 µs each."""
        # a match may begin at every character
        self._again = self._reach([self._entry], _ANYWHERE)
        begun = self._reach([self._entry], _AT_BEGIN)
        ends = _ACCEPT in self._reach([self._entry], _AT_BEGIN | _AT_END)
        self._start = _MATCH if _ACCEPT in begun else _State(frozenset(begun & self._waiting), ends=ends)
        self._states: dict[frozenset[int], _State] = {}
        self._having: dict[str, frozenset[Chars]] = {}
        self._cells = 0

    def search(self, text: str) -> bool:
        """Whether there is a match anywhere in the text."""
        text = fold(text)
        if self._required not in text:
            return False
        state = self._start
        for char in text:
            if state is _MATCH or state is _DEAD:
                break
            try:
                state = state[char]
            except KeyError:
                state = self._next(state, char)
        return state.ends

    def _forget(self) -> None:
        for state in (self._start, *self._states.values()):
            state.clear()  # they know each other in circles, and would stay until the garbage is collected
        self._states.clear()
        self._having.clear()
        self._cells = 0

    def _next(self, state: _State, char: str) -> _State:
        """Find out where a character leads that was not read in this state before."""
        if self._cells > CELLS:
            self._forget()
        having = self._sets_having(char)
        following = state.get(having)
        if following is None:
            marks, targets = self._nfa.marks, self._nfa.targets
            entries = [targets[at][0] for at in state.members if marks[at] in having]
            self.steps += len(state.members)
            following = state[having] = self._state(self._reach(entries, _ANYWHERE, self._again))
        state[char] = following
        self._cells += 1
        return following

    def _sets_having(self, char: str) -> frozenset[Chars]:
        having = self._having.get(char)
        if having is None:
            having = self._having[char] = frozenset(chars for chars in self._sets if chars.have(char))
            self.steps += len(self._sets)
            self._cells += len(having) + _OBJECT_CELLS
        return having

    def _state(self, reached: set[int]) -> _State:
        """The state of the DFA for states of the NFA, the same for the same."""
        if _ACCEPT in reached:
            return _MATCH
        members = frozenset(reached & self._waiting)
        if not members:
            return _DEAD
        state = self._states.get(members)
        if state is None:
            ending = [at for at in members if self._nfa.marks[at] is Assertion.END]
            state = self._states[members] = _State(members, ends=_ACCEPT in self._reach(ending, _AT_END))
            self._cells += len(members) + _OBJECT_CELLS
        return state

    def _reach(
        self, entries: Iterable[int], through: Collection[object], already: Collection[int] = frozenset()
    ) -> set[int]:
        """The states to which `entries` lead without a character, themselves and `already` included."""
        reached = set(already)
        left = list(entries)
        marks, targets = self._nfa.marks, self._nfa.targets
        while left:
            at = left.pop()
            if at not in reached:
                reached.add(at)
                if marks[at] in through:
                    left.extend(targets[at])
        self.steps += len(reached)
        return reached
