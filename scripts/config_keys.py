"""The keys of flowtopd.toml with what they mean, read out of flowtopd/config.py.

A key, a section or a choice is documented by the docstring below it, where whoever changes it sees it. Python does not
keep such docstrings, so they are read from the source.
"""

import ast
import dataclasses
import inspect
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from pathlib import Path
from typing import Any, get_type_hints

from flowtopd import config


@dataclass(frozen=True, slots=True)
class Key:
    """One key. `default` is as the file has it; `choices` are values and what each means, "" where it says itself."""

    name: str
    default: str
    doc: str
    choices: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True, slots=True)
class Section:
    """One section of the file."""

    name: str
    doc: str
    keys: Sequence[Key]


Docs = Mapping[str, Mapping[str, str]]
"""Docstrings by class and field."""


def sections(source: str | None = None) -> list[Section]:
    """All of them, in the order of Config. Raises LookupError where a key is not documented.

    `source` is that of the module, where it is known already.
    """
    docs = _docs(inspect.getsource(config) if source is None else source)
    found = []
    for name, kind in get_type_hints(config.Config).items():
        hints = get_type_hints(kind)
        keys = [_key(kind, field, hints[field.name], docs) for field in dataclasses.fields(kind)]
        found.append(Section(name, _one_line(kind.__doc__ or ""), keys))
    return found


def _key(kind: type[Any], field: "dataclasses.Field[Any]", hint: Any, docs: Docs) -> Key:
    choices: list[tuple[str, str]] = []
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        choices = [(toml(each), docs[hint.__name__].get(each.name, "")) for each in hint]
    try:
        doc = docs[kind.__name__][field.name]
    except KeyError:
        raise LookupError(f"flowtopd/config.py: {kind.__name__}.{field.name} has no docstring below it") from None
    return Key(field.name, toml(field.default), doc, choices)


def _docs(source: str) -> Docs:
    classes = [node for node in ast.parse(source).body if isinstance(node, ast.ClassDef)]
    return {node.name: dict(_below(node.body)) for node in classes}


def _below(body: Sequence[ast.stmt]) -> Iterator[tuple[str, str]]:
    for statement, after in pairwise(body):
        match statement, after:
            case (
                ast.AnnAssign(target=ast.Name(name)) | ast.Assign(targets=[ast.Name(name)]),
                ast.Expr(ast.Constant(str(text))),
            ):
                yield name, _one_line(text)


def _one_line(text: str) -> str:
    return " ".join(text.split())


def toml(value: Any) -> str:
    """A default as the file would have it."""
    match value:
        case bool():
            return str(value).lower()
        case int():
            return str(int(value))
        case str() | Path():
            return f'"{value}"'
        case tuple():
            return f"[{', '.join(map(toml, value))}]"
    raise TypeError(f"no TOML for {value!r}")
