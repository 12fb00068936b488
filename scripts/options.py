"""The options of both programs, out of their parsers, with what their values are: completions are made of them."""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from flowtop_client import parser as viewer
from flowtop_client.formats import Format
from flowtop_client.view_state.completion import offers
from flowtop_client.view_state.theme import Theme
from flowtopd import cli as daemon
from flowtopd.wire.fields import sort_fields
from flowtopd.wire.filter_fields import FILTER_FIELDS, Side
from flowtopd.wire.messages import View


class Value(StrEnum):
    """What an option takes."""

    NOTHING = "nothing"
    WORD = "word"
    """One of `words`; of none where there are none: a number, say."""
    FILE = "file"
    DIRECTORY = "directory"
    HOST = "host"
    """A host that ssh knows, a user may stand before it."""
    SORT = "sort"
    FILTER = "filter"


@dataclass(frozen=True, slots=True)
class Option:
    """One option. `against`: names that cannot be given with it, its own among them unless it `repeats`."""

    names: Sequence[str]
    help: str
    value: Value = Value.NOTHING
    metavar: str = ""
    words: Sequence[str] = ()
    against: Sequence[str] = ()
    repeats: bool = False

    @property
    def long(self) -> Sequence[str]:
        """Names such as `--json`."""
        return [name for name in self.names if name.startswith("--")]

    @property
    def short(self) -> Sequence[str]:
        """Names such as `-f`."""
        return [name for name in self.names if not name.startswith("--")]


_DIRECTORIES: Final = {"runtime_dir"}
_FILES: Final = {"socket"}
_HOSTS: Final = {"host"}
_FILTERS: Final = {"filter", "exit_if"}
_WORDS: Final[Mapping[str, Sequence[str]]] = {"view": tuple(View), "theme": tuple(Theme), "form": tuple(Format)}


def programs() -> dict[str, list[Option]]:
    """All options by program."""
    return {"flowtop": options_of(viewer.parser()), "flowtopd": options_of(daemon._parser())}  # noqa: SLF001


def options_of(parser: argparse.ArgumentParser) -> list[Option]:
    """The options of one parser, in its order."""
    groups = [group._group_actions for group in parser._mutually_exclusive_groups]  # noqa: SLF001
    return [_option(action, groups, parser) for action in parser._actions]  # noqa: SLF001


def _option(
    action: argparse.Action, groups: Sequence[Sequence[argparse.Action]], parser: argparse.ArgumentParser
) -> Option:
    repeats = isinstance(action, argparse._AppendAction)  # noqa: SLF001
    groups_of = [group for group in groups if action in group]
    others = [name for group in groups_of for other in group if other is not action for name in other.option_strings]
    against = [*([] if repeats else action.option_strings), *others]
    text = (action.help or "") % {"default": action.default, "prog": parser.prog}
    value, words = (Value.NOTHING, ()) if action.nargs == 0 else _value(action)
    metavar = "" if value is Value.NOTHING else str(action.metavar or action.dest.upper())
    return Option(action.option_strings, text, value, metavar, words, against, repeats)


def _value(action: argparse.Action) -> tuple[Value, Sequence[str]]:
    if action.choices is not None:
        return Value.WORD, [f"{each:g}" if isinstance(each, float) else str(each) for each in action.choices]
    if action.dest == "sort":
        return Value.SORT, ()
    if action.dest in _HOSTS:
        return Value.HOST, ()
    if action.dest in _FILTERS:
        return Value.FILTER, ()
    if action.dest in _DIRECTORIES:
        return Value.DIRECTORY, ()
    if action.type is Path or action.dest in _FILES:
        return Value.FILE, ()
    return Value.WORD, _WORDS.get(action.dest, ())


def sort_words() -> dict[str, Sequence[str]]:
    """What the rows of each view may be sorted by."""
    return {view.value: sort_fields(view) for view in View}


def filter_words() -> list[tuple[Sequence[str], Sequence[str]]]:
    """What may follow each word of a filter: words, and what may come behind them. The last pair is that of all others.

    As the viewer completes them, but for what it has seen in rows.
    """
    after: dict[tuple[str, ...], list[str]] = {}
    for word in (*FILTER_FIELDS, *Side):
        after.setdefault(_offered(f"{word} "), []).append(word)
    return [*((before, words) for words, before in after.items()), ((), _offered("tcp "))]


def first_filter_words() -> Sequence[str]:
    """What a filter may begin with."""
    return _offered("")


def _offered(text: str) -> tuple[str, ...]:
    return offers(text, len(text), {})[1]
