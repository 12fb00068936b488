"""What man pages have from the programs themselves, as Markdown for scripts/roff.py."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final

from flowtop_client.columns.meanings import all_columns, meaning
from flowtop_client.tui.key_bindings import FIXED, SECTIONS
from flowtopd.wire.fields import FLOW_FIELDS, GROUP_FIELDS, VIEW_FIELDS
from flowtopd.wire.filter_fields import FILTER_FIELDS, FLAGS, Of
from flowtopd.wire.filter_parser import MANUAL
from flowtopd.wire.messages import View
from scripts.config_keys import sections


def _lines(lines: Iterable[str]) -> str:
    return "\n".join(lines)


def _code(text: str) -> str:
    """A span of code, also of what Markdown uses for that."""
    return f"`` {text} ``" if "`" in text else f"`{text}`"


def keys() -> str:
    """Every key of the viewer under its heading."""
    lines = []
    for heading, bound in SECTIONS:
        lines += ["", f"### {heading}", ""]
        lines += [f"- {', '.join(map(_code, key.shown.split(', ')))}: {_plain(key.meaning)}" for key in bound]
    return _lines(lines)


def _plain(text: str) -> str:
    return re.sub(r"([\\<>|*_`\[\]])", r"\\\1", text)


def actions() -> str:
    """The names of what keys do, in the order of `keys`."""
    lines = []
    for heading, bound in SECTIONS:
        names = dict.fromkeys(key.action.value for key in bound if key.action not in FIXED)
        lines.append(f"- {heading}: {', '.join(f'`{name}`' for name in names)}")
    return _lines(lines)


def columns() -> str:
    """The columns of every view."""
    lines = ["### flows", ""]
    lines += [f"- `{column.name}`: {_plain(meaning(View.FLOWS, column.name))}" for column in all_columns(View.FLOWS)]
    lines += ["", "### The other views", ""]
    views = [view for view in View if view is not View.FLOWS]
    sets = [{column.name: meaning(view, column.name) for column in all_columns(view)} for view in views]
    shared = {name: text for name, text in sets[0].items() if all(each.get(name) == text for each in sets)}
    lines += ["All of these have", ""]
    lines += [f"- `{name}`: {_plain(text)}" for name, text in shared.items()]
    lines += ["", "and beside them", ""]
    for view, names in zip(views, sets, strict=True):
        own = ", ".join(f"`{name}` ({_plain(text)})" for name, text in names.items() if name not in shared)
        lines.append(f"- `{view}`: {own or 'nothing else'}")
    return _lines(lines)


def fields() -> str:
    """The fields of JSON and CSV, by which rows are sorted."""
    lines = [f"- `{field.name}`: {_plain(field.doc)}" for field in FLOW_FIELDS]
    groups = {field.name: field.doc for field in GROUP_FIELDS}
    views = {view: names for view, names in VIEW_FIELDS.items() if view is not View.FLOWS}
    shared = [name for name in groups if all(name in names for names in views.values())]
    lines += ["", "### Of a group", ""]
    lines += [f"- `{name}`: {_plain(groups[name])}" for name in shared]
    lines += ["", "and in the view", ""]
    for view, names in views.items():
        own = ", ".join(f"`{name}` ({_plain(groups[name])})" for name in names if name not in shared)
        lines.append(f"- `{view}`: {own}")
    return _lines(lines)


def config() -> str:
    """The keys of flowtopd.toml."""
    lines = []
    for section in sections():
        lines += [f"### \\[{section.name}\\]", "", section.doc, ""]
        for key in section.keys:
            described = [(value, doc) for value, doc in key.choices if doc]
            one_of = "" if described else _one_of([value for value, _ in key.choices])
            lines.append(f"- `{key.name} = {key.default}`: {key.doc}{one_of}")
            if described:
                lines += ["", *(f"  - `{value}`: {doc}" for value, doc in described), ""]
        lines.append("")
    return _lines(lines)


def _one_of(values: list[str]) -> str:
    return f" One of {', '.join(map(_code, values))}." if values else ""


_BLANKS: Final = re.compile(r" {2,}")


def filters() -> str:
    """The language of filters: its manual, which is the parser's, with its tables made into lists."""
    first, *parts = re.split(r"\n(?=[A-Z]+\n)", MANUAL.strip())
    intro, examples = first.split("\n\n", 1)
    lines = [intro, "", "```", *_singly(examples), "```"]
    for part in parts:
        heading, body = part.split("\n", 1)
        lines += ["", f"## {heading.capitalize()}", "", *_described(body)]
    return _lines(lines)


def _singly(examples: str) -> Iterator[str]:
    """What stands in columns, the first column first: a terminal of 80 columns has no room for two."""
    rows = [_BLANKS.split(line.strip()) for line in examples.splitlines()]
    for at in range(max(map(len, rows))):
        yield from (row[at] for row in rows if len(row) > at)


def _described(body: str) -> Iterator[str]:
    """Lines with columns are terms and what they mean, in pairs; the others are prose."""
    prose: list[str] = []
    for line in body.splitlines():
        cells = _BLANKS.split(line.strip())
        if len(cells) == 1:
            if prose and prose[-1].endswith(".") and line.strip()[0].isupper():
                prose.append("")
            prose.append(_prose(line.strip()))
            continue
        for term, text in zip(cells[::2], cells[1::2], strict=True):
            yield f"- {', '.join(_code(each) for each in term.split(', '))}: {_prose(text)}"
    if prose:
        yield ""
        yield from prose


def _prose(text: str) -> str:
    """Text in which only backticks mean something."""
    pieces = re.split("(`[^`]*`)", text)
    return "".join(piece if piece.startswith("`") else _plain(piece) for piece in pieces)


def filter_fields() -> str:
    """The fields of filters, by what their values are."""
    lines = []
    for of, heading in _VALUES.items():
        lines += ["", f"### {heading}", ""]
        for field in FILTER_FIELDS.values():
            if field.of is of:
                lines.append(f"- `{field.name}`: {_plain(field.doc)}{' (of either side)' if field.sided else ''}")
    return _lines(lines)


_VALUES: Final[Mapping[Of, str]] = {
    Of.ADDRESS: "Addresses",
    Of.TEXT: "Texts",
    Of.NUMBER: "Numbers",
    Of.AMOUNT: "Amounts",
    Of.SECONDS: "Times",
}


def filter_words() -> str:
    """Words that are a condition by themselves."""
    return ", ".join(f"`{word}`" for word in sorted({*FLAGS, "nat"}))


PARTS: Final[Mapping[str, Callable[[], str]]] = {
    "keys": keys,
    "actions": actions,
    "columns": columns,
    "fields": fields,
    "config": config,
    "filters": filters,
    "filter-fields": filter_fields,
    "filter-words": filter_words,
}
"""By the names that pages use."""
