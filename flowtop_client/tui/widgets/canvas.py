"""A window that draws ready lines straight into the screen.

prompt_toolkit's own Window asks a control for its content, remembers where every character came from and gives
every cell a mouse handler: 6 of the 11 ms that a redraw of 200 x 60 cells takes. None of it is needed here.

Most of the other 5 ms go into the renderer's comparison with the last screen, cell by cell. It gets pieces instead:

    cells   0        8     13                        a row maps the cell where a piece begins to the piece:
            firefox  4711  tcp                       a text of one style, drawn and compared as a whole

A piece is a `Char` of more than one character, and as wide as its text. The renderer steps by width, so it looks only
where pieces begin; what lies under a piece is the piece's. That holds because a line has no gaps.
The pieces of a line that was on the last screen already, the very same object, are used again.
"""

from collections import defaultdict
from collections.abc import Callable, ItemsView
from typing import Any, Final

from prompt_toolkit.layout import Window
from prompt_toolkit.layout.mouse_handlers import MouseHandler, MouseHandlers
from prompt_toolkit.layout.screen import Char, Screen, Transparent, WritePosition
from prompt_toolkit.mouse_events import MouseEvent
from prompt_toolkit.utils import get_cwidth

from flowtop_client.tui.widgets.line import Line, cell_width

Draw = Callable[[int, int], list[Line]]
"""Takes width and height in cells, gives at most `height` lines of at most `width` cells."""

OnMouse = Callable[[MouseEvent], None]
"""Takes what the mouse did, at a cell counted from the corner of the screen."""

_BLANK: Final = Char(" ", Transparent)  # as in a screen on which nothing was drawn
_SEEN: Final = Char("x")


class _Piece(Char):
    """A text of one style. `Char` itself would measure it once more, and keep that for ever."""

    __slots__ = ()

    def __init__(self, text: str, style: str, width: int) -> None:
        self.char, self.style, self.width = text, style, width


class Cells(defaultdict[int, Char]):
    """A row of the screen as pieces. Nothing is added to it by looking."""

    __slots__ = ("_end",)

    def __init__(self, line: Line) -> None:
        super().__init__()
        end = 0
        for style, text in line:
            # combining: belongs to the cell before it, which is complete without it
            shown = text if text.isascii() else "".join(char for char in text if get_cwidth(char))
            if shown:
                self[end] = piece = _Piece(shown, style, cell_width(shown))
                end += piece.width
        self._end = end

    def __missing__(self, cell: int) -> Char:
        return _BLANK

    def items(self) -> ItemsView[int, Char]:  # type: ignore[override]  # a view of another dict
        """The last cell alone: the renderer goes through all of them, to find the last one that can be seen."""
        return ({self._end - 1: _SEEN} if self._end else {}).items()


def _everywhere(on_mouse: OnMouse) -> defaultdict[int, defaultdict[int, MouseHandler]]:
    """One handler for every cell, without a table of all of them, which takes a tenth of a redraw."""

    def handle(event: MouseEvent) -> Any:
        on_mouse(event)
        return NotImplemented  # anything else has prompt_toolkit redraw, needed or not

    row: defaultdict[int, MouseHandler] = defaultdict(lambda: handle)
    return defaultdict(lambda: row)


class Canvas(Window):
    """The root of a layout: fills the screen with what `draw` gives."""

    def __init__(self, draw: Draw, on_mouse: OnMouse | None = None) -> None:
        super().__init__(always_hide_cursor=True)
        self._draw = draw
        self._mouse = None if on_mouse is None else _everywhere(on_mouse)
        self._drawn: dict[int, tuple[Line, Cells]] = {}

    def write_to_screen(  # noqa: PLR0917  # the signature of Window
        self,
        screen: Screen,
        mouse_handlers: MouseHandlers,
        write_position: WritePosition,
        parent_style: str,  # noqa: ARG002  # the canvas is the root
        erase_bg: bool,  # noqa: ARG002  # every cell that is not written is blank
        z_index: int | None,  # noqa: ARG002  # nothing lies above or below
    ) -> None:
        """Draw. Called by the renderer with an empty screen."""
        if self._mouse is not None:
            mouse_handlers.mouse_handlers = self._mouse
        place = write_position
        drawn = {}
        for y, line in enumerate(self._draw(place.width, place.height)):
            # holding on to the line keeps its id from meaning another one
            drawn[id(line)] = known = self._drawn.get(id(line)) or (line, Cells(line))
            screen.data_buffer[y] = known[1]
        self._drawn = drawn
        screen.width, screen.height = place.width, place.height
        screen.visible_windows_to_write_positions[self] = place
