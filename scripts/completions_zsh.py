"""Completion for zsh, in a directory of $fpath. Pure: options in, the lines of a file out."""

from collections.abc import Iterator, Sequence
from typing import Final

from scripts.completions_parts import MADE, has, sh_functions
from scripts.options import Option, Value

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
    yield f"# Completion of {program} for zsh; {MADE}"
    yield from sh_functions(options)
    for value, function in ((Value.SORT, _ZSH_SORT), (Value.FILTER, _ZSH_FILTER), (Value.HOST, _ZSH_HOST)):
        if has(options, value):
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
