"""`flowtopd --check-config`: everything that is wrong with the configuration, and with the files that belong to it.

    flowtopd.toml                      a mistake in it: the daemon does not start
    tcp.conf, udp.conf, geoip.conf     a mistake in these: the daemon says so, leaves out the line and goes on
    groups, databases, mirrors         named but not there: the same

Nothing is changed, and of the system only files and groups are asked for.
"""

import grp
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from flowtopd.config import DEFAULT_PATH, Config, ConfigError, load
from flowtopd.enrich import services
from flowtopd.geoip_update.mirrors import parse_mirrors, text_of
from flowtopd.toml_lines import Lines

_PORT_FILES: Final = ("tcp.conf", "udp.conf")


@dataclass(frozen=True, slots=True)
class Findings:
    """What was found, a line each. `mistakes` keep the daemon from starting, `warnings` do not.

    `file` is the configuration, None where the default one is not there.
    """

    file: Path | None
    mistakes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def check(path: Path | None, default: Path = DEFAULT_PATH, directory: Path = services.DIRECTORY) -> Findings:
    """Check the configuration in `path`, or in the default file, and the names of ports in `directory`."""
    file = path or (default if default.exists() else None)
    try:
        config = load(file) if file else Config()
    except ConfigError as error:
        return Findings(file, mistakes=tuple(map(str, (error, *error.more))))
    try:
        mirrors, unread = parse_mirrors(*text_of(config.geoip.mirrors))[1], None
    except OSError as error:
        mirrors, unread = [], error
    return Findings(file, warnings=(*_missing(config, file or default, unread), *_ports(directory), *mirrors))


def _missing(config: Config, file: Path, mirrors: OSError | None) -> Iterator[str]:
    """Lines about what the configuration names and this host does not have. `mirrors`: why they cannot be read."""
    text = ""
    with suppress(OSError):
        text = file.read_text(encoding="utf-8")
    lines = Lines(text)

    def line(section: str, key: str, message: str) -> str:
        number = lines.of((section, key))
        return f"{file}{f':{number}' if number else ''}: {section}.{key}: {message}"

    for key, group in (("group", config.access.group), ("admin_group", config.access.admin_group)):
        if group and not _exists(group):
            yield line("access", key, f"there is no group {group} (groupadd --system {group})")
    for database in config.geoip.files:
        if not database.exists():
            yield line("geoip", "files", f"{database}: no such file")
    if mirrors is not None:
        yield line("geoip", "mirrors", f"{config.geoip.mirrors}: {_why(mirrors)}")


def _why(error: OSError) -> str:
    return "no such file" if isinstance(error, FileNotFoundError) else error.strerror or str(error)


def _exists(group: str) -> bool:
    try:
        grp.getgrnam(group)
    except KeyError:
        return False
    return True


def _ports(directory: Path) -> Iterator[str]:
    for name in _PORT_FILES:
        path = directory / name
        try:
            text = path.read_text(encoding="utf-8-sig", errors="surrogateescape")
        except FileNotFoundError:
            continue  # those that come with flowtop are used
        except OSError as error:
            yield f"{path}: {error.strerror}"
        else:
            yield from services.parse_conf(text, path)[1]
