"""What the files of several shells have: functions in sh that say what may follow what. Pure."""

import shlex
from collections.abc import Iterator, Sequence
from typing import Final

from scripts.options import Option, Value, filter_words, first_filter_words, sort_words

MADE: Final = "made by scripts/completions.py of the program's own options: make completions"


def has(options: Sequence[Option], value: Value) -> bool:
    """Whether some option takes such a value."""
    return any(option.value is value for option in options)


def sh_case(name: str, cases: Sequence[tuple[Sequence[str], Sequence[str]]]) -> Iterator[str]:
    """A function that prints the words of the first case that its argument fits; one without patterns fits always."""
    yield f"{name}() {{"
    yield "    case $1 in"
    for patterns, words in cases:
        yield f"        {' | '.join(map(shlex.quote, patterns)) or '*'}) echo {shlex.quote(' '.join(words))} ;;"
    yield "    esac"
    yield "}"


def sh_functions(options: Sequence[Option]) -> Iterator[str]:
    """For bash and zsh, as far as these options need them."""
    if has(options, Value.SORT):
        yield ""
        yield "# the fields of a view"
        yield from sh_case("_flowtop_fields", [([view], fields) for view, fields in sort_words().items()])
    if has(options, Value.FILTER):
        yield ""
        yield "# what may follow a word of a filter"
        yield from sh_case("_flowtop_behind", [(["^"], first_filter_words()), *filter_words()])
