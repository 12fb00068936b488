#!/usr/bin/env python3
"""Pictures of the real viewer, as SVG, for the README: `make screenshots`.

    flowtop --demo in tmux ─▶ keys ─▶ screen with its colours ─▶ docs/screenshots/NAME.svg

The demo is a recording, so the pictures need neither root nor a kernel, and nothing of this machine is on them.
"""

import html
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Final

import pyte
from pyte.screens import Char

from testbed.terminal import Terminal

ROOT: Final = Path(__file__).parent.parent
TARGET: Final = ROOT / "docs" / "screenshots"

COLUMNS: Final = 120
ROWS: Final = 26
_CELL: Final = (8.4, 18)
_MARGIN: Final = 12

_FOREGROUND: Final = "#d8dee9"
_BACKGROUND: Final = "#1b1f27"
_COLOURS: Final = {
    "black": "#2e3440",
    "red": "#e06c75",
    "green": "#98c379",
    "brown": "#e5c07b",
    "blue": "#61afef",
    "magenta": "#c678dd",
    "cyan": "#56b6c2",
    "white": "#d8dee9",
    "brightblack": "#7f8a9c",
    "brightred": "#ef8189",
    "brightgreen": "#b0d890",
    "brightbrown": "#f0d399",
    "brightblue": "#82c4ff",
    "brightmagenta": "#d794ea",
    "brightcyan": "#78cdd8",
    "brightwhite": "#ffffff",
}


@dataclass(frozen=True, slots=True)
class Picture:
    """What to press, and what must be on the screen then."""

    name: str
    keys: tuple[str, ...]
    expected: str


PICTURES: Final = (
    Picture("flows", (), "ADDRESS"),
    Picture("processes", ("2",), "PROCESS"),
    Picture("devices", ("3",), "DEVICE"),
    Picture("countries", ("5",), "COUNTRY"),
    Picture("help", ("1", "?"), "Next tab"),
)


def _drawn(screen: str) -> list[list[Char]]:
    """The cells of a screen that came with escape sequences."""
    terminal = pyte.Screen(COLUMNS, ROWS)
    pyte.Stream(terminal).feed("\r\n".join(screen.rstrip("\n").split("\n")[:ROWS]))
    return [[terminal.buffer[y][x] for x in range(COLUMNS)] for y in range(ROWS)]


def _look(cell: Char) -> tuple[str, str, bool]:
    """Colour, background and weight of a cell."""
    front, back = _COLOURS.get(cell.fg, _FOREGROUND), _COLOURS.get(cell.bg, _BACKGROUND)
    if cell.fg not in {"default", *_COLOURS}:
        front = f"#{cell.fg}"
    if cell.bg not in {"default", *_COLOURS}:
        back = f"#{cell.bg}"
    return (back, front, cell.bold) if cell.reverse else (front, back, cell.bold)


def _line(y: int, cells: list[Char]) -> Iterator[str]:
    x = 0
    for (front, back, bold), run in groupby(cells, _look):
        text = "".join(cell.data for cell in run)
        left, top = _MARGIN + x * _CELL[0], _MARGIN + y * _CELL[1]
        if back != _BACKGROUND:
            width = len(text) * _CELL[0]
            yield f'<rect x="{left:.1f}" y="{top}" width="{width:.1f}" height="{_CELL[1]}" fill="{back}"/>'
        if text.strip():
            weight = ' font-weight="bold"' if bold else ""
            length = f'textLength="{len(text) * _CELL[0]:.1f}"'
            yield (
                f'<text x="{left:.1f}" y="{top + 13}" fill="{front}"{weight} {length} xml:space="preserve">'
                f"{html.escape(text)}</text>"
            )
        x += len(text)


def svg(screen: str) -> str:
    """A picture of a screen."""
    width, height = (2 * _MARGIN + count * size for count, size in zip((COLUMNS, ROWS), _CELL, strict=True))
    lines = [part for y, cells in enumerate(_drawn(screen)) for part in _line(y, cells)]
    font = 'font-family="ui-monospace, Menlo, Consolas, monospace" font-size="14"'
    return "\n".join(
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height}" {font}>',
            f'<rect width="100%" height="100%" rx="8" fill="{_BACKGROUND}"/>',
            *lines,
            "</svg>\n",
        )
    )


def main() -> None:
    """Draw all pictures."""
    TARGET.mkdir(exist_ok=True)
    with Terminal(
        [sys.executable, "-m", "flowtop_client", "--demo", "--all"], columns=COLUMNS, rows=ROWS, cwd=ROOT
    ) as terminal:
        terminal.wait_for("ADDRESS")
        time.sleep(15)  # for rates, and for the line that shows how they have been
        for picture in PICTURES:
            terminal.send_keys(*picture.keys) if picture.keys else None
            terminal.wait_for(picture.expected)
            time.sleep(1.5)  # for the columns that the first rows of a view ask for
            (TARGET / f"{picture.name}.svg").write_text(svg(terminal.screen(escapes=True)), encoding="utf-8")
            print(f"docs/screenshots/{picture.name}.svg")


if __name__ == "__main__":
    main()
