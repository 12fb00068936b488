"""The configuration file of the viewer: TOML in, settings and warnings out. Pure.

    theme = "light"
    interval = 2.0
    [columns]
    flows = ["process", "address", "port", "rate"]
    [sort]
    flows = "bytes:desc"
    [keys]
    pause = ["p"]

Rules: what is wrong is a warning, which names the nearest thing that is known; all the rest of the file counts. A file
that is no TOML is one warning. What is not in the file is as without one. Keys are named here and looked up by `tui`,
which knows them.
"""

import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

from flowtop_client.columns.meanings import all_columns
from flowtop_client.preferences.order import order_of
from flowtop_client.preferences.settings import Read, Settings
from flowtop_client.view_state.state import ALL_PROTOCOLS, ProtocolGroup
from flowtop_client.view_state.theme import Theme
from flowtopd.wire.filter_parser import parse as parse_filter
from flowtopd.wire.filter_syntax import FilterSyntaxError
from flowtopd.wire.messages import MAX_INTERVAL_S, MIN_INTERVAL_S, View
from flowtopd.wire.nearest import nearest


def read(text: str) -> Read:
    """What a file of this text says."""
    try:
        document = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # ValueError: a number of over 4300 digits, too
        return Read(warnings=(f"config: not valid TOML: {error}",), broken=True)
    warnings: list[str] = []
    values: dict[str, Any] = {}
    for name, value in document.items():
        reader = _READERS.get(name)
        if reader is None:
            warnings.append(f"config: no setting {name!r}{near(name, _READERS)}")
            continue
        try:
            values[name] = reader(value, warnings.append)
        except ValueError as error:
            warnings.append(f"config: {name}: {error}")
    return Read(Settings(**values), tuple(warnings))


def near(word: object, known: Iterable[str]) -> str:
    """The end of a warning: the nearest of what is known, else all of it where that is little."""
    names = [str(each) for each in known]
    if found := nearest(str(word), names):
        return f": did you mean {found!r}?"
    return f": {', '.join(names)}" if len(names) <= 8 else ""


_Warn = Callable[[str], None]
_Reader = Callable[[Any, _Warn], Any]


def _switch(value: Any, _warn: _Warn) -> bool:
    if isinstance(value, bool):
        return value
    raise ValueError(f"{value!r} is neither true nor false")


def _interval(value: Any, _warn: _Warn) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool) and MIN_INTERVAL_S <= value <= MAX_INTERVAL_S:
        return float(value)
    raise ValueError(f"{value!r} is no number of seconds from {MIN_INTERVAL_S:g} to {MAX_INTERVAL_S:g}")


def _theme(value: Any, _warn: _Warn) -> Theme:
    if value in tuple(Theme):
        return Theme(value)
    raise ValueError(f"{value!r} is no theme{near(value, Theme)}")


def _view(value: Any, _warn: _Warn) -> View:
    if value in tuple(View):
        return View(value)
    raise ValueError(f"{value!r} is no view{near(value, View)}")


def _filter(value: Any, _warn: _Warn) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{value!r} is no text")  # noqa: TRY004  # one kind of error for all that is wrong
    try:
        parse_filter(value)
    except FilterSyntaxError as error:
        raise ValueError(f"{error.message}, at character {error.offset + 1}") from None
    return value.strip()


def _protocols(value: Any, warn: _Warn) -> frozenset[ProtocolGroup]:
    if value == "all":
        return ALL_PROTOCOLS
    known = {group.value.lower(): group for group in ProtocolGroup}
    chosen = set()
    for name in _texts(value):
        if name.lower() in known:
            chosen.add(known[name.lower()])
        else:
            warn(f"config: protocols: no protocol {name!r}{near(name.lower(), known)}")
    if not chosen:
        raise ValueError("none is left")
    return frozenset(chosen)


def _texts(value: Any) -> tuple[str, ...]:
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return tuple(value)
    raise ValueError(f"{value!r} is no list of names")


def _per_view(section: str, one: Callable[[View, Any, _Warn], Any]) -> _Reader:
    """Reads a table with a value for every view."""

    def reader(value: Any, warn: _Warn) -> dict[View, Any]:
        found = {}
        for name, wanted in _table(value):
            if name not in tuple(View):
                warn(f"config: {section}: no view {name!r}{near(name, View)}")
                continue
            try:
                found[View(name)] = one(View(name), wanted, warn)
            except ValueError as error:
                warn(f"config: {section}.{name}: {error}")
        return found

    return reader


def _table(value: Any) -> Iterator[tuple[str, Any]]:
    if not isinstance(value, dict):
        raise ValueError(f"{value!r} is no table")  # noqa: TRY004
    yield from value.items()


def _columns(view: View, value: Any, warn: _Warn) -> tuple[str, ...]:
    known = [column.name for column in all_columns(view, hosts=True)]
    chosen = []
    for name in dict.fromkeys(_texts(value)):
        if name in known:
            chosen.append(name)
        else:
            warn(f"config: columns.{view}: no column {name!r}{near(name, known)}")
    if not chosen:
        raise ValueError("none is left")
    return tuple(chosen)


def _sort(view: View, value: Any, _warn: _Warn) -> tuple[str, bool]:
    return order_of(str(value), view)


def _keys(value: Any, warn: _Warn) -> dict[str, tuple[str, ...]]:
    found = {}
    for name, keys in _table(value):
        try:
            found[name] = (keys,) if isinstance(keys, str) else _texts(keys)
        except ValueError as error:
            warn(f"config: keys.{name}: {error}")
    return found


_READERS: Final[Mapping[str, _Reader]] = {
    "theme": _theme,
    "view": _view,
    "filter": _filter,
    "interval": _interval,
    "bits": _switch,
    "source": _switch,
    "names": _switch,
    "geoip": _switch,
    "mouse": _switch,
    "protocols": _protocols,
    "columns": _per_view("columns", _columns),
    "sort": _per_view("sort", _sort),
    "keys": _keys,
}
