import pytest

from bench.compare.cell import Cell, Tool, find, hopeless


def test_a_first_minute_has_the_start_in_it_and_then_the_steady_rest() -> None:
    assert Cell(Tool.CLASSIC, 1, 0, cpu_minute=6, cpu_start=10).first_minute == pytest.approx(10 + 6 * 50 / 60)
    assert Cell(Tool.CLASSIC, 1, 0, cpu_minute=6).first_minute is None


def test_who_gave_up_is_not_tried_with_more_flows_or_more_load() -> None:
    gave_up = Cell(Tool.CLASSIC, 5_000, 1_000, gave_up=True)
    cells = [Cell(Tool.CLASSIC, 1_000, 0), gave_up]
    assert hopeless(cells, Tool.CLASSIC, 5_000, 20_000) is gave_up
    assert hopeless(cells, Tool.CLASSIC, 20_000, 1_000) is gave_up
    assert hopeless(cells, Tool.CLASSIC, 20_000, 0) is None
    assert hopeless(cells, Tool.CLASSIC, 1_000, 20_000) is None
    assert hopeless(cells, Tool.IPTSTATE, 20_000, 20_000) is None


def test_a_cell_is_found_by_tool_size_and_load() -> None:
    cells = [Cell(Tool.LIST, 500, 0), Cell(Tool.LIST, 500, 1_000)]
    assert find(cells, Tool.LIST, 500, 1_000) is cells[1]
    assert find(cells, Tool.LIST, 1_000) is None
