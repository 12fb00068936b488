"""flowtopd.toml_lines: every key of a file is found where it stands."""

import tomllib

import pytest

from flowtopd.toml_lines import Lines, syntax_error

TEXT = """\
# [comment]
a.b = 1
[one]  # a comment
x = 2

"quoted" = 3
[ one.two ]
y = {z = 4}
[[list]]
w = 5
"""


@pytest.mark.parametrize(
    ("place", "line"),
    [
        ("a", 2),
        ("a.b", 2),
        ("one", 3),
        ("one.x", 4),
        ("one.quoted", 6),
        ("one.two", 7),
        ("one.two.y", 8),
        ("one.two.y.z", 8),
        ("list.w", 10),
        ("nowhere", None),
    ],
)
def test_a_key_has_its_line(place: str, line: int | None) -> None:
    assert Lines(TEXT).of(tuple(place.split("."))) == line


@pytest.mark.parametrize(("text", "line"), [("a = 1\nb = tru\n", 2), ("a = 1\nb", 2), ("a = 1\na = 2\n", 2)])
def test_a_syntax_error_has_the_line_and_no_position_in_words(text: str, line: int) -> None:
    with pytest.raises(tomllib.TOMLDecodeError) as caught:
        tomllib.loads(text)
    number, message = syntax_error(text, str(caught.value))
    assert number == line
    assert message
    assert "(at" not in message


def test_a_message_without_a_position_is_kept() -> None:
    assert syntax_error("", "something else") == (None, "something else")
