#!/usr/bin/env python3
"""Completion for bash, zsh and fish, made of the programs' own parsers: completions/.

python -m scripts.completions [DIRECTORY]

    flowtop.bash, flowtopd.bash    need nothing but bash
    _flowtop, _flowtopd            for zsh, in a directory of $fpath
    flowtop.fish, flowtopd.fish    for fish

Options are offered with what they are, and for their values: words where there are few, files, hosts as ssh has them,
fields to sort by as the view has them, with :asc and :desc behind them, and in filters, quoted or not, what may follow
the word before.
"""

import shlex
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from scripts.options import Option, Value, filter_words, first_filter_words, programs, sort_words

TARGET: Final = Path(__file__).parents[1] / "completions"

_MADE: Final = "made by scripts/completions.py of the program's own options: make completions"


def files() -> dict[str, str]:
    """The text of every file by its name."""
    made = {}
    for program, options in programs().items():
        made[f"{program}.bash"] = _text(bash(program, options))
        made[f"_{program}"] = _text(zsh(program, options))
        made[f"{program}.fish"] = _text(fish(program, options))
    return made


def _text(lines: Iterator[str]) -> str:
    return "\n".join(lines) + "\n"


def _has(options: Sequence[Option], value: Value) -> bool:
    return any(option.value is value for option in options)


# what follows what: in sh, for bash and zsh


def _sh_case(name: str, cases: Sequence[tuple[Sequence[str], Sequence[str]]]) -> Iterator[str]:
    """A function that prints the words of the first case that its argument fits; one without patterns fits always."""
    yield f"{name}() {{"
    yield "    case $1 in"
    for patterns, words in cases:
        yield f"        {' | '.join(map(shlex.quote, patterns)) or '*'}) echo {shlex.quote(' '.join(words))} ;;"
    yield "    esac"
    yield "}"


def _sh_functions(options: Sequence[Option]) -> Iterator[str]:
    if _has(options, Value.SORT):
        yield ""
        yield "# the fields of a view"
        yield from _sh_case("_flowtop_fields", [([view], fields) for view, fields in sort_words().items()])
    if _has(options, Value.FILTER):
        yield ""
        yield "# what may follow a word of a filter"
        yield from _sh_case("_flowtop_behind", [(["^"], first_filter_words()), *filter_words()])


# bash

_BASH_SORT: Final = """
# the fields to sort by, or both orders behind one: $1 is what is begun, the others are the words of the line
_flowtop_sort() {
    local value=$1 view=flows
    shift
    while (($#)); do
        case $1 in
            --view) view=${2-} ;;
            --view=*) view=${1#*=} ;;
        esac
        shift
    done
    case $value in
        *:*) echo "${value%%:*}:asc ${value%%:*}:desc" ;;
        *) _flowtop_fields "$view" ;;
    esac
}"""

_BASH_FILTER: Final = r"""
# what a filter may become, whole, for it is one word in quotes
_flowtop_filter() {
    local value=${1#[\'\"]} begun before last=^ word
    local -a tokens
    begun=${value##*[ ()!]}
    before=${value%"$begun"}
    read -ra tokens <<<"${before//[()!]/ }"
    ((${#tokens[@]})) && last=${tokens[-1]}
    case $last in
        = | '~' | '<' | '<=' | '>' | '>=') ((${#tokens[@]} > 1)) && last=${tokens[-2]} ;;
        and | or | not | '&&' | '||') last=^ ;;
    esac
    for word in $(_flowtop_behind "$last"); do
        [[ $word == "$begun"* ]] && COMPREPLY+=("$before$word")
    done
    # bash closes the quotes behind a single one, which is in the way where more has to follow: so it gets two
    if [[ ${#COMPREPLY[@]} == 1 && $1 == [\'\"]* ]]; then
        word=${COMPREPLY[0]#"$before"}
        case $word in
            and | or | not) COMPREPLY+=("${COMPREPLY[0]} ...") ;;
            *) [[ $(_flowtop_behind "$word") == "$(_flowtop_behind .)" ]] || COMPREPLY+=("${COMPREPLY[0]} ...") ;;
        esac
    fi
}"""

_BASH_HOST: Final = r"""
# the hosts that bash-completion has for ssh, where it is loaded (the first name is of 2.12), else those of /etc/hosts
_flowtop_host() {
    local host=${1##*@}
    if declare -F _comp_compgen_known_hosts >/dev/null; then
        _comp_compgen_known_hosts -a -- "$1"
    elif declare -F _known_hosts_real >/dev/null; then
        _known_hosts_real -a -- "$1"
    else
        mapfile -t COMPREPLY < <(compgen -A hostname -P "${1%"$host"}" -- "$host")
    fi
    # bash completes from the `@` on, unless bash-completion has told it to leave hosts alone
    [[ $1 == *@* && $COMP_WORDBREAKS == *@* ]] && COMPREPLY=("${COMPREPLY[@]#"${1%%@*}"}")
}"""

_BASH_BEGIN: Final = """\
    local IFS=$' \\t\\n' line=$COMP_LINE word option='' value kept='' reply='' at
    local -a words=()
    # bash splits words at `:` and `=` too; those that have no blank between them are one
    for ((at = 0; at <= COMP_CWORD; at++)); do
        word=${COMP_WORDS[at]}
        if ((at)) && [[ $line != [[:blank:]]* ]]; then
            words[-1]+=$word
        else
            words+=("$word")
        fi
        line=${line#*"$word"}
    done
    value=${words[-1]}
    if [[ $value == --*=* ]]; then
        option=${value%%=*} value=${value#*=}
    elif ((${#words[@]} > 2)); then
        option=${words[-2]}
    fi
    COMPREPLY=()
    case $option in"""

_BASH_END: Final = """\
    esac
    # what stands before a `:` stays as it is
    [[ $value == *:* && $COMP_WORDBREAKS == *:* ]] && kept=${value%:*}:
    for word in $reply; do
        [[ $word == "$value"* ]] && COMPREPLY+=("${word#"$kept"}")
    done
}"""


def bash(program: str, options: Sequence[Option]) -> Iterator[str]:
    """The lines of a file for bash."""
    yield f"# Completion of {program} for bash; {_MADE}"
    yield from _sh_functions(options)
    for value, function in ((Value.SORT, _BASH_SORT), (Value.FILTER, _BASH_FILTER), (Value.HOST, _BASH_HOST)):
        if _has(options, value):
            yield function
    yield ""
    yield f"_{program}() {{"
    yield _BASH_BEGIN
    alike: dict[tuple[Value, tuple[str, ...]], list[str]] = {}
    for option in options:
        if option.value is not Value.NOTHING:
            alike.setdefault((option.value, tuple(option.words)), []).extend(option.names)
    for (value, words), names in alike.items():
        yield f"        {' | '.join(names)})"
        yield from (f"            {line}" for line in _bash_value(value, words))
        yield "            ;;"
    every = " ".join(name for option in options for name in (*option.short, *option.long))
    yield f"        *) reply={shlex.quote(every)} value=${{words[-1]}} ;;"
    yield _BASH_END
    yield f"complete -F _{program} {program}"


def _bash_value(value: Value, words: Sequence[str]) -> list[str]:
    match value:
        case Value.SORT:
            return ['reply=$(_flowtop_sort "$value" "${words[@]}")']
        case Value.FILTER:
            return ['_flowtop_filter "$value"', "compopt -o nospace", "return"]
        case Value.HOST:
            return ['_flowtop_host "$value"', "return"]
        case Value.FILE | Value.DIRECTORY:
            kind = "-d" if value is Value.DIRECTORY else "-f"
            return ["compopt -o filenames", f'mapfile -t COMPREPLY < <(compgen {kind} -- "$value")', "return"]
        case _:
            return [f"reply={shlex.quote(' '.join(words))}"]


# zsh

_ZSH_SORT: Final = """\
_flowtop_sort() {
    local view=${${(Q)opt_args[--view]}:-flows}
    local -a fields=(${=$(_flowtop_fields $view)})
    if compset -P '*:'; then
        compadd asc desc
    else
        compadd -S ' ' -r ': ' -a fields
    fi
}"""

_ZSH_FILTER: Final = """\
_flowtop_filter() {
    # a filter in quotes is one word: what is begun in it, and the word before
    local value=$PREFIX last=^
    compset -P '*[ (!]'
    local -a tokens=(${=${value%$PREFIX}//[(!]/ }) behind
    ((#tokens)) && last=$tokens[-1]
    case $last in
        = | '~' | '<' | '<=' | '>' | '>=') ((#tokens > 1)) && last=$tokens[-2] ;;
        and | or | not | '&&' | '||') last=^ ;;
    esac
    behind=(${=$(_flowtop_behind $last)})
    compadd -S ' ' -a behind
}"""


_ZSH_HOST: Final = """\
_flowtop_host() {
    # a user may stand before it
    compset -P '*@'
    _ssh_hosts "$@"
}"""


def zsh(program: str, options: Sequence[Option]) -> Iterator[str]:
    """The lines of a file for zsh."""
    yield f"#compdef {program}"
    yield f"# Completion of {program} for zsh; {_MADE}"
    yield from _sh_functions(options)
    for value, function in ((Value.SORT, _ZSH_SORT), (Value.FILTER, _ZSH_FILTER), (Value.HOST, _ZSH_HOST)):
        if _has(options, value):
            yield ""
            yield function
    yield ""
    yield "_arguments -s -S \\"
    lines = [f"    {_zsh_option(option)}" for option in options]
    yield " \\\n".join(lines)


def _zsh_option(option: Option) -> str:
    takes = option.value is not Value.NOTHING
    names = [f"{name}+" for name in option.short] if takes else list(option.short)
    names += [f"{name}=" for name in option.long] if takes else list(option.long)
    last = {"--help", "--version"} & set(option.names)
    against = "(- *)" if last else f"({' '.join(option.against)})" if len(option.against) > 1 else ""
    against += "*" if option.repeats else ""
    text = option.help.replace("\\", "\\\\").replace("[", "\\[").replace("]", "\\]").replace(":", "\\:")
    spec = f"[{text}]{_zsh_value(option)}"
    if len(names) == 1:
        return _single(f"{against}{names[0]}{spec}")
    return f"{_single(against)}{{{','.join(names)}}}{_single(spec)}"


def _zsh_value(option: Option) -> str:
    what = f":{option.metavar.lower().replace('[', '').replace(']', '').replace(':', ' ')}:"
    match option.value:
        case Value.NOTHING:
            return ""
        case Value.SORT:
            return f"{what}_flowtop_sort"
        case Value.FILTER:
            return f"{what}_flowtop_filter"
        case Value.HOST:
            return f"{what}_flowtop_host"
        case Value.FILE:
            return f"{what}_files"
        case Value.DIRECTORY:
            return f"{what}_files -/"
        case _:
            return f"{what}({' '.join(option.words)})" if option.words else f"{what} "


def _single(text: str) -> str:
    """In single quotes."""
    return "'" + text.replace("'", "'\\''") + "'" if text else ""


# fish

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
    yield f"# Completion of {program} for fish; {_MADE}"
    if _has(options, Value.SORT):
        yield ""
        yield from _fish_case("__flowtop_fields", [([view], fields) for view, fields in sort_words().items()])
        yield ""
        yield _FISH_SORT
    if _has(options, Value.FILTER):
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


def main(target: Path) -> None:
    """Write all of them."""
    target.mkdir(parents=True, exist_ok=True)
    for name, text in files().items():
        (target / name).write_text(text, encoding="utf-8")
        print(target / name)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else TARGET)
