"""The numbers to reach that `make bench` and `make compare` both measure. By flows in the table, where it matters."""

from typing import Final

TICK: Final = {1_000: 1.15, 100_000: 1.2, 250_000: 1.2}
"""A tick as a multiple of the kernel's own dump."""

KEY_MS: Final = {100_000: 30.0}
"""From key press to changed screen, the 99th percentile."""

LARGEST_KEY_MS: Final = 50.0
"""The same at the largest table there is, and where the order is turned with eight viewers."""

FIRST_SCREEN_S: Final = {1_000: 0.25, 100_000: 1.2}
VIEWER_MB: Final = 32.0
FLOW_BYTES: Final = 500.0
_DAEMON_MB: Final = 45.0
_MIB: Final = 1 << 20


def daemon_mb(flows: int) -> float:
    """How much memory the daemon may take."""
    return _DAEMON_MB + FLOW_BYTES * max(0, flows - 1_000) / _MIB
