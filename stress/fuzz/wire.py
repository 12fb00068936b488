"""Frames from viewers and daemons that lie, and recordings that were tampered with.

    message ─▶ map ─ a value is another one ─▶ msgpack ─ bytes are others ─▶ frame ─▶ FrameReader ─▶ codec

What is taken is put on the wire again and read again: it must be the same message. What is refused is refused with a
line for a person: short, and with nothing in it that a terminal would obey.
"""

import dataclasses
import struct
import zlib
from collections.abc import Callable, Sequence
from functools import cache
from random import Random
from typing import Any, Final

import msgpack

from flowtopd.flows.history import sample as moved
from flowtopd.flows.snapshot import KernelState, Tick
from flowtopd.query.results import Results
from flowtopd.replay.reel import Reel
from flowtopd.session.conversation import Conversation
from flowtopd.session.hub import Published
from flowtopd.wire.codec import decode_daemon, decode_viewer, encode_daemon, encode_viewer
from flowtopd.wire.errors import RecordingError, RemoteProtocolError
from flowtopd.wire.fields import FLOW_FIELD_NAMES
from flowtopd.wire.framing import MAX_DAEMON_FRAME, MAX_VIEWER_FRAME, FrameReader
from flowtopd.wire.messages import (
    PROTOCOL_VERSION,
    DaemonMessage,
    Error,
    Hello,
    Message,
    Query,
    Right,
    Snapshot,
    View,
    ViewerMessage,
)
from flowtopd.wire.recording import About, Recording, Writer
from flowtopd.wire.samples import Sample
from stress.fuzz.mutate import mutated, mutated_text
from stress.fuzz.run import WrongAnswer
from tests.flowtopd.query.tables import table
from tests.flowtopd.wire.test_codec import DAEMON, VIEWER

LONGEST_COMPLAINT: Final = 500
_LENGTH: Final = struct.Struct(">I")

FROM_VIEWER: Final[Sequence[ViewerMessage]] = (
    *VIEWER,
    Query(tag=3, view=View.HOSTS, filter="tcp and not country DE", sort="bytes", offset=60, limit=60, fields=("key",)),
    Query(protocols=(6, 17), filter=r"name ~ \.example\.com$ or rate > 1M", interval=0.5, history=True, mean=10.0),
    Query(fields=FLOW_FIELD_NAMES, closed=True, descending=False, sort="process"),
)
FROM_DAEMON: Final[Sequence[DaemonMessage]] = DAEMON
_ODD: Final[Sequence[Any]] = (
    *(None, True, False, 0, 1, -1, 2**31, 2**63, 2**64 - 1, -(2**63), 0.0, -0.0, 1e308, float("nan"), float("inf")),
    *("", "x", "\x1b[31m", "\u202e", "\0", "a" * 200, "rate", "6", b"", b"\xff\xfe", [], {}, [[]], [None], {"a": 1}),
    *("ipv4", "flows", ["ipv4"], ["id"], "(" * 300, "~ (a+)+$", "not " * 50, 10**18, 1e-9),
)

_WORDS: Final = (
    " and ",
    " or ",
    "not ",
    "(",
    ")",
    " ~ ",
    "country ",
    "rate > ",
    "host ",
    "net ",
    "*",
    "+",
    "{2}",
    "10M",
)


def mutated_value(value: Any, chance: Random, odd: Sequence[Any] = _ODD) -> Any:
    """Return a value in which one somewhere is another one, or is missing, or is there twice."""
    if isinstance(value, dict) and value and chance.getrandbits(3):
        key = chance.choice(list(value))
        changed = dict(value)
        match chance.getrandbits(4):
            case 0:
                del changed[key]
            case 1:
                changed[chance.choice(("x", "", "type", "tag", chance.choice(list(value))))] = changed.pop(key)
            case _:
                changed[key] = mutated_value(value[key], chance, odd)
        return changed
    if isinstance(value, list | tuple) and value and chance.getrandbits(3):
        items, at = list(value), chance.randrange(len(value))
        match chance.getrandbits(3):
            case 0:
                del items[at]
            case 1:
                items.insert(at, items[at])
            case _:
                items[at] = mutated_value(items[at], chance, odd)
        return items
    if isinstance(value, int) and not isinstance(value, bool) and chance.getrandbits(1):
        return max(-(2**63), min(2**64 - 1, value + chance.choice((-1, 1, 2, -value, 255, 65536))))
    if isinstance(value, str) and chance.getrandbits(1):
        return mutated_text(value, chance, _WORDS)
    if isinstance(value, float) and chance.getrandbits(1):
        return value * chance.choice((0.5, -1, 1.0000001, 1e6))
    return chance.choice(odd)


def _packed(value: Any) -> bytes:
    """As msgpack; text that is none goes as the bytes that it stands for, which are no UTF-8."""
    return msgpack.packb(value, unicode_errors="surrogatepass")  # type: ignore[no-any-return]


def _checked_complaint(error: RemoteProtocolError) -> None:
    if len(error.message) > LONGEST_COMPLAINT or not error.message.isprintable():
        raise WrongAnswer(f"a complaint that cannot be shown: {error.message!a:.200}")


class _Frames:
    """Messages of one direction."""

    def __init__(
        self,
        messages: Sequence[Message],
        encode: Callable[[Any], bytes],
        decode: Callable[[bytes], Message],
        limit: int,
    ) -> None:
        self.last: object = b""
        self._encode, self._decode, self._limit = encode, decode, limit
        self._frames = [encode(message) for message in messages]
        self._bodies = [one[_LENGTH.size :] for one in self._frames]
        self._maps = [msgpack.unpackb(body) for body in self._bodies]

    def _frame(self, chance: Random) -> bytes:
        kind = chance.getrandbits(3)
        if kind == 0:
            return mutated(chance.choice(self._frames), chance, self._frames)
        if kind < 4:
            body = mutated(chance.choice(self._bodies), chance, self._bodies)
        else:
            body = _packed(mutated_value(chance.choice(self._maps), chance))
            if kind == 4:
                body = mutated(body, chance)
        return _LENGTH.pack(len(body)) + body

    def __call__(self, chance: Random) -> bool:
        """See `Attempt`."""
        self.last = data = self._frame(chance)
        frames, cut = FrameReader(self._limit), chance.randrange(len(data) + 1)
        taken = False
        try:
            for part in (data[:cut], data[cut:]):
                for body in frames.feed(part):
                    message = self._decode(body)
                    taken = True
                    self._check(message)
        except RemoteProtocolError as error:
            _checked_complaint(error)
        return taken

    def _check(self, message: Message) -> None:
        """Sent again, it is the same message; a NaN is not, to Python."""
        (body,) = FrameReader(self._limit).feed(self._encode(message))
        again = self._decode(body)
        if again != message and repr(again) != repr(message):
            raise WrongAnswer(f"{message} is {again} when it is sent on")


def from_viewer() -> _Frames:
    """What daemons read."""
    return _Frames(FROM_VIEWER, encode_viewer, decode_viewer, MAX_VIEWER_FRAME)


def from_daemon() -> _Frames:
    """What viewers read."""
    return _Frames(FROM_DAEMON, encode_daemon, decode_daemon, MAX_DAEMON_FRAME)


# sessions


@cache
def _published() -> tuple[Published, ...]:
    kernel = KernelState(accounting=True, timestamps=True, max=1000, tracking=True)
    found = []
    for seed, size in ((1, 0), (2, 3), (3, 40)):
        snapshot = table(seed, size)
        tick = Tick(snapshot, kernel, 0.01, 0, sample=moved(snapshot))
        found.append(Published(tick, Results(snapshot)))
    return tuple(found)


class Sessions:
    """A few messages of a viewer that lies, and all the answers it gets."""

    _MOST: Final = 64

    def __init__(self) -> None:
        self.last: object = b""
        said = [message for message in FROM_VIEWER if not isinstance(message, Hello)]
        self._maps = [msgpack.unpackb(encode_viewer(message)[_LENGTH.size :]) for message in said]

    def __call__(self, chance: Random) -> bool:
        """See `Attempt`."""
        conversation = Conversation(
            "flowtopd", "router", lambda _addresses: None, tuple(Right), seek=lambda _seek: None
        )
        conversation.receive(Hello(PROTOCOL_VERSION, "fuzz"))
        newest = chance.choice(_published())
        chosen = [chance.choice(self._maps) for _ in range(chance.randint(1, 4))]
        lie = chance.randrange(len(chosen))
        chosen[lie] = mutated_value(chosen[lie], chance)
        said = [_packed(one) for one in chosen]
        self.last = b"|".join(said)
        try:
            for body in said:
                conversation.receive(decode_viewer(body))
                answers = list(conversation.answers(newest, 1.0, 1))
                if len(answers) > self._MOST:
                    raise WrongAnswer(f"{len(answers)} answers to one message")
                for answer in answers:
                    if isinstance(answer, Error) and not answer.message.isprintable():
                        raise WrongAnswer(f"a complaint that cannot be shown: {answer.message!a:.200}")
                    encode_daemon(answer)
        except RemoteProtocolError as error:
            _checked_complaint(error)
            return False
        return True


# recordings

_HEAD: Final = struct.Struct(">IIBQ")
_SEALED: Final = struct.Struct(">BQ")


@cache
def _recorded() -> tuple[bytes, ...]:
    """A recording, cut into its first bytes, and its frames."""
    columns = {name: index for index, name in enumerate(FLOW_FIELD_NAMES)}
    writer = Writer()
    parts = [writer.begin(About("router", "flowtopd 0", 1_700_000_000.0))]
    for tick in range(6):
        conversation = Conversation("flowtopd", "router", lambda _addresses: None)
        conversation.receive(Hello(PROTOCOL_VERSION, ""))
        conversation.receive(Query(fields=FLOW_FIELD_NAMES, loopback=True))
        snapshot = next(one for one in conversation.answers(_published_of(tick), 1.0, 1) if isinstance(one, Snapshot))
        by_name = {name: [row[index] for row in snapshot.rows] for name, index in columns.items()}
        status, totals = dataclasses.asdict(snapshot.status), dataclasses.asdict(snapshot.totals)
        parts.append(writer.add(Sample(float(tick), snapshot.time + tick, 1.0, status, totals, by_name)))
    whole, at, cuts = b"".join(parts), 8, [b""]
    cuts[0] = whole[:at]
    while at < len(whole):
        length = _HEAD.size + _HEAD.unpack_from(whole, at)[0]
        cuts.append(whole[at : at + length])
        at += length
    return tuple(cuts)


def _published_of(tick: int) -> Published:
    """The table of a tick: three flows that stay, and some that change."""
    snapshot = table(7 + tick // 3, 5 + tick % 2)
    kernel = KernelState(accounting=True, timestamps=True, max=1000, tracking=True)
    return Published(Tick(snapshot, kernel, 0.01, 0), Results(snapshot))


def _sealed(plain: bytes, kind: int, at_ms: int) -> bytes:
    body = zlib.compress(plain, 1)
    return _HEAD.pack(len(body), zlib.crc32(_SEALED.pack(kind, at_ms) + body), kind, at_ms) + body


class Recordings:
    """A recording of which one frame was tampered with: opened, and played to its end or to the break."""

    def __init__(self) -> None:
        self.last: object = b""
        self._first, *self._frames = _recorded()
        self._heads = [_HEAD.unpack_from(frame) for frame in self._frames]
        self._plains = [zlib.decompress(frame[_HEAD.size :]) for frame in self._frames]
        self._maps = [msgpack.unpackb(plain) for plain in self._plains]

    def __call__(self, chance: Random) -> bool:
        """See `Attempt`."""
        at = chance.randrange(len(self._frames))
        _length, _checksum, kind, at_ms = self._heads[at]
        match chance.getrandbits(3):
            case 0:
                frame = mutated(self._frames[at], chance, self._frames)
            case 1 | 2:
                frame = _sealed(mutated(self._plains[at], chance), kind, at_ms)
            case _:
                plain = _packed(mutated_value(self._maps[at], chance))
                frame = _sealed(plain, chance.choice((kind, kind, kind, kind, *b"HKD")), at_ms)
        # whole samples come first, and what is behind the tampered one must not trust what that has left
        behind = b"".join(self._frames[at + 1 : at + 2])
        self.last = data = self._first + b"".join(self._frames[: at and 2]) * (at > 1) + frame + behind
        return self._play(data, through_reel=chance.getrandbits(3) == 0)

    @staticmethod
    def _play(data: bytes, *, through_reel: bool) -> bool:
        try:
            recording = Recording(lambda offset, length: data[offset : offset + length], len(data))
            reel = Reel(recording) if through_reel else None
            for number in range(len(recording)):
                if reel is None:
                    recording.sample(number)
                else:
                    reel.tick(number, float(number))
        except RecordingError as error:
            if not str(error).isprintable():
                raise WrongAnswer(f"a complaint that cannot be shown: {error!s:.200}") from None
            return False
        return not recording.trouble
