"""The meaning of a filter, as frozen values: what `wire.filter_parser` makes and `query.predicate` evaluates."""

from dataclasses import dataclass
from enum import StrEnum

from flowtopd.wire.filter_fields import Side


class FilterSyntaxError(Exception):
    """The text is no filter. `offset` is where, in characters from 0; it may be the end of the text."""

    def __init__(self, offset: int, message: str) -> None:
        super().__init__(message)
        self.offset = offset
        self.message = message


class Op(StrEnum):
    """How a field is compared."""

    EQ = "="
    NE = "!="
    LT = "<"
    LE = "<="
    GT = ">"
    GE = ">="
    MATCH = "~"
    MISMATCH = "!~"


@dataclass(frozen=True, slots=True)
class Network:
    """Addresses as numbers of 128 bits, IPv4 mapped: all that have the same first `bits` bits."""

    address: int
    bits: int

    @property
    def mask(self) -> int:
        """The bits that count."""
        return ~((1 << 128 - self.bits) - 1) & (1 << 128) - 1


@dataclass(frozen=True, slots=True)
class Span:
    """Numbers from `low` to `high`, both included."""

    low: float
    high: float


Value = str | Network | Span


@dataclass(frozen=True, slots=True)
class Compare:
    """A field against a value. With LT, LE, GT and GE the value is a Span of one number."""

    field: str
    op: Op
    value: Value
    side: Side | None = None


@dataclass(frozen=True, slots=True)
class Flag:
    """A word that is a condition: a field, and the value that it has."""

    field: str
    value: str


@dataclass(frozen=True, slots=True)
class Search:
    """A text anywhere."""

    text: str


@dataclass(frozen=True, slots=True)
class Not:
    """The opposite."""

    part: "Node"


@dataclass(frozen=True, slots=True)
class Both:
    """All of the parts."""

    parts: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Either:
    """One of the parts."""

    parts: tuple["Node", ...]


Node = Compare | Flag | Search | Not | Both | Either
