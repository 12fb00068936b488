"""How far an update is, as one line of a terminal. Both programs show it. Values in, text out.

asn      [███████████             ]  45 %   4.1 of 9.2 MB   1.2 MB/s   4 s left
"""

from typing import Final

from flowtopd.wire.messages import Progress

_BAR: Final = 24
_MB: Final = 1_000_000
_MINUTE_S: Final = 60


def bar(progress: Progress, width: int) -> str:
    """The line, at most `width` characters."""
    done = f"{progress.done / _MB:.1f}"
    if progress.total:
        part = min(1.0, progress.done / progress.total)
        drawn = f"[{'█' * int(part * _BAR):{_BAR}}] {part:4.0%}".replace("%", " %")
        parts = [drawn, f"{done} of {progress.total / _MB:.1f} MB"]
    else:
        parts = [f"{done} MB"]
    if progress.rate is not None:
        parts.append(f"{progress.rate / _MB:.1f} MB/s")
    if progress.left is not None:
        parts.append(f"{_time(progress.left)} left")
    return f"{progress.what:8} {'   '.join(parts)}"[:width]


def _time(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), _MINUTE_S)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
