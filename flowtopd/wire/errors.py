"""Errors of the protocol, by who is to blame (as in h11).

`RemoteProtocolError`: the peer sent something the protocol does not allow. The session answers with
one `error` message made from it and closes; no other session notices.
`LocalProtocolError`: we were about to send something the protocol does not allow: a bug of ours.
"""

from enum import StrEnum


class ErrorCode(StrEnum):
    """The `code` of an `error` message. `FILTER`, `SORT` and `FAILED` leave the connection open, the rest close it."""

    VERSION = "version"
    """The two sides speak different protocol versions."""
    MALFORMED = "malformed"
    """A frame that is empty, not msgpack, or not a map with a `type`."""
    TOO_LARGE = "too-large"
    """A frame longer than the limit of its direction."""
    TYPE = "unknown-type"
    """A message type that this side does not accept."""
    FIELD = "bad-field"
    """A field that is missing, unknown, of the wrong type or out of range."""
    STATE = "bad-state"
    """A message out of order: a query before `hello`, or a second `hello`."""
    SORT = "bad-sort"
    """A sort field that the view does not have."""
    FILTER = "bad-filter"
    """A filter that does not parse; `offset` is the position of the mistake."""
    DENIED = "denied"
    """The peer may not do this."""
    FAILED = "failed"
    """A flow could not be deleted or closed; the message says why."""
    BUSY = "busy"
    """No more viewers are accepted."""
    INTERNAL = "internal"
    """The daemon failed; its log says more."""


class LocalProtocolError(Exception):
    """We tried to send a message that the protocol does not allow."""


class RemoteProtocolError(Exception):
    """The peer broke the protocol. Carries what the `error` message needs."""

    def __init__(self, code: ErrorCode, message: str, offset: int | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.offset = offset


class RecordingError(Exception):
    """A recording that cannot be played, or not from here on. A line for a person."""
