"""The formats of output for scripts."""

from enum import StrEnum


class Format(StrEnum):
    """What the output looks like."""

    JSON = "json"
    CSV = "csv"
    TEXT = "text"
    OPENMETRICS = "openmetrics"
    """Written by `scrape`: it asks for several views."""
