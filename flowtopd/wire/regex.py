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
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Final

from flowtopd.wire.regex_parser import Assertion, Chars, Choice, Node, Repeat, Sequence, fold, parse, required

CELLS: Final = 65_536
"""Lookups and members of states that are remembered, about 5 MB."""

_OBJECT_CELLS: Final = 4
"""What a state or a character takes besides."""

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
        tree = parse(pattern)
        self._required = required(tree)
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


def glob(wanted: str) -> Regex:
    """The expression of a whole text in which * stands for anything and ? for one character."""
    parts = (".*" if char == "*" else "." if char == "?" else re.escape(char) for char in wanted)
    return Regex(f"^{''.join(parts)}$")
