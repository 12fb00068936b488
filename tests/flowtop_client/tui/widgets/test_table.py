from prompt_toolkit.utils import get_cwidth

from flowtop_client.columns.column import Column, Row, Units, needed_fields
from flowtop_client.columns.flows import flow_columns
from flowtop_client.tui.widgets.line import Line
from flowtop_client.tui.widgets.table import Table
from tests.flowtop_client.scripted_daemon import Flow, flow

COLUMNS = flow_columns()
FIELDS = needed_fields(COLUMNS)


def rows(*flows: Flow) -> dict[int, Row]:
    return {index: [each[name] for name in FIELDS] for index, each in enumerate(flows)}


def text(line: Line) -> str:
    return "".join(part for _, part in line)


class Counted:
    """A style for every cell, and how often it was asked for one."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, column: Column, text: str) -> str:
        self.calls += 1
        return f"class:{column.name}" if text else ""


def table(width: int = 80) -> tuple[Table, Counted]:
    style = Counted()
    return Table(COLUMNS, width, style), style


def test_titles_and_rows_stand_in_the_same_columns() -> None:
    made, _ = table()
    made.show(rows(flow(1, process="firefox", pid=42)), FIELDS, Units(), "tick 1", 0)
    titles, row = text(made.titles("rate", "▼")), text(made.line(0))
    assert titles.index("PROTO") == row.index("tcp")
    assert titles.index("ADDRESS") == row.index("192.0.2.2")
    assert titles.index("PORT") + 4 == row.index("443") + 3
    assert get_cwidth(titles) == 80  # the line of titles is drawn to the edge


def test_the_same_rows_are_formatted_once() -> None:
    made, style = table()
    shown = rows(flow(1), flow(2))
    made.show(shown, FIELDS, Units(), "tick 1", 0)
    first = made.line(0)
    calls = style.calls
    made.show(shown, FIELDS, Units(), "tick 1", 0)
    assert made.line(0) is first
    assert style.calls == calls


def test_rows_of_another_tick_are_formatted_anew() -> None:
    made, _ = table()
    made.show(rows(flow(1, dport=80)), FIELDS, Units(), "tick 1", 0)
    assert " 80 " in text(made.line(0))
    made.show(rows(flow(1, dport=81)), FIELDS, Units(), "tick 2", 0)
    assert " 81 " in text(made.line(0))


def test_columns_stand_still_when_wide_rows_are_gone() -> None:
    made, _ = table(100)
    made.show(rows(flow(1, dst_name="a-rather-long-name.example.com")), FIELDS, Units(), "tick 1", 0)
    titles = text(made.titles("rate", "▼"))
    made.show(rows(flow(1)), FIELDS, Units(), "tick 2", 0)
    assert text(made.titles("rate", "▼")) == titles


def test_a_column_appears_with_its_first_value_and_stays() -> None:
    made, _ = table(100)
    made.show(rows(flow(1, attribution="forwarded")), FIELDS, Units(), "tick 1", 0)
    assert "PROCESS" in text(made.titles("rate", "▼"))
    assert "DEVICE" not in text(made.titles("rate", "▼"))
    made.show(rows(flow(1, attribution="forwarded", device="tv")), FIELDS, Units(), "tick 2", 0)
    assert text(made.titles("rate", "▼")).startswith("DEVICE ")
    titles = text(made.titles("rate", "▼"))
    made.show(rows(flow(1, attribution="forwarded")), FIELDS, Units(), "tick 3", 0)
    assert text(made.titles("rate", "▼")) == titles
    made.show(rows(flow(1, process="sshd", pid=1)), FIELDS, Units(), "tick 4", 0)
    assert text(made.titles("rate", "▼")).startswith("PROCESS ")
    assert "DEVICE" in text(made.titles("rate", "▼"))


def test_columns_that_are_not_worth_a_look_are_not_scrolled_over() -> None:
    made, _ = table(60)
    for skipped, first in enumerate(["PROTO", "PROTO", "PROTO", "STATE", "TIME"]):
        made.show(rows(flow(1, process="firefox", pid=42)), FIELDS, Units(), "tick 1", skipped)
        assert text(made.titles("rate", "▼")).split()[0] == first


def test_a_selected_row_has_one_style_to_the_edge() -> None:
    made, _ = table()
    made.show(rows(flow(1)), FIELDS, Units(), "tick 1", 0)
    ((style, shown),) = made.line(0, "class:cursor")
    assert style == "class:cursor"
    assert get_cwidth(shown) == 80


def test_skipped_columns_are_gone_and_their_sort_fields_too() -> None:
    made, _ = table(60)
    made.show(rows(flow(1, process="firefox", pid=42)), FIELDS, Units(), "tick 1", 0)
    assert made.scroll_limit > 2
    made.show(rows(flow(1, process="firefox", pid=42)), FIELDS, Units(), "tick 1", 3)
    assert "PROTO" not in text(made.titles("rate", "▼"))
    assert "proto" not in made.sort_choices
    made.show(rows(flow(1, process="firefox", pid=42)), FIELDS, Units(), "tick 1", 99)
    assert "←RATE" in text(made.titles("rate", "▼"))
