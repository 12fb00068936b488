from dataclasses import replace

import pytest
from prompt_toolkit.utils import get_cwidth

from flowtop_client.columns.meanings import all_columns
from flowtop_client.tui.column_page import column_page
from flowtop_client.view_state.column_choice import begun, moved, toggled
from flowtop_client.view_state.state import ViewState
from flowtopd.wire.messages import View


def page(view: View, width: int, height: int, at: int = 0) -> list[str]:
    choice = begun(tuple((column.name, True) for column in all_columns(view)), ())
    choice = toggled(moved(choice, at))
    state = replace(ViewState(), view=view, host="例" * 40, chooser=choice)
    return ["".join(text for _, text in line) for line in column_page(state, choice, width, height)]


@pytest.mark.parametrize("view", View)
def test_no_page_of_any_size_has_a_line_too_many_or_too_wide(view: View) -> None:
    for width in (*range(1, 100, 3), 60, 80, 120, 200, 300):
        for height in (1, 2, 3, 8, 24, 60):
            lines = page(view, width, height, at=5)
            assert len(lines) <= height
            assert max(map(get_cwidth, lines)) <= width


def test_every_column_can_be_brought_into_view_with_what_it_means() -> None:
    for at, column in enumerate(all_columns(View.FLOWS)):
        assert any(line.startswith(f" [ ] {column.title} ") for line in page(View.FLOWS, 80, 10, at)), column.title
    assert page(View.PROCESSES, 80, 24)[1].split(maxsplit=3)[-1] == "what the row is about" + " " * 43
