import pytest
from prompt_toolkit.utils import _CHAR_SIZES_CACHE

from flowtop_client.tui.widgets.line import Line, cell_width, clipped, in_ascii, joined, line_width, spread

RED: Line = [("red", "abc"), ("", "例え")]


@pytest.mark.parametrize(
    ("width", "text"),
    [(0, ""), (1, "…"), (2, "a…"), (3, "abc"), (4, "abc…"), (5, "abc…"), (6, "abc例…"), (7, "abc例え")],
)
def test_a_clipped_line_fits_and_keeps_its_styles(width: int, text: str) -> None:
    line = clipped(RED, width)
    assert "".join(part for _, part in line) == text
    assert line_width(line) <= width
    assert all(style == "red" for style, part in line if "a" in part)


@pytest.mark.parametrize(("text", "width"), [("", 0), ("abc", 3), ("例え", 4), ("e\u0301", 1), ("…→", 2)])
def test_text_is_measured_in_cells(text: str, width: int) -> None:
    assert cell_width(text) == width


def test_measuring_many_texts_keeps_none_of_them() -> None:
    """A viewer may run for weeks, over millions of different addresses and names."""
    known = len(_CHAR_SIZES_CACHE)
    for number in range(1000):
        cell_width(f"192.0.2.{number}")
        cell_width(f"bücher-{number}.example")
    assert len(_CHAR_SIZES_CACHE) <= known + 30


def test_two_ends_stand_apart_as_far_as_there_is_room() -> None:
    left: Line = [("", "left")]
    right: Line = [("", "right")]
    assert "".join(text for _, text in spread(left, right, 12)) == "left   right"
    assert spread(left, right, 9) == left
    assert "".join(text for _, text in spread(left, right, 3)) == "le…"
    assert spread(left, [], 10) == left


def test_empty_parts_leave_no_gap() -> None:
    assert joined([[("", "a")], [], [("", "b")]]) == [("", "a"), ("", "  "), ("", "b")]
    assert joined([]) == []


def test_a_terminal_with_nothing_but_ascii_gets_lines_of_the_same_width() -> None:
    line = [("class:rate", "→ 1 ← 2 ▼▲ ██▌▎…"), ("", "plain"), ("class:name", "例え ü")]
    assert in_ascii(line) == [("class:rate", "> 1 < 2 v^ ### ~"), ("", "plain"), ("class:name", "???? ü")]
    assert line_width(in_ascii(line)) == line_width(line)
