"""Completion for bash, which needs nothing but bash. Pure: options in, the lines of a file out."""

import shlex
from collections.abc import Iterator, Sequence
from typing import Final

from scripts.completions_parts import MADE, has, sh_functions
from scripts.options import Option, Value

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
    yield f"# Completion of {program} for bash; {MADE}"
    yield from sh_functions(options)
    for value, function in ((Value.SORT, _BASH_SORT), (Value.FILTER, _BASH_FILTER), (Value.HOST, _BASH_HOST)):
        if has(options, value):
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
