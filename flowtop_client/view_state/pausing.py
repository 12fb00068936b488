"""What stands still while its daemon goes and another one comes. Pure.

    paused ── the daemon is lost, and is back ──▶ severed ──▶ Space: on with the new daemon
      rows of one moment, kept by the daemon       └────────▶ more is wanted than is here: the same, with a notice

A daemon keeps the moment at which a viewer has paused; one that was started again knows nothing of it. So what is on
the screen stays what it was, and nothing of another moment is ever shown as paused.
"""

from dataclasses import replace
from typing import Final

from flowtop_client.view_state.act import Notice
from flowtop_client.view_state.state import ViewState, settled

GOING_ON: Final = "what was paused went with its daemon: going on"


def severed(state: ViewState) -> ViewState:
    """Whoever kept the moment that is shown keeps it no longer."""
    return replace(state, severed=True) if state.paused and state.snapshot is not None else state


def stands_alone(state: ViewState) -> bool:
    """Whether what comes from the daemon is of another moment than what is shown."""
    return state.paused and state.severed


def thawed(state: ViewState) -> ViewState:
    """Where what is paused lives here alone, and not all that belongs on the screen is here: on with the daemon."""
    if not stands_alone(state) or state.trouble or not (state.waiting or _lacks_details(state)):
        return state
    return settled(state, replace(state, paused=False, severed=False, notice=Notice(GOING_ON)))


def _lacks_details(state: ViewState) -> bool:
    return state.details is not None and state.details.detail is None and not state.details.gone
