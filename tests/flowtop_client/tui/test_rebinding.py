from itertools import pairwise

import pytest

from flowtop_client.tui.key_bindings import SECTIONS, Command, Key, Sections, help_of
from flowtop_client.tui.rebinding import rebound, shown
from flowtop_client.view_state.choosing import Choose
from flowtop_client.view_state.moves import Action
from flowtop_client.view_state.text_input import Edit


def keys(sections: Sections, action: Action | Edit | Choose | Command) -> list[tuple[str, ...]]:
    return [key.keys for _, section in sections for key in section if key.action is action]


def test_without_any_wish_the_table_is_as_it_was() -> None:
    assert rebound({}) == (SECTIONS, ())


def test_an_action_has_the_keys_that_it_is_given_and_no_other() -> None:
    table, warnings = rebound({"pause": ["p", "Ctrl-P", "f5", "pgup"]})
    assert warnings == ()
    assert keys(table, Action.PAUSE) == [("p", "c-p", "f5", "pageup")]
    assert ("p, Ctrl-P, F5, PgUp", "Pause, and go on") in [entry for _, section in help_of(table) for entry in section]


def test_a_key_that_is_given_away_is_gone_where_it_was() -> None:
    table, _ = rebound({"pause": ["u", "enter"]})
    assert keys(table, Action.UP) == [("up", "k")]
    assert keys(table, Action.OPEN) == [()]
    assert keys(table, Action.KEEP) == [("enter",)]  # in another mode it still has its meaning
    assert "The flows of a group" not in [meaning for _, section in help_of(table) for _, meaning in section]


def test_a_key_by_another_name_is_the_same_key() -> None:
    table, _ = rebound({"pause": ["c-i"]})
    assert keys(table, Action.NEXT_TAB) == [()]


def test_an_action_may_have_no_key_but_ctrl_c_always_quits() -> None:
    table, warnings = rebound({"quit": [], "pause": ["ctrl-c"]})
    assert keys(table, Command.QUIT) == [()]
    assert keys(table, Command.INTERRUPT) == [("c-c",)]
    assert warnings == ("config: keys.pause: Ctrl-C always quits",)
    assert rebound({"interrupt": ["q"]}) == (SECTIONS, ("config: keys: no action 'interrupt'",))


@pytest.mark.parametrize(
    ("wanted", "warning"),
    [
        ({"pasue": ["p"]}, "config: keys: no action 'pasue': did you mean 'pause'?"),
        ({"pause": ["hyper-p"]}, "config: keys.pause: 'hyper-p' is no key that a terminal sends"),
        ({"pause": ["<any>"]}, "config: keys.pause: '<any>' is no key that a terminal sends"),
        ({"pause": [""]}, "config: keys.pause: '' is no key that a terminal sends"),
        ({"bits": ["p"], "active": ["p"]}, "has another meaning already"),
    ],
)
def test_what_is_wrong_is_a_warning(wanted: dict[str, list[str]], warning: str) -> None:
    _, warnings = rebound(wanted)
    assert len(warnings) == 1
    assert warning in warnings[0]


def test_two_who_want_one_key_do_not_both_have_it() -> None:
    table, _ = rebound({"bits": ["p"], "active": ["p"]})
    assert sorted([*keys(table, Action.BITS), *keys(table, Action.ACTIVE)]) == [(), ("p",)]


def test_whatever_is_given_no_key_means_two_things_at_once() -> None:
    actions = [key.action.value for _, section in SECTIONS for key in section]
    names = [name for _, section in SECTIONS for key in section for name in key.keys]
    for action, other in pairwise(actions):
        table, _ = rebound({action: names[::7], other: names[::5]})
        every = [key for _, section in table for key in section]
        for mode in {mode for key in every for mode in key.modes}:
            bound = [name for key in every if mode in key.modes for name in key.keys]
            assert len(bound) == len(set(bound)), (action, other, mode)


def test_the_help_calls_keys_as_the_table_does() -> None:
    for _, section in SECTIONS:
        for key in section:
            for name in key.keys:
                assert _plain(shown(name)) in _plain(key.shown), (key, name)


def _plain(text: str) -> str:
    return text.replace("^", "Ctrl-").lower()


def test_keys_are_frozen() -> None:
    assert isinstance(hash(SECTIONS[0][1][0]), int)
    assert isinstance(SECTIONS[0][1][0], Key)
