"""What the command `flowtop` ends with, beside 0."""

from typing import Final

UNREACHABLE: Final = 1
FAILED: Final = 1
USAGE: Final = 2
FITS: Final = 3
INTERRUPTED: Final = 130  # 128 + SIGINT
