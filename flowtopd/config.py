"""The daemon's configuration: a TOML file in, one frozen Config out, or a ConfigError that names the line.

The dataclasses are the table: a section of the file is a field of Config, a key is a field of the section's
class, its annotation is the type that the file must have, its default applies when the key is absent.
A key for a new feature is one more field with a docstring below it, nothing else: `make config` writes these
into etc/flowtopd.toml, and flowtopd.toml(5) is made of them (scripts/config_keys.py reads them, and wants them all).

Rules: an empty file is valid; an unknown section or key is an error, never ignored; every mistake in the file is found,
not the first alone; nothing here looks at the system (whether a group exists is for `config_check` to say, and for the
code that needs it).
"""

import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, get_args, get_origin, get_type_hints

from flowtopd.toml_lines import Lines, syntax_error

DEFAULT_PATH: Final = Path("/etc/flowtop/flowtopd.toml")

MOST_VIEWERS: Final = 1000
"""As many as `[daemon] max_viewers` allows: each has a file descriptor, and may hold a tick."""


class SysctlMode(StrEnum):
    """What to do with `nf_conntrack_acct` and `nf_conntrack_timestamp`."""

    WHILE_RUNNING = "while-running"
    """they are set, and the old values put back at the end"""
    KEEP = "keep"
    """they are set and stay set"""
    NEVER = "never"
    """they are not touched"""


class Others(StrEnum):
    """Who may look besides root and the group."""

    DENY = "deny"
    """they cannot connect"""
    OWN = "own"
    """they see the flows of their own processes alone"""


class LogLevel(StrEnum):
    """The least important message that is logged."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Conntrack:
    """What the daemon may change in the kernel."""

    sysctl: SysctlMode = SysctlMode.WHILE_RUNNING
    """What happens to the sysctls `nf_conntrack_acct`, which has the kernel count packets and bytes of flows, and
    `nf_conntrack_timestamp`, which has it note when they began."""
    activate: bool = False
    """Whether connections are tracked also where no firewall rule asks for it, while the daemon runs; as the option
    `--activate`."""


class NameOrNone(str):
    """A name; empty is none."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Access:
    """Who may connect to the socket, and who may do more than look."""

    group: str = "flowtop"
    """The group whose members see every flow, as root does. They may also have the GeoIP databases updated."""
    others: Others = Others.DENY
    """What everybody else on this machine may do."""
    admin_group: NameOrNone = field(default=NameOrNone(""))
    """The group whose members may delete entries and close connections, as root may. To connect they need to be in
    `group`, too. Empty: root alone."""


class Viewers(int):
    """A number of viewers, 1 to 1000."""

    __slots__ = ()


class Seconds(int):
    """A time, 0 to an hour."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Daemon:
    """The process itself."""

    log_level: LogLevel = LogLevel.INFO
    """The least important messages that are logged."""
    max_viewers: Viewers = field(default=Viewers(64))
    """How many viewers may be connected at once, 1 to 1000; root has a few places more."""
    idle_exit: Seconds = field(default=Seconds(0))
    """After how many seconds without viewers the daemon ends, up to 3600; for socket activation. 0: never."""


class Interval(Seconds):
    """A time, at least a second."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class History:
    """What is kept of the time before now."""

    closed: Seconds = field(default=Seconds(60))
    """For how many seconds flows that have closed are kept, at most 10 000 of them; up to 3600. 0: not at all."""
    always: bool = False
    """Whether the daemon looks at the table also while there are no viewers, so that their graphs begin in the past.
    Without it, it does nothing then."""
    interval: Interval = field(default=Interval(10))
    """Seconds from one such look to the next, 1 to 3600."""


class Secret(str):
    """A text that may be empty, and that no message shows."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Geoip:
    """Databases of countries, cities and networks."""

    files: tuple[Path, ...] = ()
    """MaxMind DB files that are asked before all others: `["/srv/City.mmdb", "/srv/ASN.mmdb"]`."""
    directory: Path = Path("/var/lib/flowtop")
    """Where updates put new databases. They are asked next, before those in `/var/lib/GeoIP` and `/usr/share/GeoIP`."""
    mirrors: Path = Path("/etc/flowtop/geoip.conf")
    """The file that says where updates come from. Without it, what comes with flowtop says it."""
    account_id: int = 0
    """Number of an account at MaxMind, whose databases updates then try first. 0: what `/etc/GeoIP.conf` says, if it is
    there."""
    license_key: Secret = field(default=Secret(""))
    """The licence key of this account. With one in it, this file should be readable by the daemon's user alone."""


@dataclass(frozen=True, slots=True)
class Config:
    """The whole file."""

    conntrack: Conntrack = field(default_factory=Conntrack)
    access: Access = field(default_factory=Access)
    geoip: Geoip = field(default_factory=Geoip)
    history: History = field(default_factory=History)
    daemon: Daemon = field(default_factory=Daemon)


_RANGES: Final[dict[type[int], tuple[str, int, int]]] = {
    Seconds: ("whole seconds", 0, 3600),
    Interval: ("whole seconds", 1, 3600),
    Viewers: ("a whole number", 1, MOST_VIEWERS),
}
"""Of numbers with limits: what they are, the least and the most."""


class ConfigError(Exception):
    """The file cannot be used. `line` counts from 1, None where the mistake has no line; `key` is dotted.

    `more` are the other mistakes in the file, in its order.
    """

    def __init__(self, path: Path, line: int | None, key: str | None, message: str) -> None:
        super().__init__(path, line, key, message)
        self.path = path
        self.line = line
        self.key = key
        self.message = message
        self.more: tuple[ConfigError, ...] = ()

    def __str__(self) -> str:
        """One line: `file:line: key: message`."""
        place = str(self.path) if self.line is None else f"{self.path}:{self.line}"
        key = self.key if self.key is None or self.key.isprintable() else ascii(self.key)
        return ": ".join(part for part in (place, key, self.message) if part)


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
        line, message = syntax_error(text, str(error))
        raise ConfigError(path, line, None, message) from None
    except (ValueError, RecursionError):  # a number of over 4300 digits, lists in lists in lists
        raise ConfigError(path, None, None, "too long a number, or too many brackets") from None
    mistakes = _Mistakes(path, Lines(text))
    classes: dict[str, type[Any]] = get_type_hints(Config)
    sections = {}
    for name, table in values.items():
        if name not in classes:
            mistakes.add((name,), _unknown(name, table, classes))
        elif not isinstance(table, dict):
            mistakes.add((name,), f"wants to be a section, got {_shown(table)}")
        else:
            sections[name] = _section(classes[name], name, table, mistakes)
    mistakes.raise_if_any()
    return Config(**sections)


class _Mistakes:
    """Those that were found in one file."""

    def __init__(self, path: Path, lines: Lines) -> None:
        self._path = path
        self._lines = lines
        self._found: list[ConfigError] = []

    def add(self, place: tuple[str, ...], message: str) -> None:
        self._found.append(ConfigError(self._path, self._lines.of(place), ".".join(place), message))

    def raise_if_any(self) -> None:
        """Raise the first in the file, which has the others with it."""
        if self._found:
            first, *rest = sorted(self._found, key=lambda error: error.line or 0)
            first.more = tuple(rest)
            raise first


def _section(kind: type[Any], section: str, table: Mapping[str, Any], mistakes: _Mistakes) -> Any:
    hints = get_type_hints(kind)
    checked = {}
    for key, value in table.items():
        place = (section, key)
        if key not in hints:
            mistakes.add(place, _unknown_key(key, hints))
        else:
            try:
                checked[key] = _check_for(hints[key])(value)
            except ValueError as error:
                got = "something else" if hints[key] is Secret else _shown(value)
                mistakes.add(place, f"wants {error}, got {got}")
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
    if hint in _RANGES:
        return lambda value: _in_range(value, hint)
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


def _in_range(value: Any, kind: type[int]) -> int:
    what, least, most = _RANGES[kind]
    if type(value) is not int or not least <= value <= most:
        raise ValueError(f"{what}, {least} to {most}")
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
    if isinstance(value, str) and value.isprintable():
        return f'"{value:.40}"'
    try:
        return f"{value!r:.40}"
    except ValueError:  # 0xfff… of over 4300 digits
        return "too long a number"


def _unknown(name: str, value: Any, sections: Mapping[str, type[Any]]) -> str:
    """What to say of a name at the top that is no section; it may be a key without one."""
    if not isinstance(value, dict) and (home := _home(name, sections)):
        return f"wants to be in the section [{home}]"
    return "unknown section" + _nearest(name, sections)


def _unknown_key(key: str, known: Iterable[str]) -> str:
    """What to say of a key that its section does not have; another one may."""
    home = _home(key, get_type_hints(Config))
    return f"wants to be in the section [{home}]" if home else "unknown key" + _nearest(key, known)


def _home(key: str, sections: Mapping[str, type[Any]]) -> str | None:
    return next((name for name, kind in sections.items() if key in get_type_hints(kind)), None)


def _nearest(name: str, known: Iterable[str]) -> str:
    import difflib  # noqa: PLC0415  # 0.3 MB, and most configurations have no mistake

    if near := difflib.get_close_matches(name, known, n=1):
        return f", did you mean {near[0]}?"
    return ", known: " + ", ".join(known)
