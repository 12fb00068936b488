"""The recording that is shown, as ticks. Belongs to one thread: a large sample takes a while to read."""

from typing import Any, Final

from flowtopd.flows.history import sample as moved
from flowtopd.flows.snapshot import KernelState, Tick
from flowtopd.replay.snapshots import Snapshots
from flowtopd.wire.errors import RecordingError
from flowtopd.wire.messages import Events
from flowtopd.wire.recording import Recording

_UNKNOWN: Final = KernelState(accounting=True, timestamps=True, max=None, tracking=None)
"""What is assumed where a recording does not say: nothing that would be worth a warning."""


class Reel:
    """Makes the tick of any sample. Raises RecordingError where not even the first one can be shown."""

    def __init__(self, recording: Recording) -> None:
        self._recording = recording
        self._snapshots = Snapshots()
        self.tick(0, 0.0)

    def tick(self, number: int, monotonic_s: float) -> tuple[int, Tick]:
        """Return the tick of a sample and its number, a smaller one where the recording ends before it.

        `monotonic_s` is when it is shown. Raises RecordingError where nothing of it can be shown.
        """
        while True:
            number, sample = self._recording.sample(number)
            try:
                snapshot = self._snapshots.make(sample, monotonic_s)
            except RecordingError as error:
                self._recording.cut(number, str(error))
            else:
                status = sample.status
                seconds, lost = status.get("tick_seconds"), status.get("events_lost")
                return number, Tick(
                    snapshot,
                    _kernel(status),
                    seconds if type(seconds) is float else 0.0,
                    lost if type(lost) is int else 0,
                    sample=moved(snapshot),
                    events=_events(status.get("events")),
                )


def _events(said: Any) -> Events | None:
    return Events(said) if said in list(Events) else None


def _kernel(status: dict[str, Any]) -> KernelState:
    accounting, timestamps, most, tracking = (
        status.get(name) for name in ("accounting", "timestamps", "max", "tracking")
    )
    return KernelState(
        accounting if type(accounting) is bool else _UNKNOWN.accounting,
        timestamps if type(timestamps) is bool else _UNKNOWN.timestamps,
        most if type(most) is int else _UNKNOWN.max,
        tracking if type(tracking) is bool else _UNKNOWN.tracking,
    )
