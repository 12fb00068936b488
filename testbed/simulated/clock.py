"""A clock that stands still until it is told."""


class Clock:
    """Both clocks. The one on the wall may be set: `ahead_s` is by how much it is ahead of the other."""

    def __init__(self) -> None:
        self.now_s = 1000.0
        self.ahead_s = 1_700_000_000.0

    def monotonic(self) -> float:
        """Seconds since some time."""
        return self.now_s

    def wall(self) -> float:
        """Unix seconds."""
        return self.now_s + self.ahead_s

    def wall_ns(self) -> int:
        """Unix nanoseconds."""
        return int(self.wall() * 1e9)
