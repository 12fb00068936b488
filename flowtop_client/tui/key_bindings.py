"""The key table: every key once, with what it does in words. The help screen is made from it.

u, d, j, k, h, l, TAB, b, a, s and the protocol letters are the classic tool's, h and l the way round that it has them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent

from flowtop_client.columns.flows import GUESSED, NO_PROCESS
from flowtop_client.tui.widgets.manual import Section
from flowtop_client.view_state.moves import Action


class Command(StrEnum):
    """What the user can do to the program, rather than to the view."""

    SUSPEND = "suspend"
    QUIT = "quit"


@dataclass(frozen=True, slots=True)
class Key:
    """Keys in prompt_toolkit's names, how the help calls them, what they do."""

    keys: tuple[str, ...]
    shown: str
    meaning: str
    action: Action | Command


NAVIGATION: Final = (
    Key(("tab",), "TAB", "Next tab", Action.NEXT_TAB),
    Key(("up", "u", "k"), "Up, u, k", "Move up", Action.UP),
    Key(("down", "d", "j"), "Down, d, j", "Move down", Action.DOWN),
    Key(("left", "l"), "Left, l", "Scroll left", Action.LEFT),
    Key(("right", "h"), "Right, h", "Scroll right", Action.RIGHT),
    Key(("pageup",), "PgUp", "A page up", Action.PAGE_UP),
    Key(("pagedown",), "PgDn", "A page down", Action.PAGE_DOWN),
    Key(("home",), "Home", "First row", Action.HOME),
    Key(("end",), "End", "Last row", Action.END),
    Key(("?",), "?", "Show or close this help", Action.HELP),
    Key(("escape",), "Esc", "Close this help", Action.CLOSE),
    Key(("c-z",), "Ctrl-Z", "Suspend, until fg", Command.SUSPEND),
    Key(("q", "c-c"), "q, Ctrl-C", "Quit", Command.QUIT),
)

DISPLAY: Final = (
    Key(("<",), "<", "Sort by column to the left", Action.SORT_LEFT),
    Key((">",), ">", "Sort by column to the right", Action.SORT_RIGHT),
    Key(("r",), "r", "Reverse the order", Action.REVERSE),
    Key(("space",), "Space", "Pause, and go on", Action.PAUSE),
    Key(("b",), "b", "Rates in bits or bytes", Action.BITS),
    Key(("a",), "a", "Only flows with a rate", Action.ACTIVE),
    Key(("s",), "s", "Show the source side too", Action.SOURCE),
    Key(("n",), "n", "Names or addresses", Action.NAMES),
    Key(("G", "g"), "G, g", "Countries and networks", Action.GEOIP),
)

PROTOCOLS: Final = (
    Key(("T",), "T", "TCP flows on or off", Action.TCP),
    Key(("U",), "U", "UDP and UDP-lite", Action.UDP),
    Key(("D",), "D", "DCCP", Action.DCCP),
    Key(("I",), "I", "ICMP and ICMPv6", Action.ICMP),
    Key(("S",), "S", "SCTP", Action.SCTP),
    Key(("O",), "O", "All others (GRE, …)", Action.OTHER),
)

_SECTIONS: Final = (("Navigation", NAVIGATION), ("Display", DISPLAY), ("Protocols", PROTOCOLS))

HELP: Final[tuple[Section, ...]] = (
    *((heading, tuple((key.shown, key.meaning) for key in keys)) for heading, keys in _SECTIONS),
    ("In place of a process", tuple(NO_PROCESS.values())),
    ("Columns", (("→ ←", "to ADDRESS, and back"), (f"ssh{GUESSED}", "A guess: the lower port"))),
)


def bindings(on_action: Callable[[Action], None], on_command: Callable[[Command], None]) -> KeyBindings:
    """The bindings that call one of the two for every key of the table."""
    table = KeyBindings()
    for _, keys in _SECTIONS:
        for key in keys:
            for name in key.keys:
                table.add(name)(_handler(key.action, on_action, on_command))
    table.add("<sigint>")(_handler(Command.QUIT, on_action, on_command))
    return table


def _handler(
    action: Action | Command, on_action: Callable[[Action], None], on_command: Callable[[Command], None]
) -> Callable[[KeyPressEvent], object]:
    def handle(_event: KeyPressEvent) -> object:
        if isinstance(action, Command):
            on_command(action)
        else:
            on_action(action)
        return NotImplemented  # anything else has prompt_toolkit redraw, needed or not

    return handle
