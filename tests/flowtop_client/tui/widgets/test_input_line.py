import pytest

from flowtop_client.tui.widgets.input_line import choice_line, input_line, mark_line
from flowtop_client.tui.widgets.line import Line, line_width
from flowtop_client.view_state.text_input import Input


def text(line: Line) -> str:
    return "".join(part for _, part in line)


def cursor(line: Line) -> int:
    """The cell of the place."""
    at = [style for style, _ in line].index("class:input.cursor")
    return line_width(line[:at])


def test_the_place_is_a_cell_of_its_own() -> None:
    line = input_line("/", Input("tcp", 1), 40)
    assert text(line) == "/tcp"
    assert cursor(line) == 2
    assert text(input_line("/", Input.of("tcp"), 40)) == "/tcp "


@pytest.mark.parametrize("width", [1, 2, 3, 10, 40])
def test_wherever_the_place_is_it_is_seen(width: int) -> None:
    for content in ("tcp and port 443 and not country DE or " * 3, "例え" * 40):
        for at in range(len(content) + 1):
            line = input_line("/", Input(content, at), width)
            assert line_width(line) <= width
            assert width < 4 or cursor(line) < width


def test_the_mark_stands_under_the_mistake() -> None:
    typed = Input.of("tcp and port 1-")
    assert text(mark_line("/", typed, 13, "port wants a number", 60)) == " " * 14 + "^ port wants a number"
    assert text(input_line("/", typed, 60))[14] == "1"


def test_a_message_that_has_no_room_behind_the_mark_stands_before_it() -> None:
    typed = Input.of("x" * 30)
    assert text(mark_line("/", typed, 28, "no such word", 40)) == "no such word" + " " * 17 + "^"
    assert text(mark_line("/", typed, 28, "no such word " * 5, 40)).endswith("… ^")


@pytest.mark.parametrize("width", [1, 2, 5, 20, 80])
def test_no_mark_and_no_message_is_wider_than_the_line(width: int) -> None:
    for content in ("tcp and " * 30, "例え" * 60, ""):
        for at in (0, len(content) // 2, len(content)):
            for offset in (0, 5, len(content)):
                typed = Input(content, at)
                line = mark_line("/", typed, min(offset, len(content)), "例え is wrong\x1b[2J", width)
                assert line_width(line) <= width
                assert text(line).isprintable()


def test_a_mark_under_wide_characters_stands_where_they_are_drawn() -> None:
    assert text(mark_line("/", Input.of("例え ("), 3, "what", 40)).index("^") == 6


def test_of_many_words_the_chosen_one_is_seen() -> None:
    words = [f"word{number}" for number in range(30)]
    for chosen in (None, 0, 3, 29):
        line = choice_line(words, chosen, 40)
        assert line_width(line) <= 40
        marked = [part for style, part in line if style == "class:tab.current"]
        assert marked == ([] if chosen is None else [words[chosen]])
