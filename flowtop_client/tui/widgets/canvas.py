"""A window that draws ready lines straight into the screen.

prompt_toolkit's own Window asks a control for its content, remembers where every character came from and gives
every cell a mouse handler: 6 of the 11 ms that a redraw of 200 x 60 cells takes. None of it is needed here.
Cells of a line that was on the last screen already, the very same object, are used again.
"""

from collections import defaultdict
from collections.abc import Callable

from prompt_toolkit.layout import Window
from prompt_toolkit.layout.mouse_handlers import MouseHandlers
from prompt_toolkit.layout.screen import _CHAR_CACHE, Char, Screen, WritePosition

from flowtop_client.tui.widgets.line import Line

Draw = Callable[[int, int], list[Line]]
"""Takes width and height in cells, gives at most `height` lines of at most `width` cells."""

_Cells = defaultdict[int, Char]


def _fill(cells: _Cells, line: Line) -> None:
    """Put a line into a row of the screen."""
    x = 0
    for style, text in line:
        for char in text:
            cell = _CHAR_CACHE[char, style]
            if cell.width == 0:  # combining: belongs to the cell before it, which is complete without it
                continue
            cells[x] = cell
            if cell.width == 2:
                cells[x + 1] = _CHAR_CACHE["", style]
            x += cell.width


class Canvas(Window):
    """The root of a layout: fills the screen with what `draw` gives."""

    def __init__(self, draw: Draw) -> None:
        super().__init__(always_hide_cursor=True)
        self._draw = draw
        self._drawn: dict[int, tuple[Line, _Cells]] = {}

    def write_to_screen(  # noqa: PLR0917  # the signature of Window
        self,
        screen: Screen,
        mouse_handlers: MouseHandlers,  # noqa: ARG002  # no mouse
        write_position: WritePosition,
        parent_style: str,  # noqa: ARG002  # the canvas is the root
        erase_bg: bool,  # noqa: ARG002  # every cell that is not written is blank
        z_index: int | None,  # noqa: ARG002  # nothing lies above or below
    ) -> None:
        """Draw. Called by the renderer with an empty screen."""
        place = write_position
        drawn = {}
        for y, line in enumerate(self._draw(place.width, place.height)):
            known = self._drawn.get(id(line))
            if known is None:  # holding on to the line keeps its id from meaning another one
                known = (line, screen.data_buffer[y])
                _fill(known[1], line)
            screen.data_buffer[y] = known[1]
            drawn[id(line)] = known
        self._drawn = drawn
        screen.width, screen.height = place.width, place.height
        screen.visible_windows_to_write_positions[self] = place
