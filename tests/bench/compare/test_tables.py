from bench.compare.cell import Cell, Keys, Tool
from bench.compare.tables import absolute_tables, memory, panels, ratio_table

CELLS = [
    Cell(Tool.FLOWTOP, 1_000, 0, 2.0, 0.6, (53.0, 35.5), 0.24, Keys(40, 3.14, 12.5), 1_000, 1_000, 0),
    Cell(Tool.CLASSIC, 1_000, 0, 5.0, 2.7, (4.0,), 0.1, shown=640, present=643, remark="TCP alone"),
    Cell(Tool.CLASSIC, 20_000, 0, remark="not run"),
    Cell(Tool.FLOWTOP, 1_000, 20_000, 20.0),
]


def cells_of(line: str) -> list[str]:
    return [part.strip() for part in line.strip().strip("|").split("|")]


def test_ratios_are_to_flowtop_on_the_same_ground() -> None:
    _, _, first, *_ = ratio_table(CELLS).splitlines()
    assert cells_of(first)[:4] == ["1 000", "idle", "-", "2.50"]


def test_what_was_not_measured_is_a_dash_and_never_a_zero() -> None:
    lines = absolute_tables(CELLS).splitlines()
    (row,) = [line for line in lines if line.startswith("| 20 000")]
    assert cells_of(row) == ["20 000", "C flowtop -n -G", *["-"] * 8, "not run"]


def test_a_row_says_everything_of_a_cell() -> None:
    lines = absolute_tables(CELLS).splitlines()
    rows = [cells_of(line) for line in lines if "flowtop, 1 viewer" in line]
    assert rows[0][2:10] == ["2.00", "0.60", "53.0 + 35.5", "0.24", "3.1", "12.5", "1 000 / 1 000", "0"]


def test_each_load_has_a_table_under_its_own_title() -> None:
    titles = [line for line in absolute_tables(CELLS).splitlines() if line.startswith("#")]
    assert titles == ["### Idle", "### 20 000 new flows a second"]


def test_memory_of_many_viewers_is_said_once() -> None:
    assert memory((50.0, 30.0, 32.0)) == "50.0 + 2 x 31.0"
    assert memory(()) == "-"


def test_a_tool_has_the_same_colour_in_every_panel() -> None:
    colours = {(line.name, line.colour) for panel in panels(CELLS) for line in panel.lines}
    assert len(colours) == len({name for name, _ in colours}) == len(Tool)


def test_panels_have_only_points_that_were_measured() -> None:
    idle = panels(CELLS)[0]
    points = {line.name: line.points for line in idle.lines}
    assert points[Tool.CLASSIC] == ((1_000, 5.0),)
    assert points[Tool.LIST] == ()
