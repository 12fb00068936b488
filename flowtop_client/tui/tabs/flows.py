"""How flows look: their columns, and what stands out among their cells."""

from typing import Final

from flowtop_client.columns.column import Column
from flowtop_client.columns.flows import flow_columns
from flowtop_client.tui.tabs.tab import Look
from flowtop_client.view_state.state import ViewState

_OPENING: Final = frozenset({"SYN_SENT", "SYN_SENT2", "SYN_RECV", "REQUEST", "RESPOND", "COOKIE_WAIT", "COOKIE_ECHOED"})
_CLOSING: Final = frozenset(
    {
        "FIN_WAIT",
        "CLOSE_WAIT",
        "LAST_ACK",
        "TIME_WAIT",
        "CLOSE",
        "CLOSED",
        "CLOSEREQ",
        "CLOSING",
        "TIMEWAIT",
        "SHUTDOWN_SENT",
        "SHUTDOWN_RECD",
        "SHUTDOWN_ACK_SENT",
    }
)


def _cell_style(column: Column, text: str) -> str:
    if text in column.blank or text in _CLOSING:
        return "class:dim"
    if column.name == "state" and text in _OPENING:
        return "class:state.opening"
    if column.name in {"rate", "orig_rate", "reply_rate"}:
        return "class:dim" if text == "0" else "class:rate"
    return "class:name" if column.name in {"address", "process", "device"} else ""


def _columns(state: ViewState) -> tuple[Column, ...]:
    return flow_columns(source=state.source, names=state.names, geoip=state.geoip, hosts=bool(state.hosts))


FLOWS: Final = Look(_columns, _cell_style, whole=lambda _state: None, total=lambda _state: None)
