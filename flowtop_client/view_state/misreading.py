"""A filter that means something else than was meant: a misspelt field is a text to search for. Pure."""

from collections.abc import Iterator

from flowtopd.wire.filter_fields import FILTER_FIELDS, FLAGS
from flowtopd.wire.filter_parser import parse
from flowtopd.wire.filter_syntax import Both, Either, FilterSyntaxError, Node, Not, Search
from flowtopd.wire.nearest import nearest

_NEAR = 0.75
"""How alike two words have to be: `contry` and `country`, `prot` and `proto`, not `tv` and `tcp`."""


def misread(text: str) -> str:
    """What may be wrong with a filter that matches nothing, in a line; empty where nothing is suspected."""
    try:
        node = parse(text)
    except FilterSyntaxError:  # of a daemon that knows more
        return ""
    for word in () if node is None else _searched(node):
        near = nearest(word.lower(), (*FILTER_FIELDS, *FLAGS), _NEAR)
        if near and near != word.lower():
            return f"{word!r} is searched for as a text: did you mean {near!r}?"
    return ""


def _searched(node: Node) -> Iterator[str]:
    """The texts that are searched for, in their order."""
    match node:
        case Search(found):
            yield found
        case Not(part):
            yield from _searched(part)
        case Both(parts) | Either(parts):
            for part in parts:
                yield from _searched(part)
