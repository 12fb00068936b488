"""Where preferences are kept, and how they are read and written. Nothing here ends the viewer.

    $XDG_CONFIG_HOME/flowtop/config.toml    read at the start, written only where the user asks for it
    $XDG_STATE_HOME/flowtop/filters         one filter a line, the newest last, at most so many as the viewer remembers

Rules: a file is replaced as a whole, by one that only its owner may read. One that cannot be read or parsed is never
replaced. A filter that cannot be kept is forgotten with the viewer; nobody is told.

What reads TOML, and what writes, is imported when it has something to do: a first screen does not wait for them.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from flowtop_client.preferences.settings import Read
from flowtop_client.view_state.filter_line import remembered
from flowtop_client.view_state.state import ViewState
from flowtopd.wire.filter_parser import LONGEST

_LARGEST: Final = 1 << 20
"""Bytes of a file that are read; a configuration of more is a mistake."""

_NEW: Final = "# Settings of flowtop; docs/viewer.md has all of them.\n\n"


@dataclass(frozen=True, slots=True)
class Files:
    """The two files; None where there is no place for them."""

    config: Path | None
    filters: Path | None

    def settings(self) -> Read:
        """What the configuration file says. One that is not there says nothing."""
        if self.config is None:
            return Read()
        try:
            text = _text(self.config)
            from flowtop_client.preferences.reading import read  # noqa: PLC0415  # as the head says

            return read(text)
        except FileNotFoundError:
            return Read()
        except (OSError, ValueError) as error:
            return Read(warnings=(f"config: {self.config}: {_why(error)}",), broken=True)

    def write(self, state: ViewState) -> str:
        """Write theme, columns and orders of this state, where they are not what the file says. Gives what to say."""
        from flowtop_client.preferences.toml_edit import UneditableError, edited  # noqa: PLC0415  # as the head says
        from flowtop_client.preferences.writing import changes_of, replace_file  # noqa: PLC0415

        if self.config is None:
            return "not written: neither XDG_CONFIG_HOME nor HOME is set"
        old = self.settings()
        if old.broken:
            return f"not written: {old.warnings[0].removeprefix('config: ')}"
        changes = changes_of(state, old.settings)
        if not changes:
            return f"{self.config} says so already"
        try:
            text = _text(self.config) if self.config.exists() else _NEW
            replace_file(self.config, edited(text, changes))
        except UneditableError:
            return f"not written: {self.config} is written in a way that would be lost"
        except (OSError, ValueError) as error:
            return f"not written: {self.config}: {_why(error)}"
        return f"written to {self.config}"

    def history(self) -> tuple[str, ...]:
        """The filters that were used, the newest last."""
        found: tuple[str, ...] = ()
        if self.filters is not None:
            with suppress(OSError, ValueError):
                for line in _text(self.filters).splitlines():
                    if len(line) <= LONGEST and line.isprintable():
                        found = remembered(found, line.strip())
        return found

    def remember(self, text: str) -> None:
        """Add a filter, to those that other viewers have added too."""
        if self.filters is None or not text:
            return
        from flowtop_client.preferences.writing import replace_file  # noqa: PLC0415  # as the head says

        with suppress(OSError, ValueError):
            replace_file(self.filters, "".join(f"{each}\n" for each in remembered(self.history(), text)))


def usual_files(environment: Mapping[str, str]) -> Files:
    """The files of the user whose environment this is. Paths that do not begin at the root mean nothing to XDG."""

    def folder(name: str, below: str) -> Path | None:
        base = environment.get(name, "")
        home = environment.get("HOME", "")
        if base.startswith("/"):
            return Path(base) / "flowtop"
        return Path(home) / below / "flowtop" if home.startswith("/") else None

    config, state = folder("XDG_CONFIG_HOME", ".config"), folder("XDG_STATE_HOME", ".local/state")
    return Files(config and config / "config.toml", state and state / "filters")


def _text(path: Path) -> str:
    """Raises OSError, and ValueError where it is no text or too much of it."""
    with path.open("rb") as file:
        data = file.read(_LARGEST + 1)
    if len(data) > _LARGEST:
        raise ValueError("too large")
    return data.decode()


def _why(error: Exception) -> str:
    if isinstance(error, UnicodeDecodeError):
        return "no UTF-8"
    return getattr(error, "strerror", None) or str(error)
