"""What stands for the characters that both programs draw with, where a terminal or a locale has no Unicode.

    →BYTES  rate▼  [███   ]  long na…          >BYTES  ratev  [###   ]  long na~

The screen draws with it, and `write_plainly` has a stream write so. What is no character of ours is a `?` there.
"""

import codecs
import io
from typing import Final, TextIO

PLAIN: Final = {
    **dict.fromkeys("→\u203a▶", ">"),
    **dict.fromkeys("←◀", "<"),
    **dict.fromkeys("█▉▊▋▌", "#"),
    **dict.fromkeys("▍▎▏", " "),
    "…": "~",
    "▼": "v",
    "▲": "^",
    "─": "-",
    "│": "|",
    "└": "`",
}
"""One ASCII character for each."""

_HANDLER: Final = "flowtop-plain"


def _plainly(error: UnicodeError) -> tuple[str, int]:
    """The error handler of a codec: what to write for characters that it does not have, and where to go on."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(PLAIN.get(char, "?") for char in error.object[error.start : error.end]), error.end


def write_plainly(stream: TextIO) -> None:
    """Have a stream write what its encoding cannot with characters that every one has."""
    codecs.register_error(_HANDLER, _plainly)
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors=_HANDLER)
