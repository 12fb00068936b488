"""What a user does to a flow, from the question to the answer. Pure values.

x ─▶ Act ── y ─▶ Act, sent ── done, error ─▶ Notice, for some seconds
      └──── n ─▶ nothing
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Deed(StrEnum):
    """What can be done to a flow."""

    DELETE = "delete"
    """Have the kernel forget it."""
    KILL = "kill"
    """Close its sockets, then have the kernel forget it."""


QUESTIONS: Final = {
    Deed.DELETE: "Delete the kernel's entry of this flow? The flow goes on.",
    Deed.KILL: "Close the TCP connection of this flow? It is over then.",
}
"""What will happen, in a line of at most 60 cells, the least width of a screen."""


@dataclass(frozen=True, slots=True)
class Act:
    """A deed, the flow it is meant for, and how that is called: it stands, wherever the cursor goes."""

    deed: Deed
    id: str
    flow: str
    sent: bool = False
    """Whether the daemon was asked; else the user still is."""


@dataclass(frozen=True, slots=True, eq=False)
class Notice:
    """A line that is shown for some seconds in place of the footer. The same words again are another one."""

    text: str
    good: bool = True


@dataclass(frozen=True, slots=True)
class Tape:
    """The recording that this viewer writes."""

    name: str
    size_bytes: int = 0
    trouble: str = ""
    """Why nothing comes at the moment."""
