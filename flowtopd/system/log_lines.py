r"""Log records as lines that cannot lie: whatever is in a message, it is one line, and nothing in it is obeyed.

    flowtopd: /var/lib/x/eth\x1b[31m\nflowtopd: all is well: it is not used
    flowtopd: session of uid 1000, pid 77 failed
        Traceback (most recent call last):
        …                                               further lines are indented: none of them looks like a message

Names of files, what peers say and what the network calls itself come into messages, and logs are read on terminals.
"""

import logging


def escaped(text: str) -> str:
    r"""Write what cannot be printed, line ends and lone surrogates too, as in Python: `\x1b`, `\n`, `\u202e`."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


class Plain(logging.Formatter):
    """A formatter for text that people read."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 (the name is logging's)
        """Return the message as one line."""
        return escaped(super().formatMessage(record))

    def formatException(self, ei: object) -> str:  # noqa: N802 (the name is logging's)
        """Return a traceback, indented."""
        lines = super().formatException(ei).split("\n")  # type: ignore[arg-type]  # what logging itself passes on
        return "\n".join("    " + escaped(line) for line in lines)
