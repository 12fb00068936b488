"""Where a user is: the place in the rows of a view, and the way there.

    Processes > firefox[11] > Countries > DE
    └ view ─┘   └ name ───┘   └ second crumb ┘

Every view keeps its own place. Opening a group adds a crumb, which knows the way back.
"""

from dataclasses import dataclass
from typing import Final

from flowtopd.wire.messages import View

VIEWS: Final = tuple(View)
"""The views in the order of their tabs."""

MANY: Final = 1 << 20
"""How many rows a view has as long as nobody knows: so many that keys that are pressed already find theirs."""


@dataclass(frozen=True, slots=True)
class Place:
    """A place in the rows of a view, and their order. The fields are those of the state with the same names."""

    sort: str = "rate"
    descending: bool = True
    offset: int = 0
    cursor: int = 0
    pinned: str | None = None
    skipped: int = 0
    total: int = MANY


@dataclass(frozen=True, slots=True)
class Crumb:
    """A group that was opened: in which view, what it is called, and which filter means its flows.

    `own` is the filter that the user had, `places` are the places of all views then.
    """

    view: View
    name: str
    filter: str
    own: str
    places: tuple[Place, ...]
