"""Themes: every class that is drawn has a look in each, and without colours nothing is lost."""

import re
from pathlib import Path

import pytest
from prompt_toolkit.styles import default_ui_style, merge_styles

from flowtop_client.tui import style
from flowtop_client.tui.style import STYLES
from flowtop_client.view_state.theme import Theme

TUI = Path(style.__file__).parent

MUST_BE_SEEN = (
    "cursor",
    "tab.current",
    "title.sorted",
    "problem",
    "gone",
    "new",
    "input.cursor",
    "match",
    "key",
    "dim",
)


def test_every_class_that_is_drawn_has_a_look_in_every_theme() -> None:
    drawn = {name for path in TUI.rglob("*.py") for name in re.findall(r"class:([a-z.]+)", path.read_text())}
    for theme in Theme:
        assert drawn <= {name for name, _ in STYLES[theme].style_rules}


@pytest.mark.parametrize("name", MUST_BE_SEEN)
def test_mono_shows_without_a_colour_what_stands_out(name: str) -> None:
    look = merge_styles([default_ui_style(), STYLES[Theme.MONO]])
    attrs, plain = look.get_attrs_for_style_str(f"class:{name}"), look.get_attrs_for_style_str("")
    assert attrs._replace(color=plain.color) != plain
    assert (attrs.color or "ansidefault") in {"ansidefault", "default"}
    assert not attrs.bgcolor


@pytest.mark.parametrize("theme", [Theme.SAFE_DARK, Theme.SAFE_LIGHT])
def test_the_safe_themes_have_no_red_and_no_green(theme: Theme) -> None:
    assert not any(re.search("red|green", look) for _, look in STYLES[theme].style_rules)


def test_the_themes_for_white_have_nothing_that_white_swallows() -> None:
    for theme in (Theme.LIGHT, Theme.SAFE_LIGHT):
        assert not any(re.search("yellow|cyan|white", look) for _, look in STYLES[theme].style_rules)
