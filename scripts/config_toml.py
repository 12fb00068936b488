#!/usr/bin/env python3
"""The configuration file that ships, etc/flowtopd.toml: every key with its default, made of flowtopd/config.py.

python -m scripts.config_toml
"""

import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from scripts.config_keys import Key, Section, sections

FILE: Final = Path(__file__).parents[1] / "etc" / "flowtopd.toml"

_WIDTH: Final = 100

_HEAD: Final = """\
# The configuration of flowtopd. Every key is here with its default: take away the # in front of it,
# and change it. The manual is flowtopd.toml(5). `flowtopd --check-config` says what is wrong here.
"""


def text() -> str:
    """The whole file."""
    return "\n".join([_HEAD, *("\n".join(_section(each)) for each in sections())])


def _section(section: Section) -> Iterator[str]:
    yield f"# {section.doc}"
    yield f"[{section.name}]"
    yield ""
    for key in section.keys:
        yield from _key(key)
        yield ""


def _key(key: Key) -> Iterator[str]:
    yield from _comment(key.doc)
    described = [(value, doc) for value, doc in key.choices if doc]
    width = max((len(value) for value, _ in described), default=0)
    for value, doc in described:
        yield from _comment(doc, first=f"  {value:{width}}  ")
    if key.choices and not described:
        yield from _comment(f"One of {', '.join(value for value, _ in key.choices)}.")
    yield f"#{key.name} = {key.default}"


def _comment(prose: str, first: str = "") -> list[str]:
    plain = prose.replace("`", "")
    return textwrap.wrap(plain, _WIDTH, initial_indent=f"# {first}", subsequent_indent=f"# {' ' * len(first)}")


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
