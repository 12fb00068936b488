"""Where the recording is that the package ships."""

from pathlib import Path
from typing import Final

DEMO: Final = Path(__file__).parents[1] / "data" / "demo.flowtop"
"""A recording of a home network."""
