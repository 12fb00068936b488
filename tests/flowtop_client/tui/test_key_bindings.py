import pytest
from prompt_toolkit.keys import ALL_KEYS, KEY_ALIASES

from flowtop_client.tui.key_bindings import DISPLAY, HELP, NAVIGATION, PROTOCOLS, Command, Key, bindings
from flowtop_client.view_state.moves import Action

KEYS = (*NAVIGATION, *DISPLAY, *PROTOCOLS)


def test_every_action_has_a_key_and_quitting_has_two() -> None:
    assert {key.action for key in KEYS} == {*Action, *Command}
    assert [key.keys for key in KEYS if key.action is Command.QUIT] == [("q", "c-c")]


def test_no_key_means_two_things() -> None:
    names = [name for key in KEYS for name in key.keys]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("key", KEYS, ids=lambda key: key.shown)
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
        (("?",), Action.HELP),
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


def test_a_bound_key_reports_its_action_or_command() -> None:
    seen: list[Action | Command] = []
    table = bindings(seen.append, seen.append)
    for key in KEYS:
        for binding in table.bindings:
            if binding.keys[0] in {KEY_ALIASES.get(name, name).replace("space", " ") for name in key.keys}:
                assert binding.handler(None) is NotImplemented  # type: ignore[arg-type]  # or each key redraws
                assert seen.pop() is key.action
