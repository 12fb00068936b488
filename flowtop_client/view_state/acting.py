"""Ending flows: the question, the user's answer and the daemon's. Pure.

Rules: nothing is done without a `y`. Who has no right is told so, and why. One deed is under way at a time. What is
asked names the flow by its id, which no other flow has.
"""

from dataclasses import replace
from typing import Any, Final

from flowtop_client.humanize import UNKNOWN, clean, endpoint
from flowtop_client.several import HOST_FIELD
from flowtop_client.view_state.act import Act, Deed, Notice
from flowtop_client.view_state.state import ViewState, changed
from flowtopd.wire.messages import Delete, Kill, Right, View

NO_RIGHT: Final = "only root and the daemon's admin group end flows ([access] admin_group)"
NO_KERNEL: Final = "this is a recording: nothing in it can be ended"
NO_FLOW: Final = "x and X are for a flow: Enter opens the flows of a group"
UNDER_WAY: Final = "the daemon is still busy with the last one"
GONE: Final = "this flow is gone already"
ELSEWHERE: Final = "the selected flow is not on the screen: select one that is"

_MESSAGES: Final = {Deed.DELETE: Delete, Deed.KILL: Kill}


def noticed(state: ViewState, text: str, *, good: bool = True) -> ViewState:
    """With this line for some seconds."""
    return changed(state, notice=Notice(text, good))


def unnoticed(state: ViewState) -> ViewState:
    """It was there for long enough."""
    return changed(state, notice=None)


def ending(state: ViewState) -> ViewState:
    """Ask the user whether the flow of the details, else the selected one, shall end.

    A TCP connection of the daemon's machine is closed; what has its sockets elsewhere, or is no TCP, loses its entry.
    """
    flow = _meant(state) or {}
    local = flow.get("proto") == "tcp" and flow.get("direction") != "forwarded"
    return _asked(state, Deed.KILL if local else Deed.DELETE)


def deleting(state: ViewState) -> ViewState:
    """Ask the user whether the entry of that flow shall be deleted, whatever has its sockets."""
    return _asked(state, Deed.DELETE)


def _asked(state: ViewState, deed: Deed) -> ViewState:
    flow = _meant(state)
    reason = _against(state, flow)
    if reason:
        return noticed(state, reason, good=False)
    name = state.key(state.cursor) if state.details is None else state.details.id
    if flow is None or name is None:
        return state
    return changed(state, act=Act(deed, name, called(flow)), notice=None)


def _meant(state: ViewState) -> dict[str, Any] | None:
    """The values of the flow that is meant, as far as they are here."""
    if state.details is not None:
        return state.details.detail.flow if state.details.detail else None
    row = None if state.selected is None else state.row(state.cursor)
    if row is None or state.snapshot is None or state.outdated or state.view is not View.FLOWS:
        return None
    return dict(zip(state.snapshot.fields, row, strict=True))


def _may(state: ViewState, flow: dict[str, Any] | None) -> tuple[str, ...]:
    """What this viewer may do at the host of the flow, where there are several; else at all."""
    at = None if flow is None else flow.get(HOST_FIELD)
    return next((host.may for host in state.hosts if host.name == at), state.may)


def _against(state: ViewState, flow: dict[str, Any] | None) -> str:
    """Why this cannot be done; empty where it can be asked for."""
    if state.snapshot is not None and state.snapshot.replay is not None:
        return NO_KERNEL
    if Right.ACT not in _may(state, flow):
        return NO_RIGHT
    if state.details is None and state.view is not View.FLOWS:
        return NO_FLOW
    if state.act is not None:
        return UNDER_WAY
    if flow is None:
        return ELSEWHERE if state.details is None and state.selected is None else ""
    if flow.get("closed") or (state.details is not None and state.details.gone):
        return GONE
    return ""


def called(flow: dict[str, Any]) -> str:
    """How a flow is called in a line: `tcp 10.0.0.1:40001 > 192.0.2.2:443, firefox[4711]`."""
    ends = [endpoint(flow.get(address), flow.get(port)) for address, port in (("src", "sport"), ("dst", "dport"))]
    name = f"{clean(str(flow.get('proto') or UNKNOWN))} {ends[0]} > {ends[1]}"
    process, host = flow.get("process"), flow.get(HOST_FIELD)
    name = f"{name}, {clean(process)}[{flow.get('pid') or UNKNOWN}]" if process else name
    return f"{clean(host)}: {name}" if host else name


def confirmed(state: ViewState) -> ViewState:
    """The user means it: the daemon is asked."""
    act = state.act
    if act is None or act.sent:
        return state
    if state.trouble:
        return changed(state, act=None, notice=Notice("there is no daemon to ask", good=False))
    return changed(state, act=replace(act, sent=True), orders=(*state.orders, _MESSAGES[act.deed](act.id)))


def refrained(state: ViewState) -> ViewState:
    """The user does not mean it."""
    return state if state.act is None or state.act.sent else changed(state, act=None)


def acted(state: ViewState, text: str, *, good: bool) -> ViewState:
    """The daemon's answer."""
    return changed(state, act=None, notice=Notice(clean(text), good))
