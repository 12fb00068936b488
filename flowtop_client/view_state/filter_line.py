"""The line in which a filter is typed. Pure: it knows the language, and nothing of the screen.

Rules: a mistake is found as one types. TAB puts in what all words that fit have in common, then one of them after the
other, until something else is typed. The history is walked as in a shell: what was typed is its newest line.
"""

from dataclasses import dataclass, field, replace
from itertools import takewhile
from typing import Final

from flowtop_client.view_state.completion import Seen, offers
from flowtop_client.view_state.place import Place
from flowtop_client.view_state.text_input import Input
from flowtopd.wire.filter_parser import parse
from flowtopd.wire.filter_syntax import FilterSyntaxError

REMEMBERED: Final = 100
"""Filters in the history."""


@dataclass(frozen=True, slots=True)
class Mistake:
    """What is wrong with a filter, and at which character."""

    offset: int
    message: str


@dataclass(frozen=True, slots=True)
class Offers:
    """Words that fit, where they stand in the text, and which of them stands there now."""

    start: int
    words: tuple[str, ...]
    chosen: int | None = None


@dataclass(frozen=True, slots=True)
class FilterLine:
    """The open line. `before` and `place` are the filter and the place that Esc goes back to."""

    input: Input
    before: str
    place: Place
    seen: Seen = field(default_factory=dict)
    mistake: Mistake | None = None
    offers: Offers | None = None
    recalled: int = 0
    """How many lines back in the history; 0 is what was typed, kept in `draft`."""
    draft: str = ""


def mistake_in(text: str) -> Mistake | None:
    """What is wrong with this filter."""
    try:
        parse(text)
    except FilterSyntaxError as error:
        return Mistake(error.offset, error.message)
    return None


def with_input(line: FilterLine, new: Input) -> FilterLine:
    """With another text, or another place in it."""
    mistake = line.mistake if new.text == line.input.text else mistake_in(new.text)
    return replace(line, input=new, mistake=mistake, offers=None)


def completed(line: FilterLine, step: int) -> FilterLine:
    """The next word that fits, or as much of it as is sure."""
    if line.offers is not None:
        return _choose(line, line.offers, step)
    start, words = offers(line.input.text, line.input.at, line.seen)
    if not words:
        return line
    if len(words) == 1:
        return with_input(line, line.input.replaced(start, words[0] + " "))
    begun = line.input.text[start : line.input.at]
    sure = _common(words)
    if len(sure) > len(begun):
        line = with_input(line, line.input.replaced(start, sure))
        return replace(line, offers=Offers(start, words))
    return _choose(line, Offers(start, words), step)


def _common(words: tuple[str, ...]) -> str:
    """What all words begin with, as the first of them writes it."""
    first = words[0]
    same = (all(word[:end].lower() == first[:end].lower() for word in words) for end in range(1, len(first) + 1))
    return first[: sum(takewhile(bool, same))]


def _choose(line: FilterLine, found: Offers, step: int) -> FilterLine:
    last = (-1 if step > 0 else 0) if found.chosen is None else found.chosen
    chosen = (last + step) % len(found.words)
    line = with_input(line, line.input.replaced(found.start, found.words[chosen]))
    return replace(line, offers=replace(found, chosen=chosen))


def recalled(line: FilterLine, history: tuple[str, ...], step: int) -> FilterLine:
    """An older line of the history, or with a negative step a newer one."""
    back = max(0, min(line.recalled + step, len(history)))
    if back == line.recalled:
        return line
    draft = line.input.text if line.recalled == 0 else line.draft
    text = history[-back] if back else draft
    return replace(with_input(line, Input.of(text)), recalled=back, draft=draft)


def remembered(history: tuple[str, ...], text: str) -> tuple[str, ...]:
    """The history with this filter as its newest, and no other time."""
    if not text:
        return history
    return (*(each for each in history if each != text), text)[-REMEMBERED:]
