#!/usr/bin/env python3
"""Completion for bash, zsh and fish, made of the programs' own parsers: completions/.

python -m scripts.completions [DIRECTORY]

    flowtop.bash, flowtopd.bash    need nothing but bash
    _flowtop, _flowtopd            for zsh, in a directory of $fpath
    flowtop.fish, flowtopd.fish    for fish

Options are offered with what they are, and for their values: words where there are few, files, hosts as ssh has them,
fields to sort by as the view has them, with :asc and :desc behind them, and in filters, quoted or not, what may follow
the word before. Each shell has a module of its own, `completions_parts` what they share.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from scripts.completions_bash import bash
from scripts.completions_fish import fish
from scripts.completions_zsh import zsh
from scripts.options import programs

TARGET: Final = Path(__file__).parents[1] / "completions"


def files() -> dict[str, str]:
    """The text of every file by its name."""
    made = {}
    for program, options in programs().items():
        made[f"{program}.bash"] = _text(bash(program, options))
        made[f"_{program}"] = _text(zsh(program, options))
        made[f"{program}.fish"] = _text(fish(program, options))
    return made


def _text(lines: Iterator[str]) -> str:
    return "\n".join(lines) + "\n"


def main(target: Path) -> None:
    """Write all of them."""
    target.mkdir(parents=True, exist_ok=True)
    for name, text in files().items():
        (target / name).write_text(text, encoding="utf-8")
        print(target / name)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else TARGET)
