"""Recordings in a part of a line: the one that is shown, and the one that is being written.

replay 0:34 of 0:58 1 x   REC flowtop-20260101-120000.flowtop 12.3 kB
"""

from flowtop_client.humanize import clean, size
from flowtop_client.tui.widgets.line import Line
from flowtop_client.view_state.act import Tape
from flowtopd.wire.messages import Replay


def replay_line(replay: Replay) -> Line:
    """Where in a recording this is, and whether it goes on."""
    how = "ended" if replay.ended else "paused" if replay.paused else f"{replay.speed:g} x"
    style = "class:problem" if replay.ended or replay.paused else "class:value"
    place = f"{_clock(replay.position)} of {_clock(replay.duration)}"
    return [("class:label", "replay "), ("class:value", place), ("", " "), (style, how)]


def _clock(seconds_in: float) -> str:
    """A place in a recording: `0:07`, `1:02:03`."""
    minutes, second = divmod(max(0, int(seconds_in)), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"


def tape_line(tape: Tape) -> Line:
    """The recording that is being written, and how large it is by now."""
    said = clean(f"{tape.name}: {tape.trouble}" if tape.trouble else f"{tape.name} {size(tape.size_bytes)}")
    return [("class:gone", "REC"), ("class:problem" if tape.trouble else "class:value", f" {said}")]
