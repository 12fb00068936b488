"""Text from outside, in every field of every view: on no screen, in no output of a viewer is it what it was.

What a daemon says is text of strangers: names of programs, devices, addresses, places, recordings, and errors.
"""

import csv
import io
import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parsed_metrics

from flowtop_client.batch import Refused
from flowtop_client.columns.meanings import all_columns
from flowtop_client.formats import Format
from flowtop_client.openmetrics import BREAKDOWNS, Group, openmetrics
from flowtop_client.tui.tabs.details import detail_lines, details_text
from flowtop_client.view_state.act import Act, Deed
from flowtop_client.view_state.acting import acted, noticed
from flowtop_client.view_state.looking import detailed
from flowtop_client.view_state.moves import MOVES, Action, complained, connected, lost, received
from flowtop_client.view_state.place import VIEWS, Crumb
from flowtop_client.view_state.state import ViewState, query_for
from flowtop_client.view_state.taping import begun, grown
from flowtop_client.writers import CsvWriter, JsonWriter, TextWriter, Writer, writer_for
from flowtopd.wire.errors import ErrorCode
from flowtopd.wire.fields import DETAIL_FIELDS, END_FIELDS, ENDS, FLOW_FIELDS, GROUP_FIELDS, VIEW_FIELDS, Kind
from flowtopd.wire.messages import Detail, Error, Replay, Snapshot, Totals, View
from tests.flowtop_client.scripted_daemon import STATUS
from tests.flowtop_client.states import FIELDS
from tests.flowtop_client.tui.test_layout import drawn

KINDS = {field.name: field.kind for field in (*FLOW_FIELDS, *GROUP_FIELDS, *DETAIL_FIELDS, *END_FIELDS)}
HOSTILE = (
    "\x1b]0;pwned\x07\x1b[2J\x1b[31m",
    "a\nb\rc\td\x0be\x00f\x7fg\x85h\u2028i\u2029j",
    "\u202egnp.exe\u2066\u2069\u061c",
    "pay\u200bpal\u200d\u2060\ufeff",
    "\ud800\udcff lone",
    "\x9b31m\x90q\x9c",
    "=cmd|' /C calc'!A0",
    'a"b,c\\d\'{}="x"',
    "x" * 5000,
    "例" * 500 + "\u0301" * 50,
    "\U000e0041\U0010ffff\uffff",
)
TEXTS = st.sampled_from(HOSTILE) | st.text(
    st.characters() | st.sampled_from("\x1b\x07\n\r\t\0\x7f\x9b\u202e\u200b\ud800=+-@\",'\\{}")
)


def value(name: str, text: str) -> Any:
    """What a field holds when whoever fills it may say anything."""
    match KINDS[name]:
        case Kind.TEXT:
            return text
        case Kind.LIST:
            return [text, "confirmed"]
        case Kind.BOOL:
            return False
        case kind:
            return 7 if kind is Kind.INT else 1.5


def snapshot(view: View, text: str, fields: tuple[str, ...] = (), **more: Any) -> Snapshot:
    """Three rows of nothing but that text."""
    fields = fields or VIEW_FIELDS[view]
    key = "id" if view is View.FLOWS else "key"
    rows = [[f"{number}{text}" if name == key else value(name, text) for name in fields] for number in range(3)]
    status = replace(STATUS, flows=3, matched=3)
    return Snapshot(1000, 1, 1e9, 1.0, view, status, Totals(1.0, 2.0, 3, 4), fields, 0, rows, **more)


def detail(flow_id: str, text: str) -> Detail:
    flow = {field.name: value(field.name, text) for field in (*FLOW_FIELDS, *DETAIL_FIELDS)} | {"id": flow_id}
    ends = {end: {field.name: value(field.name, text) for field in END_FIELDS} for end in ENDS}
    return Detail(flow_id, flow | {"nat": "both", "direction": "outbound"}, ends, [[1.0, 2.0, 3.0], [2.0, 3.0, None]])


def looking(view: View, text: str) -> ViewState:
    """A viewer with that text in all its rows, and with every column that there is."""
    chosen = tuple(tuple(column.name for column in all_columns(each)) for each in VIEWS)
    state = replace(ViewState(fields=FIELDS), view=view, page=10, choices=chosen)
    fields = query_for(state).fields or VIEW_FIELDS[view]
    return received(connected(state, text, ("act", text)), snapshot(view, text, fields))


def states(text: str) -> list[ViewState]:
    """All the ways in which that text can come to a screen."""
    flows = looking(View.FLOWS, text)
    opened = MOVES[Action.OPEN](flows)
    assert opened.details is not None
    details = detailed(opened, detail(opened.details.id, text))
    replay = Replay(1.0, 2.0, 1.0, paused=False, ended=True, trouble=text)
    return [
        *(looking(view, text) for view in View),
        details,
        MOVES[Action.DELETE](details),
        MOVES[Action.END_FLOW](flows),
        lost(flows, text),
        complained(flows, text),
        noticed(flows, text),
        acted(replace(flows, act=Act(Deed.KILL, "1", text, sent=True)), text, good=False),
        grown(begun(flows, text), 5, text),
        replace(flows, path=(Crumb(View.NETWORKS, text, "", "", flows.places),)),
        replace(flows, filter=text, warnings=(text,)),
        received(flows, snapshot(View.FLOWS, text, flows.fields, replay=replay)),
        replace(received(flows, replace(snapshot(View.FLOWS, text, flows.fields), rows=[])), total=0),
    ]


def written(writer: Writer, out: io.StringIO, part: Snapshot) -> str:
    writer.begin(part)
    writer.rows(part)
    writer.end()
    return out.getvalue()


@settings(max_examples=25, deadline=None)  # twenty states, three sizes each
@given(TEXTS)
@example("\x1b[31m\n\u202e\ud800")
def test_no_screen_has_anything_that_a_terminal_would_obey(text: str) -> None:
    for state in states(text):
        for width, height in ((80, 24), (300, 50), (40, 5)):
            for line in drawn(state, width, height):
                assert line.isprintable(), (ascii(line), state.view)


@given(TEXTS)
def test_what_is_copied_is_clean_too(text: str) -> None:
    """It will be pasted into a shell, where a line end is a command."""
    page = MOVES[Action.OPEN](looking(View.FLOWS, text))
    assert page.details is not None
    state = detailed(page, detail(page.details.id, text))
    assert state.details is not None
    for line in details_text(detail_lines(state, state.details, 100)).splitlines():
        assert line.isprintable()


@given(st.sampled_from(list(View)), TEXTS, st.sampled_from([None, 80]))
def test_the_table_as_text_is_clean_and_has_a_line_a_row(view: View, text: str, width: int | None) -> None:
    out = io.StringIO()
    state = ViewState(view=view, source=True)
    lines = written(TextWriter(out, state, width), out, snapshot(view, text)).split("\n")
    assert len(lines) == 5  # titles, three rows, and what is behind the last line end
    assert all(line.isprintable() for line in lines)


@given(st.sampled_from(list(View)), TEXTS)
def test_csv_is_clean_and_no_cell_is_a_formula(view: View, text: str) -> None:
    out = io.StringIO()
    lines = written(CsvWriter(out), out, snapshot(view, text)).split("\n")
    assert len(lines) == 5
    assert all(line.isprintable() for line in lines)
    rows = list(csv.reader(lines[1:4]))
    assert {len(row) for row in rows} == {len(VIEW_FIELDS[view])}
    cells = [cell for row in rows for cell in row]
    assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")) for cell in cells)  # noqa: RUF001


@given(st.sampled_from(list(View)), TEXTS)
def test_json_is_ascii_on_one_line_and_exact(view: View, text: str) -> None:
    out = io.StringIO()
    part = snapshot(view, text)
    line = written(JsonWriter(out, text), out, part)
    assert line.isascii()
    assert line[:-1].isprintable()
    assert line[-1] == "\n"
    told = json.loads(line)
    rows = told["flows" if view is View.FLOWS else "groups"]
    if text.isascii():  # two lone surrogates are one character to JSON
        assert told["host"] == text
        assert rows == [dict(zip(part.fields, row, strict=True)) for row in part.rows]
    assert len(rows) == 3


@given(TEXTS)
@example('\x1b[31m\n"\\')
def test_metrics_are_clean_and_can_be_read(text: str) -> None:
    groups: dict[View, list[Group]] = {}
    for breakdown in BREAKDOWNS:
        part = snapshot(breakdown.view, text)
        groups[breakdown.view] = [dict(zip(part.fields, row, strict=True)) for row in part.rows]
    told = openmetrics(text, snapshot(View.FLOWS, text), groups)
    assert all(line.isprintable() for line in told.split("\n"))
    assert "flowtop_device_flows" in [family.name for family in parsed_metrics(told)]


@given(TEXTS)
def test_a_refusal_of_the_daemon_is_clean(text: str) -> None:
    assert str(Refused(Error(ErrorCode.FILTER, text, 0))).isprintable()


def test_there_is_a_writer_of_every_format() -> None:
    """One that is added is to be tested here."""
    made = {form: writer_for(form, io.StringIO(), ViewState(), host="", width=None) for form in Format}
    assert {type(one) for one in made.values()} == {JsonWriter, CsvWriter, TextWriter}


@pytest.mark.parametrize("text", HOSTILE)
def test_these_texts_would_do_harm(text: str) -> None:
    """Otherwise the tests above say nothing."""
    harmless = text.isprintable() and len(text) < 500 and not text.startswith("=") and '"' not in text
    assert not harmless
