"""Where preferences are kept, and how they are read and written. Nothing here ends the viewer.

    $XDG_CONFIG_HOME/flowtop/config.toml    read at the start, written only where the user asks for it
    $XDG_STATE_HOME/flowtop/filters         one filter a line, the newest last, at most so many as the viewer remembers

Rules: a file is replaced as a whole, by one that only its owner may read. One that cannot be read or parsed is never
replaced. A filter that cannot be kept is forgotten with the viewer; nobody is told.
"""

import os
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from flowtop_client.preferences.order import order_text
from flowtop_client.preferences.settings import Read, Settings, read
from flowtop_client.preferences.toml_edit import Place, UneditableError, edited
from flowtop_client.view_state.filter_line import remembered
from flowtop_client.view_state.place import VIEWS
from flowtop_client.view_state.state import ViewState
from flowtopd.wire.filter_parser import LONGEST

_LARGEST: Final = 1 << 20
"""Bytes of a file that are read; a configuration of more is a mistake."""

_DEFAULT_ORDER: Final = ("rate", True)

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
            return read(_text(self.config))
        except FileNotFoundError:
            return Read()
        except (OSError, ValueError) as error:
            return Read(warnings=(f"config: {self.config}: {_why(error)}",), broken=True)

    def write(self, state: ViewState) -> str:
        """Write theme, columns and orders of this state, where they are not what the file says. Gives what to say."""
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


def changes_of(state: ViewState, settings: Settings) -> dict[Place, str | Sequence[str] | None]:
    """What a file that says `settings` must be told, to say how this state looks."""
    changes: dict[Place, str | Sequence[str] | None] = {}
    if state.theme is not settings.theme:
        changes["theme",] = state.theme.value
    for view, chosen in zip(VIEWS, state.choices, strict=True):
        if chosen != settings.columns.get(view, ()):
            changes["columns", view.value] = chosen or None
    for view, place in zip(VIEWS, state.places, strict=True):
        where = state if view is state.view else place
        order = (where.sort, where.descending)
        if order != settings.sort.get(view, _DEFAULT_ORDER):
            changes["sort", view.value] = order_text(order[0], descending=order[1])
    return changes


def replace_file(path: Path, text: str) -> None:
    """Put a whole file in the place of another. Raises OSError; then the old one is still there."""
    path = path.resolve()  # a link to a file elsewhere stays one
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # mode 0600
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


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
