from collections import deque
from itertools import product
from types import SimpleNamespace

import pytest
from prompt_toolkit.keys import ALL_KEYS, KEY_ALIASES, Keys

from flowtop_client.tui.key_bindings import HELP, SECTIONS, Command, Key, bindings
from flowtop_client.view_state.choosing import Choose
from flowtop_client.view_state.moves import MOVES, Action
from flowtop_client.view_state.state import Mode
from flowtop_client.view_state.text_input import Edit

KEYS = [key for _, keys in SECTIONS for key in keys]


def test_every_action_has_a_key_and_quitting_has_two() -> None:
    assert {key.action for key in KEYS} == {*Action, *Edit, *Choose, *Command} == {*MOVES, *Command}
    assert [key.keys for key in KEYS if key.action in {Command.QUIT, Command.INTERRUPT}] == [("q", "f10"), ("c-c",)]


@pytest.mark.parametrize("mode", Mode)
def test_no_key_means_two_things_at_once(mode: Mode) -> None:
    names = [name for key in KEYS if mode in key.modes for name in key.keys]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("key", KEYS, ids=lambda key: f"{key.shown} {key.action}")
def test_a_key_is_one_that_a_terminal_can_send(key: Key) -> None:
    for name in key.keys:
        assert len(name) == 1 or KEY_ALIASES.get(name, name) in {*ALL_KEYS, "space"}


@pytest.mark.parametrize(
    ("keys", "action"),
    [
        (("up", "u", "k"), Action.UP),
        (("down", "d", "j"), Action.DOWN),
        (("left", "l"), Action.LEFT),
        (("right", "h"), Action.RIGHT),
        (("tab",), Action.NEXT_TAB),
        (("?", "f1"), Action.HELP),
        (("b",), Action.BITS),
        (("a",), Action.ACTIVE),
        (("s",), Action.SOURCE),
        (("n",), Action.NAMES),
        (("G", "g"), Action.GEOIP),
        (("T",), Action.TCP),
        (("U",), Action.UDP),
        (("D",), Action.DCCP),
        (("I",), Action.ICMP),
        (("S",), Action.SCTP),
    ],
)
def test_the_classic_keys_do_what_they_always_did(keys: tuple[str, ...], action: Action) -> None:
    assert next(key.keys for key in KEYS if key.action is action) == keys


def test_the_help_has_a_line_for_every_key() -> None:
    entries = [entry for _, section in HELP for entry in section]
    assert {(key.shown, key.meaning) for key in KEYS} <= set(entries)


def bound(name: str, mode: Mode, data: str = "") -> list[object]:
    """What a key reports in this mode; a binding for any key only where there is none for this one."""
    seen: list[object] = []
    key = KEY_ALIASES.get(name, name).replace("space", " ")
    processor = SimpleNamespace(input_queue=deque())
    event = SimpleNamespace(data=data, key_sequence=[SimpleNamespace(key=key, data=data)], key_processor=processor)
    table = bindings(seen.append, seen.append, seen.append, lambda: mode)
    active = [binding for binding in table.get_bindings_for_keys((key,)) if binding.filter()]
    for binding in active[-1:]:  # the most specific comes last, and is the one that is called
        assert binding.handler(event) is NotImplemented  # type: ignore[arg-type]  # or each key redraws
    return seen


def test_a_key_reports_its_action_or_command_in_its_modes_and_in_no_other() -> None:
    for key, mode in product(KEYS, Mode):
        for name in key.keys:
            meant = [other.action for other in KEYS if mode in other.modes and name in other.keys]
            text = [""] if mode in {Mode.FILTER, Mode.SEARCH} else []
            assert bound(name, mode) == (meant or text), (name, mode)


@pytest.mark.parametrize("mode", [Mode.FILTER, Mode.SEARCH])
def test_what_is_no_key_is_text_while_text_is_typed(mode: Mode) -> None:
    for char in "qTU18?\\ ":
        assert bound(char, mode, char) == [char]
    assert bound(Keys.BracketedPaste, mode, "tcp and\nport 1") == ["tcp and\nport 1"]
    assert bound(Keys.F9, mode, "\x1b[20~") == []


def test_nothing_is_pasted_where_nothing_is_typed() -> None:
    assert bound(Keys.BracketedPaste, Mode.ROWS, "q") == []
