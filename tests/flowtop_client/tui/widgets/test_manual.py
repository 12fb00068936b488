import pytest

from flowtop_client.tui.widgets.line import line_width
from flowtop_client.tui.widgets.manual import manual

SECTIONS = (
    ("Moving", (("Up", "a row up"), ("Down", "a row down"), ("Home", "the first row"))),
    ("Other", (("q", "leave"),)),
    ("More", (("x", "nothing at all, at length, so that it must be cut somewhere"),)),
)


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
