import pytest

from flowtop_client.tui.widgets.line import Line, line_width
from flowtop_client.tui.widgets.manual import manual, marked, prose
from flowtopd.wire.filter_parser import MANUAL

SECTIONS = (
    ("Moving", (("Up", "a row up"), ("Down", "a row down"), ("Home", "the first row"))),
    ("Other", (("q", "leave"),)),
    ("More", (("x", "nothing at all, at length, so that it must be cut somewhere"),)),
)


PROSE = """First line of a text that goes
on in the next one.

HEADING
    TERM       what it means, which is long and
               goes on below
    OTHER      short
    A sentence of its own.
    Another one that is not joined with it.
"""


def texts(width: int) -> list[str]:
    return ["".join(text for _, text in line) for line in manual(SECTIONS, width)]


def test_a_narrow_manual_is_one_column_with_a_line_between_sections() -> None:
    assert texts(40)[:5] == [
        "Moving",
        " Up          a row up",
        " Down        a row down",
        " Home        the first row",
        "",
    ]
    assert len(texts(40)) == 10


def test_a_wide_manual_has_the_first_section_at_the_left() -> None:
    first = texts(80)[0]
    assert first.startswith("Moving")
    assert first.index("Other") == 40
    assert len(texts(80)) == 5


def test_a_section_of_a_wide_manual_stands_under_the_shorter_column() -> None:
    tall = ("Tall", tuple((key, "a key") for key in "abcdef"))
    lines = ["".join(text for _, text in line) for line in manual((*SECTIONS, tall), 80)]
    assert [line.index("More") for line in lines if "More" in line] == [40]
    assert [line.index("Tall") for line in lines if "Tall" in line] == [0]


@pytest.mark.parametrize("width", [1, 10, 40, 75, 76, 77, 200])
def test_no_line_is_wider_than_asked(width: int) -> None:
    assert all(line_width(line) <= width for line in manual(SECTIONS, width))


def wrapped(text: str, width: int) -> list[str]:
    return ["".join(part for _, part in line) for line in prose(text, width)]


def test_prose_is_wrapped_and_its_terms_stay_terms() -> None:
    assert wrapped(PROSE, 40) == [
        "First line of a text that goes on in the",
        "next one.",
        "",
        "HEADING",
        "    TERM       what it means, which is",
        "               long and goes on below",
        "    OTHER      short",
        "    A sentence of its own.",
        "    Another one that is not joined with",
        "    it.",
        "",
    ]
    assert prose(PROSE, 40)[3] == [("class:heading", "HEADING")]


def test_two_columns_that_have_no_room_stand_below_one_another() -> None:
    text = "    tcp and port 443          host 192.0.2.1"
    assert wrapped(text, 40)[:2] == ["    tcp and port 443", "    host 192.0.2.1"]
    assert wrapped(text, 60)[0] == text


@pytest.mark.parametrize("width", [1, 2, 5, 10, 20, 33, 60, 80, 200])
def test_no_line_of_prose_is_wider_than_asked_and_no_word_is_lost(width: int) -> None:
    for text in (PROSE, MANUAL):
        assert all(line_width(line) <= width for line in prose(text, width))
        if width >= 40:
            assert " ".join(wrapped(text, width)).split() == text.split()


def test_every_place_that_says_a_pattern_is_marked() -> None:
    line: Line = [("a", "Port and "), ("b", "port")]
    assert marked(line, "PORT", "m") == [
        *[("m", c) for c in "Port"],
        *[("a", c) for c in " and "],
        *[("m", c) for c in "port"],
    ]
    assert marked(line, "d p", "m")[7] == ("m", "d")
    assert marked(line, "x", "m") is line
    assert marked(line, "", "m") is line
