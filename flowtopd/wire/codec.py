"""Messages to msgpack maps and back. A frozen dataclass is the whole description of a message.

What comes in is checked against the annotations of the class: a missing, unknown or wrongly typed field
raises RemoteProtocolError with the field's name. Only what a newer daemon says beyond that is passed over, so that it
can be talked to; and a viewer leaves out what is as usual, so that an older daemon need not know it. What goes out is
ours and is not checked.
Two versions must be able to tell each other that they are two: of a `hello` or `welcome` of another version nothing but
the version is read, and of an `error` what is known of it.
Only the annotations that `messages.py` uses are understood; a new one fails at import, not on the wire.
"""

import dataclasses
import types
from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import Any, Final, TypeVar, cast, get_args, get_origin, get_type_hints

import msgpack

from flowtopd.wire.errors import ErrorCode, RemoteProtocolError
from flowtopd.wire.framing import MAX_DAEMON_FRAME, MAX_VIEWER_FRAME, frame
from flowtopd.wire.messages import (
    PROTOCOL_VERSION,
    DaemonMessage,
    Delete,
    Detail,
    Done,
    Error,
    FlowRequest,
    Hello,
    Kill,
    Message,
    Progress,
    Query,
    Seek,
    Snapshot,
    Update,
    ViewerMessage,
    Welcome,
)

_Check = Callable[[Any], Any]
"""Takes a decoded msgpack value, returns it as the field wants it, raises ValueError where it cannot."""

MessageT = TypeVar("MessageT", bound=Message)


def _expect(kind: type, *also: type) -> _Check:
    def check(value: Any) -> Any:
        # bool is an int to Python, never to the protocol
        if type(value) is kind:
            return value
        if type(value) in also:
            return kind(value)
        raise ValueError(kind.__name__)

    return check


def _expect_enum(kind: type[StrEnum]) -> _Check:
    def check(value: Any) -> StrEnum:
        try:
            return kind(value)
        except ValueError:
            raise ValueError("one of " + ", ".join(kind)) from None

    return check


def _expect_tuple(item: _Check) -> _Check:
    def check(value: Any) -> tuple[Any, ...]:
        if type(value) is not list:
            raise ValueError("list")
        return tuple(map(item, value))

    return check


def _expect_optional(inner: _Check) -> _Check:
    return lambda value: None if value is None else inner(value)


def _expect_dataclass(kind: type) -> _Check:
    parse = _parser(kind, strict=False)  # only a daemon's messages have others inside

    def check(value: Any) -> Any:
        if type(value) is not dict:
            raise ValueError("map")
        return parse(value)

    return check


def _check_for(hint: Any) -> _Check:
    """The check for one annotation."""
    origin, args = get_origin(hint), get_args(hint)
    if origin is types.UnionType and len(args) == 2 and args[1] is types.NoneType:
        return _expect_optional(_check_for(args[0]))
    if origin is tuple and args[1:] == (Ellipsis,):
        return _expect_tuple(_check_for(args[0]))
    if origin in {list, dict}:
        return _expect(origin)  # rows and maps come from the daemon, which the viewer trusts to this depth
    if hint is float:
        return _expect(float, int)
    if hint in {int, str, bool}:
        return _expect(hint)
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return _expect_enum(hint)
    if dataclasses.is_dataclass(hint):
        return _expect_dataclass(cast("type", hint))
    msg = f"no check for the annotation {hint!r}"
    raise TypeError(msg)


def _parser(kind: type, *, strict: bool) -> Callable[[dict[Any, Any]], Any]:
    """A function that makes a `kind` out of a map, for the fields that `kind` declares; `strict`: and no others."""
    hints = get_type_hints(kind)
    fields = dataclasses.fields(kind)
    checks = {field.name: _check_for(hints[field.name]) for field in fields}
    required = {field.name for field in fields if field.default is dataclasses.MISSING}

    def parse(values: dict[Any, Any]) -> Any:
        checked = {}
        for name, value in values.items():
            check = checks.get(name) if isinstance(name, str) else None
            if check is None:
                if not strict:
                    continue
                raise RemoteProtocolError(ErrorCode.FIELD, f"{kind.__name__.lower()}: no field {name!r:.40}")
            try:
                checked[name] = check(value)
            except ValueError as error:
                raise RemoteProtocolError(
                    ErrorCode.FIELD, f"{kind.__name__.lower()}: {name} wants {error}, got {value!r:.40}"
                ) from None
        if missing := required - checked.keys():
            raise RemoteProtocolError(ErrorCode.FIELD, f"{kind.__name__.lower()}: {', '.join(sorted(missing))} missing")
        return kind(**checked)

    return parse


def _parsers(kinds: Iterable[type[Message]], *, strict: bool) -> dict[str, Callable[[dict[Any, Any]], Any]]:
    return {kind.TYPE: _parser(kind, strict=strict) for kind in kinds}


def _greeting(kind: type[Hello | Welcome], parse: Callable[[dict[Any, Any]], Any]) -> Callable[[dict[Any, Any]], Any]:
    def parse_version(values: dict[Any, Any]) -> Any:
        version = values.get("version")
        if type(version) is not int or version == PROTOCOL_VERSION:
            return parse(values)
        return Hello(version) if kind is Hello else Welcome(version, "", "")

    return parse_version


def _error(values: dict[Any, Any]) -> Any:
    known = {name: value for name, value in values.items() if name in _ERROR_FIELDS}
    if isinstance(known.get("code"), str) and known["code"] not in list(ErrorCode):
        known["code"] = ErrorCode.INTERNAL
    return _parse_error(known)


_parse_error: Final = _parser(Error, strict=True)
_ERROR_FIELDS: Final = frozenset(field.name for field in dataclasses.fields(Error))

_FROM_VIEWER: Final = _parsers((Hello, Query, FlowRequest, Delete, Kill, Update, Seek), strict=True)
_FROM_DAEMON: Final = _parsers((Welcome, Snapshot, Detail, Done, Progress, Error), strict=False)
_FROM_VIEWER[Hello.TYPE] = _greeting(Hello, _FROM_VIEWER[Hello.TYPE])
_FROM_DAEMON[Welcome.TYPE] = _greeting(Welcome, _FROM_DAEMON[Welcome.TYPE])
_FROM_DAEMON[Error.TYPE] = _error


def _as_map(value: Any) -> dict[str, Any]:
    """Shallow dataclass to map; nested messages (status, totals, replay) are one level deep."""
    pairs = {}
    for field in dataclasses.fields(value):
        item = getattr(value, field.name)
        pairs[field.name] = _as_map(item) if dataclasses.is_dataclass(item) else item
    return pairs


def _encode(kind: str, pairs: dict[str, Any], limit: int) -> bytes:
    values = {"type": kind} | pairs
    try:
        body = msgpack.packb(values)
    except UnicodeEncodeError:  # lone surrogates: the name of something in bytes that are no text
        body = msgpack.packb(values, unicode_errors="replace")
    return frame(cast("bytes", body), limit)


def encode_viewer(message: ViewerMessage) -> bytes:
    """A viewer's message as a frame."""
    usual = {field.name: field.default for field in dataclasses.fields(message)}
    said = {name: value for name, value in _as_map(message).items() if value != usual[name]}
    return _encode(message.TYPE, said, MAX_VIEWER_FRAME)


def encode_daemon(message: DaemonMessage) -> bytes:
    """A daemon's message as a frame."""
    return _encode(message.TYPE, _as_map(message), MAX_DAEMON_FRAME)


def _decode(body: bytes, parsers: dict[str, Callable[[dict[Any, Any]], Any]]) -> Any:
    try:
        values = msgpack.unpackb(body, strict_map_key=True)
    except (ValueError, msgpack.UnpackException, RecursionError) as error:
        # ValueError covers ExtraData, FormatError, StackError, bad UTF-8 and lengths beyond the frame
        raise RemoteProtocolError(ErrorCode.MALFORMED, f"not msgpack: {error or type(error).__name__}") from None
    if type(values) is not dict or type(values.get("type")) is not str:
        raise RemoteProtocolError(ErrorCode.MALFORMED, "not a map with a type")
    kind = values.pop("type")
    parse = parsers.get(kind)
    if parse is None:
        raise RemoteProtocolError(ErrorCode.TYPE, f"no message type {kind!r:.40}")
    return parse(values)


def decode_viewer(body: bytes) -> ViewerMessage:
    """What a viewer sent, checked. Raises RemoteProtocolError."""
    return cast("ViewerMessage", _decode(body, _FROM_VIEWER))


def decode_daemon(body: bytes) -> DaemonMessage:
    """What the daemon sent, checked. Raises RemoteProtocolError."""
    return cast("DaemonMessage", _decode(body, _FROM_DAEMON))
