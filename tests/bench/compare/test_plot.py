import re
from itertools import pairwise
from xml.etree import ElementTree as ET

from bench.compare.plot import Line, Panel, short, svg

SVG = "{http://www.w3.org/2000/svg}"
LINE = Line("a < b", 0, ((1_000, 1.0), (10_000, 10.0), (100_000, 100.0)))


def drawn(*panels: Panel) -> ET.Element:
    return ET.fromstring(svg(panels))


def test_axes_are_logarithmic_both_ways() -> None:
    (line,) = drawn(Panel("t", (LINE,), 1)).iter(f"{SVG}polyline")
    (x0, y0), (x1, y1), (x2, y2) = [tuple(map(float, point.split(","))) for point in line.get("points", "").split()]
    assert abs((x1 - x0) - (x2 - x1)) < 0.2
    assert abs((y1 - y0) - (y2 - y1)) < 0.2
    assert y2 < y1 < y0, "more is higher up"


def test_what_is_below_the_floor_lies_on_it() -> None:
    zero = Line("zero", 1, ((1_000, 0.0), (10_000, 1.0)))
    circles = list(drawn(Panel("t", (zero,), 1)).iter(f"{SVG}circle"))
    assert len({circle.get("cy") for circle in circles}) == 1


def test_names_are_text_and_do_not_cover_one_another() -> None:
    lines = tuple(Line(f"<{number}>", number, ((500, 5.0), (5_000, 5.0 + number / 100))) for number in range(7))
    names = [text for text in drawn(Panel("t", lines, 0.1)).iter(f"{SVG}text") if (text.text or "").startswith("<")]
    heights = sorted(float(text.get("y", "")) for text in names)
    assert len(heights) == 7
    assert min(b - a for a, b in pairwise(heights)) >= 12.9


def test_a_panel_without_points_says_so() -> None:
    assert "nothing measured" in "".join(drawn(Panel("t", (Line("a", 0, ()),), 1)).itertext())


def test_it_can_be_read_on_a_dark_page_too() -> None:
    text = svg([Panel("t", (LINE,), 1)])
    light, dark = text.split("@media (prefers-color-scheme: dark)")
    for part in (light, dark):
        assert set(re.findall(r"\.s(\d) \{", part)) >= set("0123456")


def test_panels_stand_side_by_side_and_then_below() -> None:
    groups = drawn(*[Panel("t", (LINE,), 1)] * 3).iter(f"{SVG}g")
    assert [group.get("transform") for group in groups] == [
        "translate(0 0)",
        "translate(460 0)",
        "translate(0 300)",
    ]


def test_axes_name_numbers_shortly() -> None:
    assert [short(value) for value in (0.01, 1, 500, 20_000, 1_000_000)] == ["0.01", "1", "500", "20k", "1M"]
