"""How far a recording is. A value."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Recorded:
    """How far a recording is. `trouble`: why nothing comes at the moment, empty while all is well."""

    samples: int = 0
    size_bytes: int = 0
    seconds: float = 0.0
    flows: int = 0
    """Most flows in one sample."""
    trouble: str = ""
