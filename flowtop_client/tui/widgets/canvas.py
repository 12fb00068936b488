"""A window that draws ready lines straight into the screen.

prompt_toolkit's own Window asks a control for its content, remembers where every character came from and gives
every cell a mouse handler: 6 of the 11 ms that a redraw of 200 x 60 cells takes. None of it is needed here.
"""

from collections.abc import Callable

from prompt_toolkit.layout import Window
from prompt_toolkit.layout.mouse_handlers import MouseHandlers
from prompt_toolkit.layout.screen import _CHAR_CACHE, Screen, WritePosition

from flowtop_client.tui.widgets.line import Line

Draw = Callable[[int, int], list[Line]]
"""Takes width and height in cells, gives at most `height` lines of at most `width` cells."""


class Canvas(Window):
    """Fills its place with what `draw` gives."""

    def __init__(self, draw: Draw) -> None:
        super().__init__(always_hide_cursor=True)
        self._draw = draw

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
        for y, line in enumerate(self._draw(place.width, place.height)):
            cells = screen.data_buffer[place.ypos + y]
            x = place.xpos
            for style, text in line:
                for char in text:
                    cell = _CHAR_CACHE[char, style]
                    if cell.width == 0:  # combining: belongs to the cell before it, which is complete without it
                        continue
                    cells[x] = cell
                    if cell.width == 2:
                        cells[x + 1] = _CHAR_CACHE["", style]
                    x += cell.width
        screen.width = max(screen.width, place.xpos + place.width)
        screen.height = max(screen.height, place.ypos + place.height)
        screen.visible_windows_to_write_positions[self] = place
