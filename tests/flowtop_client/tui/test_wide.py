"""Wide and combining characters in every view, at every width: no line is broken, no column moves."""

from dataclasses import replace
from typing import Any

import pytest
from prompt_toolkit.utils import get_cwidth

from flowtop_client.columns.meanings import all_columns
from flowtop_client.tui.key_bindings import HELP
from flowtop_client.tui.layout import new_tab, regions, screen
from flowtop_client.tui.widgets.canvas import Cells
from flowtop_client.view_state.moves import MOVES, Action, fitted, received
from flowtop_client.view_state.place import VIEWS
from flowtopd.wire.messages import View
from tests.flowtop_client.scripted_daemon import flow
from tests.flowtop_client.states import answer, with_rows

WIDTHS = (60, 80, 120, 200, 300)

ODD = (
    "例えば" * 20,
    "e\u0301" * 40,
    "한국어" * 9,
    "👩\u200d👩\u200d👧",
    "ﷺ" * 9,
    "a\u0300\u0301\u0302",
    "\uff46\uff55\uff4c\uff4c",
    "\u202eltr",
    "\x1b[2J",
)


def odd_flows() -> list[dict[str, Any]]:
    return [
        flow(
            number,
            duration=float(number),
            process=name,
            pid=number,
            user=name,
            unit=name,
            container=name,
            device=name,
            device_vendor=name,
            device_mac=f"02:00:00:00:00:{number:02x}",
            dst_name=name,
            src_name=name,
            dst_city=name,
            dst_country="JP",
            dst_org=name,
            dst_asn=number,
            service=name,
            service_port=443,
            service_by="known",
        )
        for number, name in enumerate(ODD * 3, 1)
    ]


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("view", View)
@pytest.mark.parametrize("chosen", [False, True], ids=["automatic", "chosen"])
def test_no_line_is_broken_by_any_character(view: View, width: int, chosen: bool) -> None:
    choices = tuple(tuple(column.name for column in all_columns(each))[::-1] if chosen else () for each in VIEWS)
    state = replace(with_rows(1, page=20), choices=choices, source=True)
    state = MOVES[Action(view)](state)
    state = received(state, answer(state, odd_flows(), seq=9))
    tab = new_tab()
    for skipped in range(3):
        page = regions(24, state).page
        sorts, limit = tab.fit(state, width, page)
        state = fitted(replace(state, skipped=skipped), page=page, sort_choices=sorts, scroll_limit=limit)
        tab.fit(state, width, page)
        lines = screen(state, tab, HELP, width, 24, now=0.0)
        assert len(lines) == 24
        for line in lines:
            text = "".join(part for _, part in line)
            assert sum(map(get_cwidth, text)) <= width
            assert text.isprintable()
            cells = Cells(line)
            assert all(at + cells[at].width <= width for at in list(cells.keys()))
        titles = "".join(text for _, text in tab.titles(state))
        assert sum(map(get_cwidth, titles)) == width
