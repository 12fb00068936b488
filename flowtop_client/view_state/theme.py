"""The themes, by the names that options and the configuration file use. What they look like is not known here."""

from enum import StrEnum


class Theme(StrEnum):
    """How the screen is coloured."""

    DARK = "dark"
    LIGHT = "light"
    MONO = "mono"
    """No colours: bold, reverse, underlined and faint."""
    SAFE_DARK = "safe-dark"
    SAFE_LIGHT = "safe-light"
    """Blue and orange, which hardly anybody confuses."""


def next_theme(theme: Theme) -> Theme:
    """The one after it; after the last one the first."""
    themes = tuple(Theme)
    return themes[(themes.index(theme) + 1) % len(themes)]
