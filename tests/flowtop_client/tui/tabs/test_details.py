from dataclasses import replace

import pytest
from prompt_toolkit.utils import get_cwidth

from flowtop_client.tui.tabs.details import detail_lines, details_text
from flowtop_client.view_state.details_page import DetailsPage, answered
from flowtop_client.view_state.state import ViewState
from flowtopd.wire.fields import ENDS
from flowtopd.wire.messages import Detail
from tests.flowtop_client.scripted_daemon import flow
from tests.flowtop_client.scripted_details import HISTORY, LOCAL, NATTED, detail_of, end

LONG = "例" * 90 + "x" * 200
WIDE = Detail(
    "1",
    flow(1, nat="both", src=LONG, dst=LONG, reply_src=LONG, reply_dst=LONG, process=LONG, status=[LONG]),
    {name: end(LONG, name=LONG, org=LONG, device=LONG) for name in ENDS},
    HISTORY,
)
UNCOUNTED = replace(detail_of(NATTED), history=[])


def drawn(detail: Detail | None, width: int, *, plain: bool = False, gone: bool = False) -> list[str]:
    page = DetailsPage("1" if detail is None else detail.id)
    page = page if detail is None else answered(page, detail)
    lines = detail_lines(ViewState(plain=plain), replace(page, gone=gone), width)
    return ["".join(text for _, text in line) for line in lines]


@pytest.mark.parametrize("detail", [detail_of(NATTED), detail_of(LOCAL), WIDE, UNCOUNTED, None])
@pytest.mark.parametrize("gone", [False, True])
def test_no_line_of_any_width_is_too_wide(detail: Detail | None, gone: bool) -> None:
    for width in (*range(1, 140, 3), 60, 80, 109, 110, 111, 200, 300):
        lines = drawn(detail, width, gone=gone)
        assert lines
        assert max(map(get_cwidth, lines)) <= width, width


def test_the_path_is_drawn_beside_one_another_or_below() -> None:
    wide, narrow = drawn(detail_of(NATTED), 80), drawn(detail_of(NATTED), 50)
    assert wide[3] == "  192.168.1.11:40001 ─▶ 203.0.113.1:40001 ─▶ 1.1.1.1:443"
    assert narrow[1:4] == [
        "     192.168.1.11:40001  source: laptop",
        "  └▶ 203.0.113.1:40001  seen as: this host",
        "  └▶ 1.1.1.1:443  destination: one.one.one.one",
    ]


def test_both_rates_are_drawn_with_their_maximum_and_their_time() -> None:
    lines = drawn(detail_of(NATTED), 80)
    assert "Rate original  now 0 B/s  at most 190 kB/s" in lines
    assert "Rate reply  now 1.00 MB/s  at most 1.00 MB/s" in lines
    assert [line.split() for line in lines].count(["1m", "ago", "now"]) == 2
    assert any("█" in line for line in lines)


def test_a_terminal_with_nothing_but_ascii_gets_nothing_else() -> None:
    for width in (50, 80, 200):
        assert all(line.isascii() for line in drawn(detail_of(NATTED), width, plain=True))
    assert drawn(None, 80, plain=True) == ["waiting for the details..."]


def test_a_flow_that_is_not_counted_and_one_that_is_gone_say_so() -> None:
    assert "  not known: the kernel does not count this flow" in drawn(UNCOUNTED, 80)
    assert drawn(detail_of(NATTED), 80, gone=True)[0].startswith("This flow is gone")
    assert drawn(None, 80, gone=True)[0] == "This flow is gone  nothing is known of it"


def test_the_text_for_the_clipboard_has_all_of_it() -> None:
    page = answered(DetailsPage("1"), detail_of(NATTED))
    text = details_text(detail_lines(ViewState(), page, 80))
    assert text.startswith("Path\n  source")
    assert "  reply       1.1.1.1:443 > 203.0.113.1:40001\n" in text
    assert not any(line != line.rstrip() for line in text.splitlines())
