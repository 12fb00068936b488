"""Which flows are new. Pure: the kernel says how long a flow has lasted, nothing has to be remembered.

Rules: a flow is new for so long, and at least in the first snapshot that has it. One whose beginning is not known is
never new, and neither is one that has ended.
"""

from typing import Final

from flowtop_client.view_state.state import ViewState
from flowtopd.wire.messages import View

NEW_S: Final = 3.0


def is_new(state: ViewState, index: int) -> bool:
    """Whether the row at `index` is a flow that has just begun."""
    if state.view is not View.FLOWS or state.snapshot is None:
        return False
    duration = state.value(index, "duration")
    longest = max(NEW_S, state.snapshot.status.pace)
    return duration is not None and duration < longest and not state.value(index, "closed")
