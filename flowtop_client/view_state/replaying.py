"""Moving in a recording, which all viewers of its daemon see. Pure; a viewer of a kernel is told that it has none."""

from typing import Final

from flowtop_client.view_state.acting import noticed
from flowtop_client.view_state.looking import asked_anew
from flowtop_client.view_state.state import ViewState, changed
from flowtop_client.view_state.tabs import Move
from flowtopd.wire.messages import Replay, Seek

STEP_S: Final = 10.0
NO_RECORDING: Final = "[ and ] move in a recording: this is the kernel, now"


def replay_of(state: ViewState) -> Replay | None:
    """Where in a recording this is; None where it is none."""
    return None if state.snapshot is None else state.snapshot.replay


def seeking(seconds: float) -> Move:
    """So far in the recording, or back below 0."""

    def move(state: ViewState) -> ViewState:
        if replay_of(state) is None:
            return noticed(state, NO_RECORDING, good=False)
        return asked_anew(changed(state, orders=(*state.orders, Seek(seconds=seconds))))

    return move


def paused(state: ViewState) -> ViewState:
    """Stand still or go on: the recording itself, else this viewer alone."""
    replay = replay_of(state)
    if replay is None:
        return changed(state, paused=not state.paused, severed=False)
    return changed(state, orders=(*state.orders, Seek(paused=not replay.paused)))
