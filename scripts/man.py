#!/usr/bin/env python3
"""The man pages, made of docs/man/*.md: build/man/flowtop.1 and the others.

python -m scripts.man [DIRECTORY]

A page is Markdown (scripts/roff.py says which) with two kinds of comments that stand for text:

    <!-- include: ../viewer.md#Themes -->    what stands below this heading of another file, up to the next one;
                                             without #, all of it but its title
    <!-- generate: keys -->                  what the programs know themselves (scripts/man_parts.py)
"""

import os
import re
import sys
import time
from pathlib import Path
from typing import Final

from flowtopd.wire.version import VERSION
from scripts.man_parts import PARTS
from scripts.roff import page

ROOT: Final = Path(__file__).parents[1]
SOURCES: Final = ROOT / "docs" / "man"
TARGET: Final = ROOT / "build" / "man"

_STANDS_FOR: Final = re.compile(r"^<!-- (include|generate): (.+?) -->$", re.MULTILINE)


def markdown(source: Path) -> str:
    """The text of a page with what its comments stand for. Raises LookupError where there is no such thing."""

    def text(found: re.Match[str]) -> str:
        kind, name = found.groups()
        if kind == "generate":
            return PARTS[name]().strip("\n")
        file, _, heading = name.partition("#")
        return _below((source.parent / file).read_text(encoding="utf-8"), heading).strip("\n")

    return _STANDS_FOR.sub(text, source.read_text(encoding="utf-8"))


def _below(text: str, heading: str) -> str:
    if not heading:
        return re.sub(r"\A# .*\n", "", text)
    below: list[str] = []
    found = inside = code = False
    for line in text.splitlines(keepends=True):
        code ^= line.startswith("```")
        if line.startswith("#") and not code:
            inside = line.lstrip("#").strip() == heading
            found |= inside
        elif inside:
            below.append(line)
    if not found:
        raise LookupError(f"no heading {heading!r}")
    return "".join(below)


def made(source: Path) -> str:
    """The man page of one source."""
    day = time.gmtime(int(os.environ.get("SOURCE_DATE_EPOCH", source.stat().st_mtime)))
    return page(markdown(source), time.strftime("%Y-%m-%d", day), f"flowtop {VERSION}", "flowtop manual")


def main(target: Path) -> None:
    """Make all of them."""
    target.mkdir(parents=True, exist_ok=True)
    for source in sorted(SOURCES.glob("*.md")):
        (target / source.stem).write_text(made(source), encoding="utf-8")
        print(target / source.stem)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else TARGET)
