from dataclasses import replace

from bench.compare.cell import Cell, Keys, Tool
from bench.compare.limits import of_cells

SMALL = Cell(Tool.FLOWTOP, 1_000, 0, 1.0, 0.6, (44.0, 31.0), 0.24, Keys(100, 5, 29), shown=1_000, present=1_000, lost=0)
LARGE = replace(SMALL, flows=100_000, cpu_minute=29.0, memory=(90.0, 31.0))
CLASSIC = Cell(Tool.CLASSIC, 1_000, 0, 2.1, 3.0)


def verdicts(*cells: Cell) -> dict[str, bool | None]:
    return {line.what: line.good for line in of_cells(list(cells))}


def test_everything_within_its_limit_passes() -> None:
    found = verdicts(SMALL, LARGE, CLASSIC)
    assert set(found.values()) == {True}
    assert len(found) == 8


def test_each_limit_can_be_exceeded() -> None:
    small = replace(SMALL, cpu_minute=1.2, cpu_start=2.0, first_screen_s=0.26, memory=(46.0, 33.0))
    large = replace(LARGE, cpu_minute=31.0, memory=(200.0, 33.0), keys=Keys(100, 5, 31))
    assert set(verdicts(small, large, CLASSIC).values()) == {False}


def test_memory_of_a_flow_is_the_difference_of_two_tables() -> None:
    (line,) = [line for line in of_cells([SMALL, LARGE]) if "one more flow" in line.what]
    assert line.value == f"{(90 - 44) * 1024 * 1024 / 99_000:.0f} bytes"


def test_a_tool_that_has_not_started_in_time_has_used_what_it_used_so_far() -> None:
    reading = Cell(Tool.CLASSIC, 5_000, 0, 58.0, None, gave_up=True)
    found = verdicts(replace(SMALL, flows=5_000), reading)
    assert found["CPU of flowtopd + viewer / C flowtop at 5 000 flows, first minute with start-up"]


def test_the_largest_table_may_answer_keys_later() -> None:
    found = verdicts(LARGE, replace(LARGE, flows=250_000, keys=Keys(100, 5, 49)))
    assert found["key to changed screen at 250 000 flows, 99th percentile"]
    assert not verdicts(replace(LARGE, keys=Keys(100, 5, 49)))[
        "key to changed screen at 100 000 flows, 99th percentile"
    ]


def test_what_was_not_measured_has_no_line() -> None:
    assert of_cells([Cell(Tool.FLOWTOP, 1_000, 0, remark="failed")]) == []
