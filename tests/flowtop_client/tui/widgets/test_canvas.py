"""The canvas behind prompt_toolkit's renderer, with pyte as the terminal: what is drawn is what is seen."""

import io
import random

import pyte
import pytest
from prompt_toolkit.application import Application
from prompt_toolkit.data_structures import Size
from prompt_toolkit.input import DummyInput
from prompt_toolkit.layout import Layout
from prompt_toolkit.output import ColorDepth
from prompt_toolkit.output.vt100 import Vt100_Output
from prompt_toolkit.styles import Style
from prompt_toolkit.utils import get_cwidth

from flowtop_client.tui.widgets.canvas import Canvas
from flowtop_client.tui.widgets.line import Line, clipped

WIDTH, HEIGHT = 24, 6


class Drawn:
    """A canvas on a terminal; `show` draws lines and gives what the terminal shows then."""

    def __init__(self) -> None:
        self.lines: list[Line] = []
        self.out = io.StringIO()
        self._screen = pyte.Screen(WIDTH, HEIGHT)
        self._stream = pyte.Stream(self._screen)
        output = Vt100_Output(self.out, lambda: Size(HEIGHT, WIDTH), term="xterm-256color", enable_cpr=False)
        self._app: Application[None] = Application(
            layout=Layout(Canvas(lambda _width, _height: self.lines)),
            style=Style.from_dict({"red": "ansired", "reverse": "reverse"}),
            color_depth=ColorDepth.DEPTH_4_BIT,
            full_screen=True,
            output=output,
            input=DummyInput(),
        )

    def show(self, lines: list[Line]) -> list[list[tuple[str, str, bool]]]:
        self.lines = lines
        self.out.seek(0)
        self.out.truncate()
        self._app.renderer.render(self._app, self._app.layout)
        self._stream.feed(self.out.getvalue())
        return [
            [(cell.data, cell.fg, cell.reverse) for cell in map(self._screen.buffer[row].__getitem__, range(WIDTH))]
            for row in range(HEIGHT)
        ]


def cells(lines: list[Line]) -> list[list[tuple[str, str, bool]]]:
    """What a terminal shows of `lines`, cell by cell."""
    rows = []
    for line in lines:
        row: list[tuple[str, str, bool]] = []
        for style, text in line:
            look = ("red" if style == "class:red" else "default", style == "class:reverse")
            for char in text:
                row += [(char, *look), ("", *look)][: get_cwidth(char)]
        rows.append(row + [(" ", "default", False)] * (WIDTH - len(row)))
    return rows + [[(" ", "default", False)] * WIDTH] * (HEIGHT - len(rows))


@pytest.mark.parametrize("seed", range(20))
def test_the_terminal_shows_the_lines_whatever_was_there_before(seed: int) -> None:
    chance = random.Random(seed)
    words = ["a", "bc", "  ", "def", "ghijklm", "例え", "…", "", "nopqrstuvwxyz0123456789"]
    styles = ["", "class:red", "class:reverse"]
    drawn = Drawn()
    lines: list[Line] = []
    for _ in range(30):
        lines = [
            lines[row]
            if row < len(lines) and chance.random() < 0.3
            else clipped([(chance.choice(styles), chance.choice(words)) for _ in range(chance.randrange(6))], WIDTH)
            for row in range(chance.randrange(HEIGHT + 1))
        ]
        assert drawn.show(lines) == cells(lines)


def test_characters_without_width_are_left_out() -> None:
    drawn = Drawn()
    assert drawn.show([[("", "e\u0301a")]])[0][:2] == [("e", "default", False), ("a", "default", False)]


def test_what_did_not_change_is_not_written() -> None:
    drawn = Drawn()
    kept: Line = [("", "kept"), ("class:red", "red")]
    drawn.show([kept, [("", "one "), ("", "left")]])
    drawn.show([kept, [("", "two "), ("", "left")]])
    written = drawn.out.getvalue()
    assert "two" in written
    assert not any(word in written for word in ("kept", "red", "left"))
