"""The recording that a viewer writes, as its screen tells about it. Pure."""

from dataclasses import replace

from flowtop_client.humanize import count, size
from flowtop_client.view_state.act import Notice, Tape
from flowtop_client.view_state.state import ViewState, changed


def begun(state: ViewState, name: str) -> ViewState:
    """A recording begins in the file of this name."""
    return changed(state, tape=Tape(name), notice=Notice(f"recording into {name}: R ends it"))


def grown(state: ViewState, size_bytes: int, trouble: str) -> ViewState:
    """It has come so far."""
    if state.tape is None:
        return state
    return changed(state, tape=replace(state.tape, size_bytes=size_bytes, trouble=trouble))


def over(state: ViewState, samples: int, size_bytes: int, why: str) -> ViewState:
    """It is at its end; `why` is empty where that was meant."""
    if state.tape is None:
        return state
    said = f"recorded {count(samples)} snapshots, {size(size_bytes)}: {state.tape.name}"
    return changed(state, tape=None, notice=Notice(why or said, good=not why))
