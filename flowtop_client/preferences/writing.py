"""What is written into the files of preferences, and how: a file is replaced as a whole."""

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from flowtop_client.preferences.order import order_text
from flowtop_client.preferences.settings import Settings
from flowtop_client.preferences.toml_edit import Place
from flowtop_client.view_state.place import VIEWS
from flowtop_client.view_state.state import ViewState

_DEFAULT_ORDER: Final = ("rate", True)


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
