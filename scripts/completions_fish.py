"""Completion for fish. Pure: options in, the lines of a file out."""

from collections.abc import Iterator, Sequence
from typing import Final

from scripts.completions_parts import MADE, has
from scripts.options import Option, Value, filter_words, first_filter_words, sort_words

_FISH_SORT: Final = """\
function __flowtop_sort
    set -l view flows
    set -l words (commandline -opc)
    for at in (seq (count $words))
        switch $words[$at]
            case '--view=*'
                set view (string replace -- --view= '' $words[$at])
            case --view
                test $at -lt (count $words); and set view $words[(math $at + 1)]
        end
    end
    for field in (string split ' ' (__flowtop_fields $view))
        printf '%s\\tfield\\n' $field $field:asc $field:desc
    end
end"""

_FISH_FILTER: Final = """\
function __flowtop_filter
    # the whole filter is one word here, in quotes: what is begun, and the word before it
    set -l value (commandline -ct | string replace -r '^(-f|--[a-z-]+=)' '' | string replace -r '^["\\']' '')
    set -l begun (string match -r '[^ ()!]*$' -- "$value")
    set -l before (string replace -r '[^ ()!]*$' '' -- "$value")
    set -l tokens (string match -ra '[^ ()!]+|!=|!~' -- "$before")
    set -l last '^'
    test (count $tokens) -gt 0; and set last $tokens[-1]
    if contains -- $last = != '~' '!~' '<' '<=' '>' '>='; and test (count $tokens) -gt 1
        set last $tokens[-2]
    else if contains -- $last and or not '&&' '||'
        set last '^'
    end
    for word in (string split ' ' (__flowtop_behind $last))
        printf '%s\\tfilter\\n' "$before$word"
    end
end"""


def fish(program: str, options: Sequence[Option]) -> Iterator[str]:
    """The lines of a file for fish."""
    yield f"# Completion of {program} for fish; {MADE}"
    if has(options, Value.SORT):
        yield ""
        yield from _fish_case("__flowtop_fields", [([view], fields) for view, fields in sort_words().items()])
        yield ""
        yield _FISH_SORT
    if has(options, Value.FILTER):
        yield ""
        yield from _fish_case("__flowtop_behind", [(["^"], first_filter_words()), *filter_words()])
        yield ""
        yield _FISH_FILTER
    yield ""
    yield f"complete -c {program} -f"
    for option in options:
        names = [f"-s {name[1:]}" for name in option.short] + [f"-l {name[2:]}" for name in option.long]
        yield " ".join([f"complete -c {program}", *names, *_fish_value(option), f"-d {_fish_quoted(option.help)}"])


def _fish_case(name: str, cases: Sequence[tuple[Sequence[str], Sequence[str]]]) -> Iterator[str]:
    yield f"function {name}"
    yield "    switch $argv[1]"
    for patterns, words in cases:
        yield f"        case {' '.join(map(_fish_quoted, patterns)) or _fish_quoted('*')}"
        yield f"            echo {_fish_quoted(' '.join(words))}"
    yield "    end"
    yield "end"


def _fish_value(option: Option) -> list[str]:
    match option.value:
        case Value.NOTHING:
            return []
        case Value.SORT:
            return ["-x -a '(__flowtop_sort)'"]
        case Value.FILTER:
            return ["-x -a '(__flowtop_filter)'"]
        case Value.HOST:
            return ["-x -a '(__fish_complete_user_at_hosts)'"]
        case Value.FILE:
            return ["-r -F"]
        case Value.DIRECTORY:
            return ["-x -a '(__fish_complete_directories)'"]
        case _:
            what = option.long[0].removeprefix("--")
            words = " ".join(f"{word}\\t{what}" for word in option.words)
            return [f"-x -a '{words}'"] if words else ["-x"]


def _fish_quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
