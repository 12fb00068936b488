"""Screens as they were stored: FLOWTOP_WRITE_SCREENS=1 stores them anew, once they have come to rest."""

import os
from pathlib import Path

from tests.flowtop_client.terminal import Terminal

SCREENS = Path(__file__).parent / "tui" / "screens"


def assert_screen(terminal: Terminal, name: str, folder: Path = SCREENS) -> None:
    """The screen becomes the stored one; a redraw may still be on its way."""
    stored = folder / f"{name}.txt"
    if os.environ.get("FLOWTOP_WRITE_SCREENS"):
        terminal.come_to_rest()
        stored.write_text(terminal.text())
    expected = stored.read_text()
    terminal.wait(lambda: terminal.text() == expected, f"the stored screen {name}:\n{expected}")
