"""How groups look: their columns, their total, and what stands out among their cells."""

from typing import Any, Final

from flowtop_client.columns.column import Column
from flowtop_client.columns.groups import UNKNOWN_GROUPS, group_columns, total_row, whole_of
from flowtop_client.tui.tabs.tab import Look
from flowtop_client.view_state.state import ViewState


def _cell_style(column: Column, text: str) -> str:
    if text in column.blank or text in UNKNOWN_GROUPS:
        return "class:dim"
    if column.name in {"rate", "orig_rate", "reply_rate"}:
        return "class:dim" if text == "0" else "class:rate"
    if column.name == "share":
        return "class:share"
    return "class:name" if column.name == "group" else ""


def _columns(state: ViewState) -> tuple[Column, ...]:
    return group_columns(state.view, state.sort, names=state.names, geoip=state.geoip, hosts=bool(state.hosts))


def _whole(state: ViewState) -> float | None:
    return whole_of(state.snapshot.totals, state.sort) if state.snapshot else None


def _total(state: ViewState) -> list[Any] | None:
    return None if state.snapshot is None or state.outdated else total_row(state.snapshot)


GROUPS: Final = Look(_columns, _cell_style, _whole, _total)
