import pytest

from flowtop_client.tui.widgets.line import line_width
from flowtop_client.tui.widgets.tab_bar import tab_bar

TITLES = ("Flows", "Processes", "Devices", "Hosts")


@pytest.mark.parametrize(
    ("width", "text"),
    [
        (60, "1 Flows  2 Processes  3 Devices  4 Hosts"),
        (40, "1 Flows  2 Processes  3 Devices  4 Hosts"),
        (39, "1Flows 2Processes 3Devices 4Hosts"),
        (30, "1Flow 2Processes 3Devi 4Host"),
        (20, "1 2Processes 3 4"),
        (8, "1 2Proc…"),
    ],
)
def test_a_narrow_bar_says_less_and_the_current_tab_to_the_last(width: int, text: str) -> None:
    line = tab_bar(TITLES, 1, width)
    assert "".join(part for _, part in line) == text
    assert line_width(line) <= width
    assert [part for style, part in line if style == "class:tab.current"] == (["Processes"] if width > 8 else ["Proc…"])
