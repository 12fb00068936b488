"""The key table with the keys that the configuration file gives. Pure: a table and names in, a table and warnings out.

    [keys]
    pause = ["p", "ctrl-p"]      `pause` has these keys and no other; what they did before has one key less
    columns = []                 no key at all

Keys are called as in the help or as in prompt_toolkit: `p`, `f5`, `space`, `pgup`, `ctrl-t` or `c-t`, `shift-tab`.

Rules: Ctrl-C always quits. A key that is given twice belongs to the first who has it; the other is a warning.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from prompt_toolkit.keys import ALL_KEYS, KEY_ALIASES

from flowtop_client.preferences.reading import near
from flowtop_client.tui.key_bindings import FIXED, SECTIONS, Key, Sections

_RESERVED: Final = "c-c"
_CALLED: Final = {
    "pgup": "pageup",
    "pgdn": "pagedown",
    "esc": "escape",
    "del": "delete",
    "ins": "insert",
    "return": "enter",
    " ": "space",
}
_SHOWN: Final = {
    "pageup": "PgUp",
    "pagedown": "PgDn",
    "escape": "Esc",
    "tab": "TAB",
    "s-tab": "Shift-TAB",
}
_CANONICAL: Final = {"enter": "c-m", "tab": "c-i"}
"""The same key under two names."""


def rebound(chosen: Mapping[str, Sequence[str]], sections: Sections = SECTIONS) -> tuple[Sections, tuple[str, ...]]:
    """The key table with these keys for these actions, and what is wrong with them."""
    warnings: list[str] = []
    known = {key.action.value for _, keys in sections for key in keys if key.action not in FIXED}
    wanted: dict[str, tuple[str, ...]] = {}
    for action, names in chosen.items():
        if action in known:
            wanted[action] = _keys(action, names, warnings)
        else:
            warnings.append(f"config: keys: no action {action!r}{near(action, known)}")
    given = [key for _, keys in sections for key in keys if key.action.value in wanted]
    new: dict[Key, Key] = {}
    for key in given:
        names = _free(key, wanted[key.action.value], list(new.values()), warnings)
        new[key] = replace(key, keys=names, shown=", ".join(map(shown, names)))
    table = tuple(
        (heading, tuple(new.get(key) or _without(key, list(new.values())) for key in keys))
        for heading, keys in sections
    )
    return table, tuple(warnings)


def shown(name: str) -> str:
    """How the help calls a key."""
    if name in _SHOWN:
        return _SHOWN[name]
    for prefix, said in (("c-", "Ctrl-"), ("s-", "Shift-")):
        if name.startswith(prefix) and len(name) > len(prefix):
            return said + shown(name.removeprefix(prefix)).capitalize()
    return name if len(name) == 1 else name.capitalize()


def _keys(action: str, names: Sequence[str], warnings: list[str]) -> tuple[str, ...]:
    found = []
    for name in names:
        known = _name(name)
        if known is None:
            warnings.append(f"config: keys.{action}: {name!r} is no key that a terminal sends")
        elif known == _RESERVED:
            warnings.append(f"config: keys.{action}: Ctrl-C always quits")
        else:
            found.append(known)
    return tuple(dict.fromkeys(found))


def _name(text: str) -> str | None:
    """prompt_toolkit's name of a key, or None where there is none."""
    if len(text) == 1 and text.isprintable() and text != " ":
        return text
    name = text.lower().replace("ctrl-", "c-").replace("shift-", "s-")
    name = _CALLED.get(name, name)
    known = name == "space" or KEY_ALIASES.get(name, name) in ALL_KEYS
    return name if known and not name.startswith("<") else None


def _same(name: str) -> str:
    return _CANONICAL.get(name, name)


def _taken(key: Key, others: Sequence[Key]) -> set[str]:
    """The keys that others have in a mode of this one."""
    return {_same(name) for other in others if other.modes & key.modes for name in other.keys}


def _free(key: Key, names: Sequence[str], others: Sequence[Key], warnings: list[str]) -> tuple[str, ...]:
    twice = _taken(key, [other for other in others if other.action is not key.action])
    lost = [shown(name) for name in names if _same(name) in twice]
    warnings += [f"config: keys.{key.action.value}: {name} has another meaning already" for name in lost]
    return tuple(name for name in names if _same(name) not in twice)


def _without(key: Key, others: Sequence[Key]) -> Key:
    taken = _taken(key, others)
    kept = tuple(name for name in key.keys if _same(name) not in taken)
    return key if kept == key.keys else replace(key, keys=kept, shown=", ".join(map(shown, kept)))
