from dataclasses import replace

import pytest

from flowtopd.flows.snapshot import KernelState
from flowtopd.replay.recorder import sample_of
from flowtopd.replay.reel import Reel
from flowtopd.wire.errors import RecordingError
from flowtopd.wire.samples import Sample
from tests.flowtopd.batches import Flow, tick
from tests.flowtopd.wire.recorded import opened, written

TICK = replace(tick(Flow(), before=(Flow(),)), events_lost=3, seconds=0.25)


def sample(at_s: float = 0.0) -> Sample:
    return sample_of(TICK, at_s)


def test_a_tick_is_what_it_was() -> None:
    number, made = Reel(opened(written([sample()]))).tick(0, 7.0)
    assert (number, made.kernel, made.events_lost, made.seconds) == (0, TICK.kernel, 3, 0.25)
    assert (made.snapshot.at.wall_s, made.snapshot.at.monotonic_s) == (TICK.snapshot.at.wall_s, 7.0)
    assert made.snapshot.columns["orig_rate"].tolist() == [0.0]
    assert made.snapshot.interval_s == 1.0


def test_a_status_that_says_nothing_is_no_reason_for_a_warning() -> None:
    odd = replace(sample(), status={"accounting": "maybe", "max": True, "tick_seconds": None})
    _, made = Reel(opened(written([odd]))).tick(0, 0.0)
    assert made.kernel == KernelState(accounting=True, timestamps=True, max=None, tracking=None)


def test_a_sample_that_no_kernel_can_have_ends_the_recording_before_it() -> None:
    wrong = replace(sample(1.0), columns=sample().columns | {"src": ["nowhere"]})
    recording = opened(written([sample(), wrong, sample(2.0)]))
    number, made = Reel(recording).tick(1, 0.0)
    assert (number, made.snapshot.size, len(recording)) == (0, 1, 1)
    assert recording.trouble.endswith("after 0.0 s: 'nowhere' is no address")


def test_where_nothing_can_be_shown_it_says_why() -> None:
    wrong = replace(sample(), columns=sample().columns | {"proto": ["x"]})
    with pytest.raises(RecordingError, match="'x' is no protocol"):
        Reel(opened(written([wrong])))
