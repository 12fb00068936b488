"""Whether a row fits a filter, evaluated here: for groups, whose rows the daemon does not filter. Pure.

    devices where rate > 10M        the filter's meaning and a row's values by name in, yes or no out

The daemon filters flows, before they are put together; `--exit-if` asks about what they add up to. The language is the
same, its fields are those of the view; `flows` is how many there are. What is unknown fits nothing but `not`.
"""

from collections.abc import Mapping
from operator import ge, gt, le, lt
from typing import Any, Final

from flowtopd.wire.fields import SORT_SUMS, VIEW_FIELDS
from flowtopd.wire.filter_fields import FLAGS
from flowtopd.wire.filter_parser import tokens
from flowtopd.wire.filter_syntax import Both, Compare, Either, Flag, Network, Node, Not, Op, Search, Span
from flowtopd.wire.filter_values import network
from flowtopd.wire.messages import View
from flowtopd.wire.regex import Regex, glob

Row = Mapping[str, Any]

_SPELLED: Final = {"host": ("address", "name"), "net": ("address",)}
"""Fields of the language that a view calls otherwise."""
_COMPARED: Final = {Op.LT: lt, Op.LE: le, Op.GT: gt, Op.GE: ge}


class NoSuchFieldError(Exception):
    """The condition asks for something that the rows of this view do not have; `node` is that part of it."""

    def __init__(self, node: Flag | Compare) -> None:
        super().__init__(node)
        self.node = node


def check(node: Node, view: View) -> None:
    """Raise NoSuchFieldError where the rows of a view cannot be asked this."""
    match node:
        case Both(parts) | Either(parts):
            for part in parts:
                check(part, view)
        case Not(part):
            check(part, view)
        case Flag(field, _) | Compare(field, _, _, _):
            side = node.side if isinstance(node, Compare) else None
            if side is not None or not _names(field, view):
                raise NoSuchFieldError(node)


def as_typed(node: Flag | Compare, text: str) -> str:
    """The words of a filter that ask for the field of `node`: `tcp` asks for `proto`, an address for `host`."""
    words = [token.text.lower() for token in tokens(text)]
    if isinstance(node, Flag):
        return next((word for word in words if FLAGS.get(word) == (node.field, node.value)), node.field)
    asked = node.field if node.field in words else None
    asked = asked or next((word for word in words if network(word) == node.value), node.field)
    return f"{node.side} {asked}" if node.side else asked


def _names(field: str, view: View) -> tuple[str, ...]:
    known = VIEW_FIELDS[view]
    if field in SORT_SUMS:
        return SORT_SUMS[field] if set(SORT_SUMS[field]) <= set(known) else ()
    return tuple(name for name in _SPELLED.get(field, (field,)) if name in known)


def fits(node: Node, row: Row, view: View) -> bool:
    """Whether a row of the view is meant. `check` has passed the node."""
    match node:
        case Both(parts):
            return all(fits(part, row, view) for part in parts)
        case Either(parts):
            return any(fits(part, row, view) for part in parts)
        case Not(part):
            return not fits(part, row, view)
        case Search(text):
            return any(text.casefold() in said.casefold() for said in row.values() if isinstance(said, str))
        case Flag(field, value):
            return bool(row[field] == value)
        case Compare():
            return _compares(node, row, view)


def _compares(node: Compare, row: Row, view: View) -> bool:
    names = _names(node.field, view)
    if node.field in SORT_SUMS:
        parts = [row[name] for name in names]
        values: list[Any] = [] if None in parts else [sum(parts)]
    else:
        values = [row[name] for name in names if row[name] is not None]
    return any(_fits_one(node, value) for value in values)


def _fits_one(node: Compare, value: Any) -> bool:
    wanted = node.value
    if isinstance(wanted, Network):
        address = network(str(value))
        return address is not None and (address.address & wanted.mask == wanted.address) is (node.op is Op.EQ)
    if isinstance(wanted, Span):
        if not isinstance(value, int | float):
            return False
        if node.op in _COMPARED:
            return bool(_COMPARED[node.op](value, wanted.low))
        return (wanted.low <= value <= wanted.high) is (node.op is Op.EQ)
    if node.op in {Op.MATCH, Op.MISMATCH}:
        return Regex(wanted).search(str(value)) is (node.op is Op.MATCH)
    return glob(wanted).search(str(value)) is (node.op is Op.EQ)
