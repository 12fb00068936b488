"""The key table: every key once, with what it does in words. The help screen is made from it.

u, d, j, k, h, l, TAB, b, a, s and the protocol letters are the classic tool's, h and l the way round that it has them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from prompt_toolkit.filters import Condition
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.keys import Keys

from flowtop_client.columns.flows import GUESSED, NO_PROCESS
from flowtop_client.tui.widgets.manual import Section
from flowtop_client.view_state.choosing import Choose
from flowtop_client.view_state.moves import Action
from flowtop_client.view_state.state import Mode
from flowtop_client.view_state.text_input import Edit


class Command(StrEnum):
    """What the user can do to the program, rather than to the view."""

    SUSPEND = "suspend"
    QUIT = "quit"
    """Close what is open over the rows; where nothing is, end."""
    INTERRUPT = "interrupt"
    """End, whatever is open."""
    WRITE = "write"
    """Write theme, columns and orders to the configuration file."""
    COPY = "copy"
    RECORD = "record"


@dataclass(frozen=True, slots=True)
class Key:
    """Keys in prompt_toolkit's names, how the help calls them, what they do, and in which modes."""

    keys: tuple[str, ...]
    shown: str
    meaning: str
    action: Action | Edit | Choose | Command
    modes: frozenset[Mode] = frozenset({Mode.ROWS})


_ESCAPE: Final = "\x1b"

_READING: Final = frozenset({Mode.ROWS, Mode.HELP, Mode.DETAILS})
_LOOKING: Final = frozenset({Mode.ROWS, Mode.DETAILS})
_ASKED: Final = frozenset({Mode.CONFIRM})
_IN_HELP: Final = frozenset({Mode.HELP})
_IN_FILTER: Final = frozenset({Mode.FILTER})
_TYPING: Final = frozenset({Mode.FILTER, Mode.SEARCH})
_IN_COLUMNS: Final = frozenset({Mode.COLUMNS})
_CHOICE: Final = frozenset({Mode.ROWS, Mode.COLUMNS})
_ALWAYS: Final = frozenset(Mode)


NAVIGATION: Final = (
    Key(("up", "u", "k"), "Up, u, k", "Move up", Action.UP, _READING),
    Key(("down", "d", "j"), "Down, d, j", "Move down", Action.DOWN, _READING),
    Key(("left", "l"), "Left, l", "Scroll left", Action.LEFT),
    Key(("right", "h"), "Right, h", "Scroll right", Action.RIGHT),
    Key(("pageup",), "PgUp", "A page up", Action.PAGE_UP, _READING),
    Key(("pagedown",), "PgDn", "A page down", Action.PAGE_DOWN, _READING),
    Key(("home",), "Home", "First row", Action.HOME, _READING),
    Key(("end",), "End", "Last row", Action.END, _READING),
    Key(("?", "f1"), "?, F1", "Show or close this help", Action.HELP, _READING),
    Key(("c-z",), "Ctrl-Z", "Suspend, until fg", Command.SUSPEND, _ALWAYS),
    Key(("q", "f10"), "q, F10", "Back to the rows, or quit", Command.QUIT, _READING),
    Key(("c-c",), "Ctrl-C", "Quit", Command.INTERRUPT, _ALWAYS),
)

TABS: Final = (
    Key(("tab",), "TAB", "Next tab", Action.NEXT_TAB),
    Key(("s-tab",), "Shift-TAB", "The tab before", Action.PREVIOUS_TAB),
    Key(("1",), "1", "Flows", Action.FLOWS),
    Key(("2",), "2", "Processes", Action.PROCESSES),
    Key(("3",), "3", "Devices of this house", Action.DEVICES),
    Key(("4",), "4", "Hosts at the other end", Action.HOSTS),
    Key(("5",), "5", "Countries", Action.COUNTRIES),
    Key(("6",), "6", "Networks", Action.NETWORKS),
    Key(("7",), "7", "Services", Action.SERVICES),
    Key(("8",), "8", "Containers and units", Action.CONTAINERS),
    Key(("enter",), "Enter", "Open a group or a flow", Action.OPEN, _LOOKING),
    Key(("escape",), "Esc", "Back, else no filter", Action.LEAVE, _READING),
    Key(("backspace",), "Backspace", "Back", Action.BACK, _LOOKING),
)

FILTER: Final = (
    Key(("/", "f4"), "/, F4", "Type a filter", Action.FILTER),
    Key(("\\",), "\\", "No filter", Action.UNFILTER),
)

WHILE_TYPING: Final = (
    Key(("enter",), "Enter", "Keep it", Action.KEEP, _TYPING),
    Key(("escape",), "Esc", "As it was before", Action.GIVE_UP, _TYPING),
    Key(("tab",), "TAB", "Complete, next word", Action.COMPLETE, _IN_FILTER),
    Key(("s-tab",), "Shift-TAB", "The word before", Action.COMPLETE_BACK, _IN_FILTER),
    Key(("up",), "Up", "Older filter", Action.OLDER, _IN_FILTER),
    Key(("down",), "Down", "Newer filter", Action.NEWER, _IN_FILTER),
    Key(("left",), "Left", "Left", Edit.LEFT, _TYPING),
    Key(("right",), "Right", "Right", Edit.RIGHT, _TYPING),
    Key(("home", "c-a"), "Home, ^A", "To the beginning", Edit.HOME, _TYPING),
    Key(("end", "c-e"), "End, ^E", "To the end", Edit.END, _TYPING),
    Key(("backspace",), "Backspace", "Erase what is before", Edit.ERASE, _TYPING),
    Key(("delete",), "Delete", "Erase what is under", Edit.ERASE_NEXT, _TYPING),
    Key(("c-w",), "Ctrl-W", "Erase the word", Edit.ERASE_WORD, _TYPING),
    Key(("c-u",), "Ctrl-U", "Erase the beginning", Edit.ERASE_LINE, _TYPING),
)

CHOOSING: Final = (
    Key(("up", "k"), "Up, k", "Up", Choose.UP, _IN_COLUMNS),
    Key(("down", "j"), "Down, j", "Down", Choose.DOWN, _IN_COLUMNS),
    Key(("pageup",), "PgUp", "Ten up", Choose.PAGE_UP, _IN_COLUMNS),
    Key(("pagedown",), "PgDn", "Ten down", Choose.PAGE_DOWN, _IN_COLUMNS),
    Key(("home",), "Home", "First", Choose.FIRST, _IN_COLUMNS),
    Key(("end",), "End", "Last", Choose.LAST, _IN_COLUMNS),
    Key(("space",), "Space", "On or off", Choose.TOGGLE, _IN_COLUMNS),
    Key(("<", "K"), "<, K", "Further left", Choose.EARLIER, _IN_COLUMNS),
    Key((">", "J"), ">, J", "Further right", Choose.LATER, _IN_COLUMNS),
    Key(("a",), "a", "As many as have room", Choose.AUTOMATIC, _IN_COLUMNS),
    Key(("w", "W"), "w, W", "Keep in config.toml", Command.WRITE, _IN_COLUMNS),
    Key(("enter",), "Enter", "Keep for now", Choose.KEEP, _IN_COLUMNS),
    Key(("escape", "q", "f10"), "Esc, q, F10", "As it was before", Choose.GIVE_UP, _IN_COLUMNS),
)

SEARCHING: Final = (
    Key(("/",), "/", "Search", Action.SEARCH, _IN_HELP),
    Key(("n",), "n", "Next match", Action.NEXT_MATCH, _IN_HELP),
    Key(("N",), "N", "The match before", Action.PREVIOUS_MATCH, _IN_HELP),
)

DISPLAY: Final = (
    Key(("<",), "<", "Sort by the column left", Action.SORT_LEFT),
    Key((">", "f6"), ">, F6", "Sort by the column right", Action.SORT_RIGHT),
    Key(("r",), "r", "Reverse the order", Action.REVERSE),
    Key(("space",), "Space", "Pause, and go on", Action.PAUSE, _LOOKING),
    Key(("F",), "F", "Follow the selected row", Action.FOLLOW),
    Key(("z",), "z", "Keep the order of rows", Action.HOLD),
    Key(("C", "f2"), "C, F2", "Choose columns", Choose.OPEN),
    Key(("c-t",), "Ctrl-T", "Next theme", Action.THEME, _CHOICE),
    Key(("W",), "W", "Write to config.toml", Command.WRITE),
    Key(("b",), "b", "Rates in bits or bytes", Action.BITS, _LOOKING),
    Key(("m",), "m", "Mean rates: 2, 10, 40 s", Action.MEAN),
    Key(("t",), "t", "Closed flows too", Action.CLOSED),
    Key(("a",), "a", "Only flows with a rate", Action.ACTIVE),
    Key(("s",), "s", "Show the source side too", Action.SOURCE),
    Key(("n",), "n", "Names or addresses", Action.NAMES, _LOOKING),
    Key(("G", "g"), "G, g", "Countries and networks", Action.GEOIP, _LOOKING),
)

PROTOCOLS: Final = (
    Key(("T",), "T", "TCP flows on or off", Action.TCP),
    Key(("U",), "U", "UDP and UDP-lite", Action.UDP),
    Key(("D",), "D", "DCCP", Action.DCCP),
    Key(("I",), "I", "ICMP and ICMPv6", Action.ICMP),
    Key(("S",), "S", "SCTP", Action.SCTP),
    Key(("O",), "O", "All others (GRE, …)", Action.OTHER),
)

ACTS: Final = (
    Key(("c",), "c", "Copy the row or details", Command.COPY, _LOOKING),
    Key(("x", "f9"), "x, F9", "End it: delete or close", Action.END_FLOW, _LOOKING),
    Key(("X",), "X", "Delete its entry only", Action.DELETE, _LOOKING),
    Key(("y", "Y"), "y", "Yes, when asked", Action.CONFIRM, _ASKED),
    Key(("n", "N", "q", "f10", "escape"), "n, q, F10, Esc", "No, when asked", Action.REFRAIN, _ASKED),
)

RECORDINGS: Final = (
    Key(("R",), "R", "Record, and end it", Command.RECORD, _LOOKING),
    Key(("[",), "[", "Back 10 s in a replay", Action.BACKWARD, _LOOKING),
    Key(("]",), "]", "On by 10 s in a replay", Action.FORWARD, _LOOKING),
)

SECTIONS: Final = (
    ("Navigation", NAVIGATION),
    ("Tabs", TABS),
    ("Display", DISPLAY),
    ("Protocols", PROTOCOLS),
    ("Filter", FILTER),
    ("One flow", ACTS),
    ("Recordings", RECORDINGS),
    ("While a filter is typed", WHILE_TYPING),
    ("While columns are chosen", CHOOSING),
    ("In this help", SEARCHING),
)
"""All keys, under their headings."""

FIXED: Final = frozenset({Command.INTERRUPT})
"""What no configuration file gives another key."""

Sections = tuple[tuple[str, tuple[Key, ...]], ...]


def help_of(sections: Sections) -> tuple[Section, ...]:
    """What the help says with these keys."""
    return (
        *((heading, tuple((key.shown, key.meaning) for key in keys if key.keys)) for heading, keys in sections),
        ("In place of a process", tuple(NO_PROCESS.values())),
        ("Columns", (("→ ←", "to ADDRESS, and back"), (f"ssh{GUESSED}", "A guess: the lower port"))),
        ("Rows", (("+", "A new flow"), ("-", "Gone, while z keeps order"))),
    )


HELP: Final = help_of(SECTIONS)


def bindings(
    on_action: Callable[[Action | Edit | Choose], None],
    on_command: Callable[[Command], None],
    on_text: Callable[[str], None],
    mode: Callable[[], Mode],
    sections: Sections = SECTIONS,
) -> KeyBindings:
    """The bindings that call one of the three for every key of the table, and for text where one is typed."""
    table = KeyBindings()
    table.add("escape")(_swallowing)  # where Esc means nothing a key with Meta means nothing either
    for _, keys in sections:
        for key in keys:
            for name in key.keys:
                table.add(name, filter=_in(key.modes, mode))(_handler(key.action, on_action, on_command))
    for name in ("<any>", "<bracketed-paste>"):
        table.add(name, filter=_in(_TYPING, mode))(_typing(on_text))
    table.add("<sigint>")(_handler(Command.INTERRUPT, on_action, on_command))
    return table


def _in(modes: frozenset[Mode], mode: Callable[[], Mode]) -> Condition:
    return Condition(lambda: mode() in modes)


def _handler(
    action: Action | Edit | Choose | Command,
    on_action: Callable[[Action | Edit | Choose], None],
    on_command: Callable[[Command], None],
) -> Callable[[KeyPressEvent], object]:
    def handle(event: KeyPressEvent) -> object:
        if _took_meta(event):
            return NotImplemented
        if isinstance(action, Command):
            on_command(action)
        else:
            on_action(action)
        return NotImplemented  # anything else has prompt_toolkit redraw, needed or not

    return handle


def _swallowing(event: KeyPressEvent) -> object:
    _took_meta(event)
    return NotImplemented


def _took_meta(event: KeyPressEvent) -> bool:
    """Whether this Esc is only how a terminal says Meta (Alt); the key that was pressed with it is taken, too.

    An Esc that was pressed itself has been waited for: nothing came with it. One that has the whole sequence of a key,
    or is read together with a character, is a part of that key, and no key with Meta has a meaning here.
    """
    escape, queue = event.key_sequence[-1], event.key_processor.input_queue
    if escape.key != Keys.Escape or not queue:
        return False
    if escape.data == _ESCAPE and (len(queue[0].data) != 1 or queue[0].key == Keys.Escape):
        return False
    queue.popleft()
    return True


def _typing(on_text: Callable[[str], None]) -> Callable[[KeyPressEvent], object]:
    def handle(event: KeyPressEvent) -> object:
        pasted = event.key_sequence[0].key == Keys.BracketedPaste
        if pasted or event.data.isprintable():  # a key without a meaning here sends codes
            on_text(event.data)
        return NotImplemented

    return handle
