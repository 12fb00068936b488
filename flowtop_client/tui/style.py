"""Colours and attributes by the name of what they mark, in every theme.

Dark and light use only the 16 colours that every terminal theme chooses for itself. The safe ones use blue and orange
of the palette of Okabe and Ito, which hardly anybody confuses; a terminal without them shows the nearest it has. What
must be seen without any colour (mono, NO_COLOR, a monochrome terminal) is bold, reverse, underlined or a character as
well.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Final

from prompt_toolkit.styles import Style

from flowtop_client.view_state.theme import Theme


@dataclass(frozen=True, slots=True)
class _Colours:
    """The colours of a theme, by what they say; empty is that of the terminal."""

    accent: str
    faint: str
    warning: str
    alarm: str
    rate: str
    opening: str
    title: str
    new: str


def _style(colours: _Colours) -> Style:
    said = asdict(colours)
    return Style.from_dict({name: look.format_map(said) for name, look in _LOOKS.items()})


_LOOKS: Final[Mapping[str, str]] = {
    "program": "bold {accent}",
    "label": "{faint}",
    "value": "bold",
    "problem": "bold {warning}",
    "gone": "bold {alarm}",
    "tab": "{faint}",
    "tab.key": "bold {accent}",
    "tab.current": "bold reverse",
    "crumb": "bold {accent}",
    "total": "bold",
    "share": "{accent}",
    "input": "bold",
    "input.cursor": "reverse",
    "match": "reverse",
    "match.current": "bold {warning} reverse",
    "title": "{title} reverse",
    "title.sorted": "bold {accent} reverse",
    "dim": "{faint}",
    "new": "bold {new}",
    "rate": "bold {rate}",
    "state.opening": "{opening}",
    "name": "",
    "cursor": "bold reverse",
    "message": "bold",
    "on": "bold",
    "key": "bold {accent}",
    "heading": "bold underline",
}

_BLUE, _SKY, _ORANGE, _VERMILION = "#0072b2", "#56b4e9", "#e69f00", "#d55e00"

STYLES: Final[Mapping[Theme, Style]] = {
    Theme.DARK: _style(
        _Colours(
            accent="ansicyan",
            faint="ansibrightblack",
            warning="ansiyellow",
            alarm="ansired",
            rate="ansigreen",
            opening="ansiyellow",
            title="ansigreen",
            new="ansicyan",
        )
    ),
    Theme.LIGHT: _style(
        # yellow, cyan and green cannot be read on white
        _Colours(
            accent="ansiblue",
            faint="ansibrightblack",
            warning="ansired",
            alarm="ansired",
            rate="ansiblue",
            opening="ansimagenta",
            title="ansiblue",
            new="ansimagenta",
        )
    ),
    Theme.MONO: _style(
        _Colours(
            accent="",
            faint="ansidefault dim",
            warning="",
            alarm="underline",
            rate="",
            opening="",
            title="",
            new="underline",
        )
    ),
    Theme.SAFE_DARK: _style(
        _Colours(
            accent=_SKY,
            faint="ansibrightblack",
            warning=_ORANGE,
            alarm=_ORANGE,
            rate=_SKY,
            opening=_ORANGE,
            title=_SKY,
            new=_ORANGE,
        )
    ),
    Theme.SAFE_LIGHT: _style(
        _Colours(
            accent=_BLUE,
            faint="ansibrightblack",
            warning=_VERMILION,
            alarm=_VERMILION,
            rate=_BLUE,
            opening=_VERMILION,
            title=_BLUE,
            new=_VERMILION,
        )
    ),
}
"""The style of every theme."""
