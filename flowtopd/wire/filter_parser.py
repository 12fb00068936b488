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
    What no flow can have is a mistake, with < and > too: `port 70000`, `proto 256`, `host 10.0.0.300`.
    Several values are several conditions: `port 443 or port 80`. A network may be written with its AS: `asn AS13335`.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NoReturn

from flowtopd.wire.filter_fields import FILTER_FIELDS, FLAGS, FilterField, Side
from flowtopd.wire.filter_syntax import (
    Both,
    Compare,
    Either,
    FilterSyntaxError,
    Flag,
    Node,
    Not,
    Op,
    Search,
    Span,
    Value,
)
from flowtopd.wire.filter_values import OPERATORS, highest, network, several, value_of, wanted

MANUAL: Final = __doc__ or ""
"""The language in words: the help screen, the man page and the documentation print it."""

LONGEST: Final = 4096
"""Characters of a filter."""

DEEPEST: Final = 50
"""Parentheses and negations in one another."""

MOST_EXPRESSIONS: Final = 16
"""Regular expressions of one filter: each may remember some megabytes while it is searched for."""


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of the text and where it begins. `quoted`: a text, whatever it says."""

    text: str
    offset: int
    quoted: bool = False


# compiled where they are used: a viewer that starts without a filter does not wait for it
_PIECE: Final = (
    r"""\s*(?:(?P<quoted>"(?:[^"\\]|\\.)*")|(?P<sign>\(|\)|&&|\|\||!=|!~|<=|>=|==|[<>=~!])"""
    r"""|(?P<word>[^\s()"<>=~!&|]+)|(?P<bad>\S))"""
)
_QUOTED: Final = r'"((?:[^"\\]|\\.)*)"'
_SIGNS: Final = {"==": "=", "&&": "and", "||": "or", "!": "not"}
_JOINS: Final = ("and", "or", "not")


def tokens(text: str) -> Iterator[Token]:
    """Split a filter. What stands behind `~` is one token, in quotes or up to a blank or a `)` that is not its own."""
    at = 0
    while found := re.compile(_PIECE, re.DOTALL).match(text, at):
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
    if quoted := re.compile(_QUOTED, re.DOTALL).match(text, start):
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
        self._expressions = 0

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
            self._fail(f"{word} wants a value")
        if (address := network(token.text)) is not None:
            return Compare("host", Op.EQ, address)
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
            self._fail(f"{side} of what?")
        return self._compare(FILTER_FIELDS["host"], side)

    def _compare(self, field: FilterField, side: Side | None) -> Node:
        # `nat` is a field and a flag: what follows tells
        if field.name == "nat" and self._peek_text() not in {"none", "snat", "dnat", "both", "=", "!=", "~", "!~"}:
            return Not(Flag("nat", "none"))
        op, token = Op.EQ, self._peek()
        if token is not None and not token.quoted and token.text in list(Op):
            op = Op(token.text)
            self._at += 1
            if op not in OPERATORS[field.of] or (field.name == "net" and op in {Op.MATCH, Op.MISMATCH}):
                self._fail(f"{field.name} cannot be compared with {op}", token.offset)
        if self._is_end():
            self._fail(f"{field.name} wants a value")
        token = self._next("a value")
        return Compare(field.name, op, self._value(field, op, token, side), side)

    def _value(self, field: FilterField, op: Op, token: Token, side: Side | None) -> Value:
        if token.text == "*" and not token.quoted and op in {Op.EQ, Op.NE}:
            return "*"
        if op in {Op.MATCH, Op.MISMATCH}:
            self._expressions += 1
            if self._expressions > MOST_EXPRESSIONS:
                self._fail(f"more than {MOST_EXPRESSIONS} regular expressions", token.offset)
            from flowtopd.wire import regex_parser  # noqa: PLC0415  # few filters have an expression

            try:
                regex_parser.parse(token.text)
            except regex_parser.RegexError as error:
                self._fail(f"this is no regular expression: {error.message}", token.offset + error.offset)
            return token.text
        value = value_of(field, op, token.text)
        if value is None:
            behind = self._peek_text() if token.text.endswith(",") else ""
            text = token.text + behind if behind[:1].isdigit() else token.text  # `443, 80`
            self._fail(f"{field.name} wants {wanted(field)}{several(field, op, text, side)}", token.offset)
        if field.most is not None and highest(value) > field.most:
            self._fail(f"{field.name} is at most {field.most}", token.offset)
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
