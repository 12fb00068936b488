"""Opening the details of a flow, following it, and going back to the same place. Pure."""

from dataclasses import replace

from flowtop_client.view_state.details_page import DetailsPage, answered, scrolled
from flowtop_client.view_state.pausing import stands_alone
from flowtop_client.view_state.state import ViewState, changed
from flowtop_client.view_state.tabs import Move, back, opened, stepped_out
from flowtopd.wire.messages import Detail, View


def looked_at(state: ViewState) -> ViewState:
    """The details of the selected flow. Where the rows are not those that were asked for, nothing can be meant."""
    flow = state.pinned if state.selected is None else state.key(state.cursor)
    if flow is None or state.outdated:
        return state
    return changed(state, details=DetailsPage(flow), pinned=flow)


def looked_away(state: ViewState) -> ViewState:
    """Back to the rows; what is being asked about the flow is not meant any more."""
    return changed(state, details=None, act=state.act if state.act and state.act.sent else None)


def entered(state: ViewState) -> ViewState:
    """Into what is selected: the flows of a group, or the details of a flow; and back from those."""
    if state.details is not None:
        return looked_away(state)
    return looked_at(state) if state.view is View.FLOWS else opened(state)


def went_back(state: ViewState) -> ViewState:
    """Out of the details, else out of a group."""
    return back(state) if state.details is None else looked_away(state)


def left_page(state: ViewState) -> ViewState:
    """Without the page that is over the rows, the help or the details; the very same where there is none."""
    if state.help is not None:
        return changed(state, help=None)
    return state if state.details is None else looked_away(state)


def left(state: ViewState) -> ViewState:
    """One step out of what is open, the innermost first."""
    page = left_page(state)
    return stepped_out(state) if page is state else page


def scrolling(lines: int = 0, pages: int = 0) -> Move:
    """So many lines and pages further in the details."""

    def move(state: ViewState) -> ViewState:
        page = state.details
        return state if page is None else changed(state, details=scrolled(page, page.line + lines + pages * page.page))

    return move


def at_end(state: ViewState) -> ViewState:
    """The last lines of the details."""
    return state if state.details is None else changed(state, details=scrolled(state.details, state.details.limit))


def at_begin(state: ViewState) -> ViewState:
    """The first lines of the details."""
    return state if state.details is None else changed(state, details=scrolled(state.details, 0))


def detailed(state: ViewState, detail: Detail) -> ViewState:
    """The daemon told about a flow."""
    if state.details is None or stands_alone(state):
        return state
    return changed(state, details=answered(state.details, detail))


def watched(state: ViewState) -> str:
    """The flow that is asked about; none is empty."""
    return "" if state.details is None or state.details.gone else state.details.id


def asked_anew(state: ViewState) -> ViewState:
    """Another place of a recording may have a flow that was gone."""
    if state.details is None or not state.details.gone:
        return state
    return changed(state, details=replace(state.details, gone=False))
