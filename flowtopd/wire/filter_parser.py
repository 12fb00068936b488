r"""The filter language: which flows are meant, in words that users of tcpdump know.

    tcp and dst port 443                      process firefox and not country DE
    host 192.168.1.7                          net 10.0.0.0/8 or net fd00::/8
    rate > 1M                                 bytes >= 10M and duration < 1m
    remote country US                         name ~ \.example\.com$
    device tv or nat                          firefox

CONDITIONS
    FIELD VALUE         the field has this value: `country DE`, `port 443`, `port 6000-6100`, `net 10.0.0.0/8`
    FIELD OP VALUE      OP is = != < <= > >= for numbers; = != for texts, and ~ !~ for regular expressions
    FIELD *             the field is known
    tcp, udp, ipv6, …   a protocol or family; nat, snat, dnat, assured, offload; inbound, outbound, forwarded; closed
    WORD                a bare word is searched in all texts: names, processes, devices, places; an address is a host

SIDES
    src, dst, local or remote before host, net, port, name, country, city, asn, org: only that end of the flow. Without
    one, either end will do; `host` and `net` without one also look at the addresses after NAT. `src 10.0.0.1` is
    short for `src host 10.0.0.1`.

JOINED
    A and B, A B        both            not A, !A       it is not so
    A or B              one of them     ( … )           as ever: `not` goes before `and`, `and` before `or`
    `&&` and `||` are the same as `and` and `or`. Between two conditions with nothing between them, `and` is meant.

VALUES
    Texts are compared as a whole, capitals do not matter, * stands for any characters and ? for one. A text with blanks
    or one that is also a word of this language is written "like this", with \" and \\ inside.
    Regular expressions match anywhere unless ^ or $ says otherwise: . [a-z] [^0-9] \d \w \s * + ? {2,5} | ( ).
    Amounts take k M G T (1000) and Ki Mi Gi Ti (1024), and bit for bits: `rate > 10Mbit`. Times take s m h d.
    What is not known is neither equal nor unequal to anything: `country != DE` leaves out flows without a country,
    `not country DE` has them.
"""

import ipaddress
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NoReturn

from flowtopd.wire.filter_fields import FILTER_FIELDS, FLAGS, FilterField, Of, Side
from flowtopd.wire.regex import Regex, RegexError

MANUAL: Final = __doc__ or ""
"""The language in words: the help screen, the man page and the documentation print it."""

LONGEST: Final = 4096
"""Characters of a filter."""

DEEPEST: Final = 50
"""Parentheses and negations in one another."""


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


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of the text and where it begins. `quoted`: a text, whatever it says."""

    text: str
    offset: int
    quoted: bool = False


_TOKEN: Final = re.compile(
    r"""\s*(?:(?P<quoted>"(?:[^"\\]|\\.)*")|(?P<sign>\(|\)|&&|\|\||!=|!~|<=|>=|==|[<>=~!])|(?P<word>[^\s()"<>=~!&|]+)|(?P<bad>\S))""",
    re.DOTALL,
)
_QUOTED: Final = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_SIGNS: Final = {"==": "=", "&&": "and", "||": "or", "!": "not"}
_JOINS: Final = ("and", "or", "not")


def tokens(text: str) -> Iterator[Token]:
    """Split a filter. What stands behind `~` is one token, in quotes or up to a blank or a `)` that is not its own."""
    at = 0
    while found := _TOKEN.match(text, at):
        kind, start = str(found.lastgroup), found.start(str(found.lastgroup))
        piece, at = found[kind], found.end()
        if kind == "bad":
            raise FilterSyntaxError(start, "a quote that is not closed" if piece == '"' else f"what is {piece!r}?")
        if kind == "quoted":
            yield Token(re.sub(r"\\(.)", r"\1", piece[1:-1], flags=re.DOTALL), start, quoted=True)
            continue
        yield Token(_SIGNS.get(piece, piece), start)
        if piece in {"~", "!~"}:
            token, at = _regex(text, at)
            if token is not None:
                yield token


def _regex(text: str, at: int) -> tuple[Token | None, int]:
    """The expression that begins behind blanks at `at`, and where it ends."""
    start = at + len(text[at:]) - len(text[at:].lstrip())
    if quoted := _QUOTED.match(text, start):
        # inside quotes only \" is ours: every other backslash is the expression's own
        return Token(quoted[1].replace('\\"', '"'), start + 1, quoted=True), quoted.end()
    end, depth = start, 0
    while end < len(text) and not text[end].isspace():
        depth += {"(": 1, ")": -1}.get(text[end], 0)
        if depth < 0:  # it closes a parenthesis of the filter
            break
        end += 2 if text[end] == "\\" else 1
    end = min(end, len(text))
    return Token(text[start:end], start, quoted=True) if end > start else None, end


def parse(text: str) -> Node | None:
    """The meaning of a filter, None of an empty one. Raises FilterSyntaxError."""
    if len(text) > LONGEST:
        raise FilterSyntaxError(LONGEST, f"longer than {LONGEST} characters")
    parser = _Parser(list(tokens(text)), len(text.rstrip()))
    return parser.whole()


class _Parser:
    """Recursive descent over the tokens; `_at` is the next one."""

    def __init__(self, read: list[Token], end: int) -> None:
        self._tokens = read
        self._end = end
        self._at = 0
        self._depth = 0

    def whole(self) -> Node | None:
        if not self._tokens:
            return None
        node = self._either()
        if self._at < len(self._tokens):
            self._fail("a parenthesis that was not opened" if self._is(")") else "what is this?")
        return node

    # the joints

    def _either(self) -> Node:
        parts = [self._both()]
        while self._take("or"):
            parts.append(self._both())
        return parts[0] if len(parts) == 1 else Either(tuple(parts))

    def _both(self) -> Node:
        parts = [self._negated()]
        while self._take("and") or not (self._at == len(self._tokens) or self._is("or") or self._is(")")):
            parts.append(self._negated())
        return parts[0] if len(parts) == 1 else Both(tuple(parts))

    def _negated(self) -> Node:
        start = self._at
        self._depth += 1
        if self._depth > DEEPEST:
            self._fail("too deep")
        if self._take("not"):
            node: Node = Not(self._negated())
        elif self._take("("):
            node = self._either()
            if not self._take(")"):
                self._fail("a parenthesis that is not closed", self._tokens[start].offset)
        else:
            node = self._condition()
        self._depth -= 1
        return node

    # conditions

    def _condition(self) -> Node:
        token = self._next("a condition")
        word = token.text.lower()
        if token.quoted:
            return Search(token.text)
        if word in _JOINS or not (token.text[0].isalnum() or token.text[0] in "_:*.-"):
            self._fail("a condition is missing here", token.offset)
        if word in list(Side):
            return self._sided(Side(word))
        if word in FILTER_FIELDS and not self._is_end():
            return self._compare(FILTER_FIELDS[word], None)
        if word == "nat" or word in FLAGS:
            return Not(Flag("nat", "none")) if word == "nat" else Flag(*FLAGS[word])
        if word in FILTER_FIELDS:
            self._fail(f"{word} wants a value", self._end)
        if (network := _network(token.text)) is not None:
            return Compare("host", Op.EQ, network)
        return Search(token.text)

    def _sided(self, side: Side) -> Node:
        token = self._peek()
        if token is not None and not token.quoted and token.text.lower() in FILTER_FIELDS:
            field = FILTER_FIELDS[token.text.lower()]
            if not field.sided:
                self._fail(f"{field.name} has no sides", token.offset)
            self._at += 1
            return self._compare(field, side)
        if self._is_end():
            self._fail(f"{side} of what?", self._end if token is None else token.offset)
        return self._compare(FILTER_FIELDS["host"], side)

    def _compare(self, field: FilterField, side: Side | None) -> Node:
        # `nat` is a field and a flag: what follows tells
        if field.name == "nat" and self._peek_text() not in {"none", "snat", "dnat", "both", "=", "!=", "~", "!~"}:
            return Not(Flag("nat", "none"))
        op, token = Op.EQ, self._peek()
        if token is not None and not token.quoted and token.text in list(Op):
            op = Op(token.text)
            self._at += 1
            if op not in _OPERATORS[field.of]:
                self._fail(f"{field.name} cannot be compared with {op}", token.offset)
        if self._is_end():
            self._fail(f"{field.name} wants a value", self._end if self._peek() is None else self._peek_offset())
        token = self._next("a value")
        return Compare(field.name, op, self._value(field, op, token), side)

    def _value(self, field: FilterField, op: Op, token: Token) -> Value:
        if token.text == "*" and not token.quoted and op in {Op.EQ, Op.NE}:
            return "*"
        if op in {Op.MATCH, Op.MISMATCH}:
            try:
                Regex(token.text)
            except RegexError as error:
                self._fail(f"this is no regular expression: {error.message}", token.offset + error.offset)
            return token.text
        value = _VALUES[field.of](token.text)
        if value is None and field.name == "port" and op in _EQUAL and re.match(r"[a-zA-Z*]", token.text):
            return token.text  # the name of a service
        if value is None or (field.name == "net" and not isinstance(value, Network)):
            self._fail(f"{field.name} wants {_WANTED['net' if field.name == 'net' else field.of]}", token.offset)
        if op not in {Op.EQ, Op.NE} and isinstance(value, Span) and value.low != value.high:
            self._fail(f"{op} wants one number", token.offset)
        return value

    # tokens

    def _peek(self) -> Token | None:
        return self._tokens[self._at] if self._at < len(self._tokens) else None

    def _peek_text(self) -> str:
        token = self._peek()
        return "" if token is None else token.text.lower()

    def _peek_offset(self) -> int:
        token = self._peek()
        return self._end if token is None else token.offset

    def _is(self, text: str) -> bool:
        token = self._peek()
        return token is not None and not token.quoted and token.text.lower() == text

    def _is_end(self) -> bool:
        """Whether no value can follow here."""
        return self._peek() is None or any(self._is(word) for word in ("and", "or", ")", "("))

    def _take(self, text: str) -> bool:
        taken = self._is(text)
        self._at += taken
        return taken

    def _next(self, wanted: str) -> Token:
        token = self._peek()
        if token is None:
            self._fail(f"{wanted} is missing at the end", self._end)
        self._at += 1
        return token

    def _fail(self, message: str, offset: int | None = None) -> NoReturn:
        raise FilterSyntaxError(self._peek_offset() if offset is None else offset, message)


# values


_DOTTED: Final = re.compile(r"(?:\d{1,3}\.){1,3}")


def _network(text: str) -> Network | None:
    """An address or a network, None where it is none. `192.168.` and `10.1.` are networks too."""
    if _DOTTED.fullmatch(text):
        known = text.count(".")
        text = text + ".".join(["0"] * (4 - known)) + f"/{8 * known}"
    elif not re.match(r"[0-9a-fA-F:]", text) or not ("." in text or ":" in text):
        return None
    try:
        network = ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None
    if network.version == 6:
        return Network(int(network.network_address), network.prefixlen)
    return Network(0xFFFF << 32 | int(network.network_address), 96 + network.prefixlen)


def _host(text: str) -> Value | None:
    return _network(text) or text or None


_NUMBER: Final = re.compile(r"(0[xX][0-9a-fA-F]+|\d+)(?:-(0[xX][0-9a-fA-F]+|\d+))?")


def _number(text: str) -> Span | None:
    found = _NUMBER.fullmatch(text)
    if found is None or len(text) > 40:
        return None
    low, high = (float(int(part, 0 if part[:2] in {"0x", "0X"} else 10)) for part in (found[1], found[2] or found[1]))
    return Span(low, high) if low <= high else None


_AMOUNT: Final = re.compile(r"(\d{1,20}(?:\.\d{1,20})?)([kKMGTP]?)(i?)(b|B|bit|bits|bps)?(?:/s)?")
_PREFIXES: Final = {prefix: power for power, prefix in enumerate(("", "k", "M", "G", "T", "P"))} | {"K": 1}


def _amount(text: str) -> Span | None:
    found = _AMOUNT.fullmatch(text)
    if found is None or (found[3] and not found[2]):
        return None
    value = float(found[1]) * (1024 if found[3] else 1000) ** _PREFIXES[found[2]]
    value /= 8 if found[4] in {"bit", "bits", "bps"} else 1
    return Span(value, value)


_SECONDS: Final = re.compile(r"(\d{1,12}(?:\.\d{1,9})?)(ms|s|m|min|h|d|w)?")
_UNITS_S: Final = {None: 1.0, "ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}


def _seconds(text: str) -> Span | None:
    found = _SECONDS.fullmatch(text)
    if found is None:
        return None
    value = float(found[1]) * _UNITS_S[found[2]]
    return Span(value, value)


_EQUAL: Final = frozenset({Op.EQ, Op.NE})
_TEXTUAL: Final = _EQUAL | {Op.MATCH, Op.MISMATCH}
_ORDERED: Final = _EQUAL | {Op.LT, Op.LE, Op.GT, Op.GE}
_OPERATORS: Final = {
    Of.ADDRESS: _TEXTUAL,
    Of.TEXT: _TEXTUAL,
    Of.NUMBER: _ORDERED,
    Of.AMOUNT: _ORDERED,
    Of.SECONDS: _ORDERED,
}
_VALUES: Final[dict[Of, Callable[[str], Value | None]]] = {
    Of.ADDRESS: _host,
    Of.TEXT: lambda text: text,
    Of.NUMBER: _number,
    Of.AMOUNT: _amount,
    Of.SECONDS: _seconds,
}
_WANTED: Final = {
    "net": "a network, as 10.0.0.0/8 or 192.168.",
    Of.ADDRESS: "an address or a name",
    Of.TEXT: "a text",
    Of.NUMBER: "a whole number, or two as 1-1024",
    Of.AMOUNT: "an amount, as 10k or 1.5M",
    Of.SECONDS: "a time, as 90s or 5m",
}
