"""The daemon's configuration: a TOML file in, one frozen Config out, or a ConfigError that names the line.

The dataclasses are the table: a section of the file is a field of Config, a key is a field of the section's
class, its annotation is the type that the file must have, its default applies when the key is absent.
A key for a new feature is one more field, nothing else.

Rules: an empty file is valid; an unknown section or key is an error, never ignored; nothing here looks at
the system (whether a group exists is for the code that needs it to say).
"""

import difflib
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, get_args, get_origin, get_type_hints

DEFAULT_PATH: Final = Path("/etc/flowtop/flowtopd.toml")


class SysctlMode(StrEnum):
    """What to do with `nf_conntrack_acct` and `nf_conntrack_timestamp`."""

    WHILE_RUNNING = "while-running"
    """Set them, and put the old values back at the end."""
    KEEP = "keep"
    """Set them and leave them set."""
    NEVER = "never"
    """Do not touch them."""


class Others(StrEnum):
    """Who may look besides root and the group."""

    DENY = "deny"


class LogLevel(StrEnum):
    """The least important message that is logged."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Conntrack:
    """`[conntrack]`: what the daemon may change in the kernel."""

    sysctl: SysctlMode = SysctlMode.WHILE_RUNNING
    activate: bool = False


class NameOrNone(str):
    """A name; empty is none."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Access:
    """`[access]`: who may connect to the socket. Members of `admin_group` may act on flows; empty: root alone."""

    group: str = "flowtop"
    others: Others = Others.DENY
    admin_group: NameOrNone = field(default=NameOrNone(""))


class Seconds(int):
    """A time, 0 to an hour."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Daemon:
    """`[daemon]`: the process itself. `idle_exit`: after how long without viewers it ends, 0: never."""

    log_level: LogLevel = LogLevel.INFO
    idle_exit: Seconds = field(default=Seconds(0))


class Interval(Seconds):
    """A time, at least a second."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class History:
    """`[history]`: what is kept of the time before now.

    `closed`: how long flows that have closed are kept, 0: not at all. `always`: ticks go on without viewers, every
    `interval`.
    """

    closed: Seconds = field(default=Seconds(60))
    always: bool = False
    interval: Interval = field(default=Interval(10))


class Secret(str):
    """A text that may be empty, and that no message shows."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Geoip:
    """`[geoip]`: databases of countries, cities and networks.

    `files` are asked before those in `directory`, where updates go. `mirrors` is geoip.conf. Number 0 and an empty key:
    no account at MaxMind.
    """

    files: tuple[Path, ...] = ()
    directory: Path = Path("/var/lib/flowtop")
    mirrors: Path = Path("/etc/flowtop/geoip.conf")
    account_id: int = 0
    license_key: Secret = field(default=Secret(""))


@dataclass(frozen=True, slots=True)
class Config:
    """The whole file."""

    conntrack: Conntrack = field(default_factory=Conntrack)
    access: Access = field(default_factory=Access)
    geoip: Geoip = field(default_factory=Geoip)
    history: History = field(default_factory=History)
    daemon: Daemon = field(default_factory=Daemon)


_NOT_YET: Final = {("access", "others", "own"): '"own" is not supported yet, only "deny"'}
"""Values that are planned, so that a reader of the design gets a better answer than a list of the others."""


class ConfigError(Exception):
    """The file cannot be used. `line` counts from 1, None where the mistake has no line; `key` is dotted."""

    def __init__(self, path: Path, line: int | None, key: str | None, message: str) -> None:
        super().__init__(path, line, key, message)
        self.path = path
        self.line = line
        self.key = key
        self.message = message

    def __str__(self) -> str:
        """One line: `file:line: key: message`."""
        place = str(self.path) if self.line is None else f"{self.path}:{self.line}"
        return ": ".join(part for part in (place, self.key, self.message) if part)


def load(path: Path | None = None) -> Config:
    """Read `path`, or the default file, which may be absent. Raises ConfigError."""
    source = DEFAULT_PATH if path is None else path
    try:
        text = source.read_text(encoding="utf-8")
    except FileNotFoundError:
        if path is None:
            return Config()
        raise ConfigError(source, None, None, "no such file") from None
    except OSError as error:
        raise ConfigError(source, None, None, f"cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise ConfigError(source, line, None, "not UTF-8") from None
    return parse(text, source)


def parse(text: str, path: Path) -> Config:
    """The configuration in `text`; `path` is only for the messages. Raises ConfigError."""
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _syntax_error(path, text, str(error)) from None
    lines = _Lines(path, text)
    classes: dict[str, type[Any]] = get_type_hints(Config)
    sections = {}
    for name, table in values.items():
        if name not in classes:
            raise lines.error((name,), "unknown section" + _nearest(name, classes))
        if not isinstance(table, dict):
            raise lines.error((name,), f"wants to be a section, got {_shown(table)}")
        sections[name] = _section(classes[name], name, table, lines)
    return Config(**sections)


def _syntax_error(path: Path, text: str, message: str) -> ConfigError:
    """The position is only in the message of tomllib (attributes come with Python 3.14)."""
    found = re.search(r" \(at (?:line (\d+), column \d+|end of document)\)", message)
    if found is None:
        return ConfigError(path, None, None, message)
    line = int(found[1]) if found[1] else text.count("\n") + 1
    return ConfigError(path, line, None, message[: found.start()])


def _section(kind: type[Any], section: str, table: Mapping[str, Any], lines: "_Lines") -> Any:
    hints = get_type_hints(kind)
    checked = {}
    for key, value in table.items():
        place = (section, key)
        if key not in hints:
            raise lines.error(place, "unknown key" + _nearest(key, hints))
        if isinstance(value, str) and (planned := _NOT_YET.get((*place, value))):
            raise lines.error(place, planned)
        try:
            checked[key] = _check_for(hints[key])(value)
        except ValueError as error:
            got = "something else" if hints[key] is Secret else _shown(value)
            raise lines.error(place, f"wants {error}, got {got}") from None
    return kind(**checked)


def _check_for(hint: Any) -> Callable[[Any], Any]:
    """The check for one annotation: takes the TOML value, raises ValueError with what it wants instead."""
    if hint is bool:
        return lambda value: _same_type(value, bool, "true or false")
    if hint is str:
        return _text
    if hint is Secret:
        return _secret
    if hint is NameOrNone:
        return lambda value: NameOrNone(_same_type(value, str, "a text"))
    if hint is Path:
        return _path
    if hint in {Seconds, Interval}:
        return lambda value: _seconds(value, hint, 1 if hint is Interval else 0)
    if hint is int:
        return lambda value: _same_type(value, int, "a whole number")
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return lambda value: _choice(value, hint)
    if get_origin(hint) is tuple and get_args(hint)[1:] == (Ellipsis,):
        item = _check_for(get_args(hint)[0])
        return lambda value: tuple(map(item, _same_type(value, list, "a list")))
    msg = f"no check for the annotation {hint!r}"
    raise TypeError(msg)


def _same_type(value: Any, kind: type, wanted: str) -> Any:
    if type(value) is not kind:  # a bool is an int to Python, not to a reader of the file
        raise ValueError(wanted)
    return value


def _seconds(value: Any, kind: type[Seconds], least: int) -> Seconds:
    if type(value) is not int or not least <= value <= 3600:
        raise ValueError(f"whole seconds, {least} to 3600")
    return kind(value)


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError("a text that is not empty")
    return value


def _secret(value: Any) -> Secret:
    if not isinstance(value, str) or not value.isprintable():
        raise ValueError("a text of one line")
    return Secret(value)


def _path(value: Any) -> Path:
    if not isinstance(value, str) or not Path(value).is_absolute() or "\0" in value:
        raise ValueError("an absolute path")
    return Path(value)


def _choice(value: Any, choices: type[StrEnum]) -> StrEnum:
    if value not in list(choices):
        raise ValueError(" or ".join(f'"{choice}"' for choice in choices))
    return choices(value)


def _shown(value: Any) -> str:
    """A value as the file has it, near enough, on one line."""
    if isinstance(value, bool):
        return str(value).lower()
    return f'"{value:.40}"' if isinstance(value, str) and value.isprintable() else f"{value!r:.40}"


def _nearest(name: str, known: Iterable[str]) -> str:
    if near := difflib.get_close_matches(name, known, n=1):
        return f", did you mean {near[0]}?"
    return ", known: " + ", ".join(known)


_HEADER: Final = re.compile(r"\s*\[+\s*([^\]]+?)\s*\]+\s*(?:#.*)?$")
_KEY: Final = re.compile(r"""\s*((?:[\w-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[\w-]+|"[^"]*"|'[^']*'))*)\s*=""")


class _Lines:
    """Where the keys of a TOML text stand: tomllib does not say.

    A scan line by line, which a key inside a multi-line string can mislead: a wrong line in a message
    about a strange file, nothing worse.
    """

    def __init__(self, path: Path, text: str) -> None:
        self._path = path
        self._lines: dict[tuple[str, ...], int] = {}
        section: tuple[str, ...] = ()
        for number, line in enumerate(text.splitlines(), start=1):
            if found := _HEADER.match(line):
                section = _dotted(found[1])
                self._lines.setdefault(section, number)
            elif found := _KEY.match(line):
                place = section + _dotted(found[1])
                for depth in range(1, len(place) + 1):
                    self._lines.setdefault(place[:depth], number)

    def error(self, place: tuple[str, ...], message: str) -> ConfigError:
        """A ConfigError at `place`: its own line, or that of the innermost table around it (an inline table)."""
        depths = range(len(place), 0, -1)
        line = next((self._lines[place[:depth]] for depth in depths if place[:depth] in self._lines), None)
        return ConfigError(self._path, line, ".".join(place), message)


def _dotted(text: str) -> tuple[str, ...]:
    return tuple(part.strip().strip("\"'") for part in text.split("."))
