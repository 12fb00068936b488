from dataclasses import replace

from flowtop_client.tui.widgets.line import Line
from flowtop_client.tui.widgets.recording_line import replay_line, tape_line
from flowtop_client.view_state.act import Tape
from flowtopd.wire.messages import Replay

REPLAY = Replay(34.9, 3723.0, 2.0, paused=False, ended=False)


def text(line: Line) -> str:
    return "".join(part for _, part in line)


def test_a_recording_that_is_shown_says_where_it_is_and_whether_it_goes_on() -> None:
    assert text(replay_line(REPLAY)) == "replay 0:34 of 1:02:03 2 x"
    assert text(replay_line(replace(REPLAY, paused=True))) == "replay 0:34 of 1:02:03 paused"
    assert text(replay_line(replace(REPLAY, paused=True, ended=True))) == "replay 0:34 of 1:02:03 ended"


def test_a_recording_that_is_written_says_its_file_and_its_size_or_what_is_wrong() -> None:
    assert text(tape_line(Tape("x.flowtop", 12_345))) == "REC x.flowtop 12.3 kB"
    assert text(tape_line(Tape("x.flowtop", 1, "gone\x1b"))) == "REC x.flowtop: gone?"
