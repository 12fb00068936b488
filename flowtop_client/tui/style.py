"""Colours and attributes by the name of what they mark.

Only the 16 colours that every terminal theme chooses for itself, so that light and dark ones both stay readable; what
must be seen without any colour (NO_COLOR, a monochrome terminal) is bold or reverse as well.
"""

from typing import Final

from prompt_toolkit.styles import Style

STYLE: Final = Style.from_dict(
    {
        "program": "bold ansicyan",
        "label": "ansibrightblack",
        "value": "bold",
        "problem": "bold ansiyellow",
        "gone": "bold ansired",
        "tab": "ansibrightblack",
        "tab.key": "bold ansicyan",
        "tab.current": "bold reverse",
        "crumb": "bold ansicyan",
        "total": "bold",
        "share": "ansicyan",
        "input": "bold",
        "input.cursor": "reverse",
        "match": "reverse",
        "match.current": "bold ansiyellow reverse",
        "title": "ansigreen reverse",
        "title.sorted": "bold ansicyan reverse",
        "dim": "ansibrightblack",
        "rate": "bold ansigreen",
        "state.opening": "ansiyellow",
        "name": "",
        "cursor": "bold reverse",
        "message": "bold",
        "on": "bold",
        "key": "bold ansicyan",
        "heading": "bold underline",
    }
)
