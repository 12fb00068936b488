"""Markdown in, a man page out (the macros of man(7), which every man program knows). Pure.

What Markdown may have here, and what becomes of it:

    # page(section) -- what it is      the head of the page, once, first
    ## Heading, ### Heading            a section, a part of it; sections are written in capitals
    text, ```code```                   paragraphs, and text that keeps its lines
    - `term`: text                     a term and what it means; of several in a row, all must be so
    - text                             a list with dots; 1. text: with numbers
    | table |                          a term and what it means for each row: see `_table`
    `code`, **bold**, *italic*         bold; in a term, words in CAPITALS are what the user puts in: italic
    [text](link)                       the text, and the address where it is one of the web
    <!-- comment -->                   nothing

Anything else is an error: a page must not lose text in silence.
"""

import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from markdown_it import MarkdownIt
from markdown_it.tree import SyntaxTreeNode as Node

_CODE_INDENT: Final = 4
_WIDEST_INDENTED: Final = 67
"""What has room beside the margin of a page and its own, in 80 columns."""
_WIDTH: Final = 78
"""Of lines of text in the page."""
_WIDEST_TERM: Final = 16
"""Terms up to this width have their text beside them, if all of the list are."""
_BESIDE_TERM: Final = {"type": "", "kind": "", "default": "default "}
"""Columns of tables, and what their values are called."""

_BREAK: Final = "\n.br\n"
_SENTENCES: Final = re.compile(r"(?<=[^.][.?!]) (?=[A-Z0-9\\])")

_ESCAPES: Final = {
    "\\": r"\e",
    "-": r"\-",
    "'": r"\(aq",
    "`": r"\(ga",
    "^": r"\(ha",
    "~": r"\(ti",
    '"': r"\(dq",
}
_IN_PROSE: Final = {mark: escape for mark, escape in _ESCAPES.items() if mark not in "-'\""}
"""A hyphen and quotes in prose are those of prose."""


class ManError(Exception):
    """The page has something that this module does not know."""


@dataclass(frozen=True, slots=True)
class Head:
    """What is said at the edges of every page."""

    name: str
    section: str
    about: str
    date: str
    source: str
    manual: str


_TITLE: Final = re.compile(r"([\w.-]+)\((\d)\) -- (.+)")


def page(markdown: str, date: str, source: str, manual: str) -> str:
    """The whole man page. Raises ManError."""
    root = Node(MarkdownIt("commonmark").enable("table").parse(markdown))
    blocks = [node for node in root.children if node.type != "html_block"]
    if not blocks or blocks[0].type != "heading" or not (found := _TITLE.fullmatch(_source(blocks[0]))):
        raise ManError("a page begins with: # name(section) -- what it is")
    head = Head(found[1], found[2], found[3], date, source, manual)
    return "\n".join(_tidy([*_head(head), *_blocks(blocks[1:])])) + "\n"


def _tidy(lines: Sequence[str]) -> Iterator[str]:
    """The lines without paragraphs that begin where one has begun."""
    before = ""
    for line in lines:
        if not (line == ".PP" and before.startswith((".SH", ".SS"))):
            yield line
        before = line


def _head(head: Head) -> Iterator[str]:
    title = f".TH {_argument(head.name.upper())} {head.section} {_argument(head.date)} {_argument(head.source)}"
    yield f"{title} {_argument(head.manual)}"
    yield ".nr HY 0"  # words of a command line are not to be cut; groff turns this on again with every paragraph
    yield ".nh"
    yield ".ad l"
    yield ".SH NAME"
    yield f"{_escaped(head.name)} \\- {_escaped(head.about, prose=True)}"


def _blocks(nodes: Sequence[Node]) -> Iterator[str]:
    for node in nodes:
        match node.type:
            case "heading":
                yield _heading(node)
            case "paragraph":
                yield ".PP"
                yield _paragraph(node)
            case "fence" | "code_block":
                yield from _verbatim(node.content)
            case "bullet_list" | "ordered_list":
                yield from _list(node)
            case "table":
                yield from _table(node)
            case "html_block" if node.content.startswith("<!--"):
                pass
            case other:
                raise ManError(f"{other} is not known here: {_source(node)[:60]!r}")


def _heading(node: Node) -> str:
    text = _source(node)
    match node.tag:
        case "h2":
            return f".SH {_argument(_escaped(text.upper(), prose=True))}"
        case "h3":
            return f".SS {_argument(_escaped(text, prose=True))}"
    raise ManError(f"a heading of this depth is not known here: {text!r}")


def _paragraph(node: Node) -> str:
    return "\n".join(_filled(_inline(node.children[0])))


def _filled(text: str) -> Iterator[str]:
    """Lines of running text. Each sentence begins a line: where it ends inside one, its space would be another one."""
    for at, part in enumerate(text.split(_BREAK)):
        if at:
            yield ".br"
        for sentence in _SENTENCES.split(" ".join(part.split())):
            yield from map(_protected, textwrap.wrap(sentence, _WIDTH, break_long_words=False, break_on_hyphens=False))


def _verbatim(text: str) -> Iterator[str]:
    lines = text.rstrip("\n").split("\n")
    yield ".PP"
    yield f".in +{_CODE_INDENT if max(map(len, lines)) <= _WIDEST_INDENTED else 0}n"
    yield ".EX"
    for line in lines:
        yield _protected(_escaped(line))
    yield ".EE"
    yield ".in"


def _protected(line: str) -> str:
    """A line of text that is none of commands."""
    return rf"\&{line}" if line[:1] in {".", "'"} else line


def _argument(text: str) -> str:
    """An argument of a macro."""
    return '"' + text.replace('"', r"\(dq") + '"'


def _list(node: Node) -> Iterator[str]:
    terms = [_term(item) for item in node.children]
    if all(terms):
        yield from _terms(
            [(term[0], _item(item, term)) for item, term in zip(node.children, terms, strict=True) if term]
        )
        return
    for number, item in enumerate(node.children, start=1):
        mark, width = (r"\(bu", 2) if node.type == "bullet_list" else (f"{number}.", 4)
        yield f'.IP "{mark}" {width}'
        yield from _within(item.children)


def _term(item: Node) -> tuple[str, int] | None:
    """The term that an item begins with, and how many of its inline parts that is."""
    first = item.children[0] if item.children else None
    if first is None or first.type != "paragraph":
        return None
    parts = first.children[0].children
    for at, part in enumerate(parts):
        if part.type == "text" and at and part.content.startswith(": "):
            return "".join(_term_part(each) for each in parts[:at]), at
        if part.type != "code_inline" and not (part.type == "text" and part.content.strip(" ") in {",", "or"}):
            return None
    return None


def _item(item: Node, term: tuple[str, int]) -> list[str]:
    """What follows the term."""
    first, *others = item.children
    _, at = term
    text = _spans(first.children[0].children[at:]).removeprefix(": ").removeprefix(":")
    return [*_filled(text), *_within(others, first=False)]


def _within(nodes: Sequence[Node], *, first: bool = True) -> Iterator[str]:
    """Blocks inside an item of a list: the first paragraph stands where it is."""
    for at, node in enumerate(nodes):
        if node.type == "paragraph":
            if at or not first:
                yield ".IP"
            yield _paragraph(node)
        else:
            yield ".RS"
            yield from _blocks([node])
            yield ".RE"


def _terms(pairs: Sequence[tuple[str, Sequence[str]]]) -> Iterator[str]:
    """Terms and their texts: beside one another where all terms are short, and close together where all texts are too.

    Options and settings are never that: a list of them looks like all such lists.
    """
    widths = [_width(term) for term, _ in pairs]
    short = max(widths) <= _WIDEST_TERM and not any(term.startswith(r"\fB\-") or " = " in term for term, _ in pairs)
    brief = short and all(len(" ".join(text)) < 120 and len(text) < 4 for _, text in pairs)
    width = max(widths) + 2 if short else 8
    for at, (term, text) in enumerate(pairs):
        if brief and at == 1:
            yield ".PD 0"
        yield f".TP {width}"
        yield _protected(term)
        yield from text or [r"\&"]
    if brief and len(pairs) > 1:
        yield ".PD"


def _table(node: Node) -> Iterator[str]:
    """A table as terms: the first column that names the row, and what the others say of it.

    What is in a column of types or defaults goes into brackets behind the term. Where the first cell of a row is empty
    the row goes with the one before, under a heading.
    """
    head, *rows = [row.children for part in node.children for row in part.children]
    names = [_source(cell) for cell in head]
    if all(_source(row[0]) for row in rows):
        yield from _terms([_row(row, names) for row in rows])
        return
    groups: list[tuple[str, list[Sequence[Node]]]] = []
    for row in rows:
        if name := _inline(row[0]):
            groups.append((name, []))
        groups[-1][1].append(row[1:])
    for name, members in groups:
        yield ".PP"
        yield f"{name}:"
        yield f".RS {_CODE_INDENT}"
        yield from _terms([_row(row, names[1:]) for row in members])
        yield ".RE"


def _row(row: Sequence[Node], names: Sequence[str]) -> tuple[str, list[str]]:
    """A row as a term and its text."""
    brackets: list[str] = []
    texts: list[str] = []
    for name, cell in zip(names[1:], row[1:], strict=True):
        text = _inline(cell)
        if not text:
            continue
        if name in _BESIDE_TERM:
            brackets.append(_BESIDE_TERM[name] + text)
        else:
            texts.append(f"{name}: {text}" if texts else text)
    term = "".join(_term_part(part) for part in row[0].children[0].children)
    return f"{term} ({'; '.join(brackets)})" if brackets else term, list(_filled("; ".join(texts)))


def _inline(node: Node) -> str:
    """Text with its fonts; of a cell or of an inline node."""
    if node.type in {"td", "th"}:
        return _spans(node.children[0].children) if node.children else ""
    return _spans(node.children)


def _spans(nodes: Sequence[Node]) -> str:
    return "".join(map(_span, nodes))


def _span(node: Node) -> str:
    match node.type:
        case "text":
            return _escaped(node.content, prose=True)
        case "softbreak":
            return "\n"
        case "hardbreak":
            return _BREAK
        case "code_inline":
            return rf"\fB{_escaped(node.content)}\fP"
        case "strong":
            return rf"\fB{_plain(node)}\fP"
        case "em":
            return rf"\fI{_plain(node)}\fP"
        case "link":
            address = str(node.attrs["href"])
            web = address.startswith("https://") and address != _source(node)
            return _spans(node.children) + (f" <{_escaped(address)}>" if web else "")
        case "html_inline" if node.content.startswith("<!--"):
            return ""
    raise ManError(f"{node.type} is not known here: {node.content[:60]!r}")


def _plain(node: Node) -> str:
    """Text inside a font; there is none inside it."""
    return _escaped("".join(child.content for child in node.children))


def _term_part(node: Node) -> str:
    """A part of a term: words in CAPITALS are italic, the others bold."""
    if node.type == "text":
        return _escaped(node.content, prose=True)
    if node.type != "code_inline":
        return _span(node)
    pieces = re.split(r"(?<![\w-])([A-Z][A-Z]+|N)(?![\w-])", node.content)
    fonts = ("B", "I")
    return "".join(rf"\f{fonts[at % 2]}{_escaped(piece)}\fP" for at, piece in enumerate(pieces) if piece)


def _escaped(text: str, *, prose: bool = False) -> str:
    if prose:
        words = re.split("( )", text)
        return "".join("".join(_marks(word).get(each, each) for each in word) for word in words)
    return "".join(_ESCAPES.get(each, each) for each in text)


def _marks(word: str) -> Mapping[str, str]:
    """What is escaped in a word of prose: at a hyphen it may be cut, but not where it is a pattern or a path."""
    return _IN_PROSE if not re.search(r"[\[\]{}/=\\]", word) else _IN_PROSE | {"-": r"\-"}


def _width(term: str) -> int:
    """Cells that a term takes."""
    return len(re.sub(r"\\\((..)", "x", re.sub(r"\\f[BIP]", "", term)).replace(r"\-", "-").replace(r"\e", "x"))


def _source(node: Node) -> str:
    """The text of a node, without any fonts."""
    if node.type in {"text", "code_inline", "fence", "code_block"}:
        return node.content
    return "".join(map(_source, node.children))
