"""The version of both programs: the one place where it stands; the package takes it from here."""

from typing import Final

VERSION: Final = "0.1.0"
