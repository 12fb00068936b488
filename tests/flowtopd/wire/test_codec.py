"""flowtopd.wire.codec: every message comes back as it went, and nothing else comes back at all."""

import dataclasses
from collections.abc import Callable
from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowtopd.wire.codec import decode_daemon, decode_viewer, encode_daemon, encode_viewer
from flowtopd.wire.errors import ErrorCode, LocalProtocolError, RemoteProtocolError
from flowtopd.wire.fields import FLOW_FIELD_NAMES
from flowtopd.wire.framing import MAX_DAEMON_FRAME, MAX_VIEWER_FRAME, FrameReader
from flowtopd.wire.messages import (
    PROTOCOL_VERSION,
    DaemonMessage,
    Delete,
    Detail,
    Done,
    Error,
    Family,
    FlowRequest,
    Hello,
    Kill,
    Message,
    Progress,
    Query,
    Replay,
    Seek,
    Snapshot,
    Status,
    Totals,
    Update,
    View,
    ViewerMessage,
    Welcome,
)

STATUS = Status(
    flows=2,
    matched=1,
    max=262144,
    accounting=True,
    timestamps=False,
    tracking=None,
    events_lost=0,
    resets=3,
    tick_seconds=0.01,
    pace=1.0,
    viewers=1,
)

VIEWER: list[ViewerMessage] = [
    Hello(version=1),
    Hello(version=1, client="a test, äöü"),
    Query(),
    Query(
        tag=7,
        protocols=(6, 17),
        families=(Family.IPV6,),
        active=True,
        loopback=True,
        names=False,
        geoip=False,
        filter="tcp and not country DE",
        sort="orig_bytes",
        descending=False,
        offset=60,
        limit=60,
        interval=0.1,
        paused=True,
        fields=("id", "src", "dst"),
    ),
    Query(protocols=(), families=(), fields=FLOW_FIELD_NAMES),
    FlowRequest(id="12:34"),
    Delete(id="0123456789abcdef"),
    Kill(id=""),
    Update(),
    Seek(),
    Seek(seconds=-10.0, samples=3, paused=True, speed=2.5),
]

DAEMON: list[DaemonMessage] = [
    Welcome(version=1, server="flowtopd 0.1.0", host="router"),
    Snapshot(
        tag=7,
        seq=1,
        time=1_700_000_000.25,
        interval=None,
        view=View.FLOWS,
        status=STATUS,
        totals=Totals(orig_rate=None, reply_rate=None, orig_bytes=None, reply_bytes=0),
        fields=("id", "sport", "orig_rate", "status", "closed"),
        offset=0,
        rows=[["1", 443, 1.5, ["assured", "confirmed"], False], ["2", None, None, [], True]],
    ),
    Snapshot(
        tag=0,
        seq=2**40,
        time=0.0,
        interval=1.0,
        view=View.FLOWS,
        status=dataclasses.replace(STATUS, max=None, tracking=False),
        totals=Totals(orig_rate=1.0, reply_rate=2.0, orig_bytes=2**63, reply_bytes=2**64 - 1),
        fields=(),
        offset=100,
        rows=[],
        more=True,
        replay=Replay(position=1.5, duration=60.0, speed=2.0, paused=True, ended=False, trouble="broken"),
    ),
    Detail(id="1", flow={"src": "192.0.2.1", "sport": None}),
    Welcome(version=1, server="", host="", may=("update", "act")),
    Detail(id="gone", flow=None),
    Detail(id="1", flow={}, ends={"src": {"address": "192.0.2.1"}}, history=[[1.5, None, None], [2.5, 0.0, 1.0]]),
    Done(id="1", text="tcp 192.0.2.1:1 > 192.0.2.2:2: its entry is deleted"),
    Progress(),
    Progress(what="asn", done=2**40, total=2**41, rate=1.5, left=0.25),
    Progress(text="country: up to date", good=False, ended=True),
    *(Error(code=code, message="one line", offset=None) for code in ErrorCode),
    Error(code=ErrorCode.FILTER, message="no such word", offset=4),
]


def body(encoded: bytes, limit: int) -> bytes:
    """The one frame that `encoded` is."""
    (only,) = FrameReader(limit).feed(encoded)
    return only


def pack(**values: Any) -> bytes:
    packed = msgpack.packb(values)
    assert isinstance(packed, bytes)
    return packed


@pytest.mark.parametrize("message", VIEWER, ids=lambda message: message.TYPE)
def test_a_viewers_message_comes_back_the_same(message: ViewerMessage) -> None:
    assert decode_viewer(body(encode_viewer(message), MAX_VIEWER_FRAME)) == message


@pytest.mark.parametrize("message", DAEMON, ids=lambda message: message.TYPE)
def test_a_daemons_message_comes_back_the_same(message: DaemonMessage) -> None:
    assert decode_daemon(body(encode_daemon(message), MAX_DAEMON_FRAME)) == message


def test_every_message_is_in_the_tables() -> None:
    """A new message without a round trip fails here."""
    tested = {type(message) for message in [*VIEWER, *DAEMON]}
    assert tested == set(ViewerMessage.__args__) | set(DaemonMessage.__args__) == set(Message.__args__)


def test_a_name_that_is_no_text_is_sent_without_what_is_wrong_with_it() -> None:
    """Bytes that are no UTF-8 come as lone surrogates; one program with such a name must not end every session."""
    sent = encode_daemon(
        Snapshot(**{name: getattr(DAEMON[1], name) for name in DAEMON[1].__slots__} | {"rows": [["a\udcffb"]]})
    )
    received = decode_daemon(body(sent, MAX_DAEMON_FRAME))
    assert isinstance(received, Snapshot)
    assert received.rows == [["a?b"]]
    assert decode_viewer(body(encode_viewer(Query(filter="\ud800")), MAX_VIEWER_FRAME)) == Query(filter="?")


def test_defaults_may_be_left_out() -> None:
    assert decode_viewer(pack(type="query")) == Query()
    assert decode_viewer(pack(type="hello", version=1)) == Hello(version=1)


def test_a_whole_number_is_a_float_where_a_float_is_wanted() -> None:
    """Languages without a difference between 1 and 1.0 send 1."""
    message = decode_viewer(pack(type="query", interval=2))
    assert isinstance(message, Query)
    assert type(message.interval) is float


@pytest.mark.parametrize("decode", [decode_viewer, decode_daemon])
@pytest.mark.parametrize(
    "garbage",
    [
        b"",
        b"\xc1",
        b"\x00",
        b"\xc0",
        b"\x90",
        b"\x80",
        b"\x81\xa4type",
        b"\x81\xa4type\x01",
        b"\x81\xa4type\xc4\x05hello",
        b"\x81\x01\x02",
        b"\x81\xa4type\xa2\xff\xff",
        b"\xdf\xff\xff\xff\xff",
        b"\xdd\xff\xff\xff\xff",
        b"\xdb\xff\xff\xff\xff",
        b"\x91" * 5000 + b"\xc0",
        b"\x81\x90\x01",
        pack(type="query") + b"\x00",
        b"GET / HTTP/1.1\r\n\r\n",
        b'{"type": "hello", "version": 1}',
    ],
)
def test_what_is_not_a_map_with_a_type_is_malformed(garbage: bytes, decode: Callable[[bytes], object]) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        decode(garbage)
    assert caught.value.code is ErrorCode.MALFORMED


@pytest.mark.parametrize("message", [*VIEWER, *DAEMON], ids=lambda message: message.TYPE)
def test_the_other_side_does_not_take_it(message: Message) -> None:
    """A viewer cannot pretend to be a daemon, and the other way round."""
    decode: Callable[[bytes], object]
    if isinstance(message, ViewerMessage):
        received, decode = body(encode_viewer(message), MAX_VIEWER_FRAME), decode_daemon
    else:
        received, decode = body(encode_daemon(message), MAX_DAEMON_FRAME), decode_viewer
    with pytest.raises(RemoteProtocolError) as caught:
        decode(received)
    assert caught.value.code is ErrorCode.TYPE
    assert message.TYPE in caught.value.message


@pytest.mark.parametrize("kind", ["", "HELLO", "shutdown", "x" * 1000])
def test_an_unknown_type_is_named_and_cut(kind: str) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        decode_viewer(pack(type=kind))
    assert caught.value.code is ErrorCode.TYPE
    assert len(caught.value.message) < 80


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"type": "hello"}, "hello: version missing"),
        ({"type": "hello", "version": "1"}, "hello: version wants int, got '1'"),
        ({"type": "hello", "version": True}, "hello: version wants int, got True"),
        ({"type": "hello", "version": None}, "hello: version wants int, got None"),
        ({"type": "hello", "version": 1.0}, "hello: version wants int, got 1.0"),
        ({"type": "hello", "version": 1, "admin": True}, "hello: no field 'admin'"),
        ({"type": "query", "sort": b"rate"}, "query: sort wants str, got b'rate'"),
        ({"type": "query", "protocols": 6}, "query: protocols wants list, got 6"),
        ({"type": "query", "protocols": ["tcp"]}, "query: protocols wants int, got ['tcp']"),
        ({"type": "query", "families": ["ipx"]}, "query: families wants one of ipv4, ipv6, got ['ipx']"),
        ({"type": "query", "families": [[]]}, "query: families wants one of ipv4, ipv6, got [[]]"),
        ({"type": "query", "view": "everything"}, "containers, got 'everything'"),
        ({"type": "query", "interval": "1"}, "query: interval wants float, got '1'"),
        ({"type": "query", "interval": False}, "query: interval wants float, got False"),
        ({"type": "query", "limit": -1.5}, "query: limit wants int, got -1.5"),
        ({"type": "query", "filter": "x" * 1000, "tag": []}, "query: tag wants int, got []"),
        ({"type": "flow"}, "flow"),
        ({"type": "flow", "id": 5}, "id wants str, got 5"),
    ],
)
def test_a_wrong_field_is_named(values: dict[str, Any], says: str) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        decode_viewer(pack(**values))
    assert caught.value.code is ErrorCode.FIELD
    assert says in caught.value.message


def test_a_wrong_field_inside_a_field_is_named() -> None:
    whole = msgpack.unpackb(body(encode_daemon(DAEMON[1]), MAX_DAEMON_FRAME))
    whole["status"]["flows"] = "many"
    with pytest.raises(RemoteProtocolError) as caught:
        decode_daemon(pack(**whole))
    assert caught.value.message == "status: flows wants int, got 'many'"


def test_a_message_over_the_limit_is_our_own_mistake() -> None:
    with pytest.raises(LocalProtocolError):
        encode_viewer(Query(filter="x" * MAX_VIEWER_FRAME))


# anything at all

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
VIEWER_FIELDS = sorted(
    {field.name for kind in (Hello, Query, FlowRequest) for field in dataclasses.fields(kind)} | {"type", "x"}
)
FRAMES = st.sampled_from(
    [body(encode_viewer(message), MAX_VIEWER_FRAME) for message in VIEWER]
    + [body(encode_daemon(message), MAX_DAEMON_FRAME) for message in DAEMON]
)


def only_the_peer_is_to_blame(received: bytes) -> None:
    """Decoding gives a message or RemoteProtocolError with a short line, nothing else."""
    for decode in (decode_viewer, decode_daemon):
        try:
            decoded = decode(received)
        except RemoteProtocolError as error:
            assert len(error.message) < 500  # noqa: PT017 - or no error at all
        else:
            assert isinstance(decoded, Message)


@given(received=st.binary(max_size=300))
def test_random_bytes_blame_the_peer(received: bytes) -> None:
    only_the_peer_is_to_blame(received)


@given(values=VALUES)
def test_random_values_blame_the_peer(values: Any) -> None:
    only_the_peer_is_to_blame(msgpack.packb(values))


@given(
    kind=st.sampled_from(["hello", "query", "flow"]),
    values=st.dictionaries(st.sampled_from(VIEWER_FIELDS), VALUES, max_size=5),
)
def test_random_fields_blame_the_peer(kind: str, values: dict[str, Any]) -> None:
    only_the_peer_is_to_blame(msgpack.packb(values | {"type": kind}))


@given(good=FRAMES, data=st.data())
def test_mutated_messages_blame_the_peer(good: bytes, data: st.DataObject) -> None:
    mutated = bytearray(good)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(mutated) - 1))
        match data.draw(st.sampled_from(["set", "cut", "insert", "repeat"])):
            case "set":
                mutated[at] = data.draw(st.integers(0, 255))
            case "cut":
                del mutated[at:]
            case "insert":
                mutated[at:at] = data.draw(st.binary(max_size=4))
            case _:
                mutated += mutated[at:]
        if not mutated:
            break
    only_the_peer_is_to_blame(bytes(mutated))


@pytest.mark.parametrize("version", [PROTOCOL_VERSION + 1, PROTOCOL_VERSION - 1, 0, 1 << 40])
def test_a_greeting_of_another_version_is_understood_whatever_else_it_says(version: int) -> None:
    more = {"version": version, "client": 7, "never": {"heard": "of"}}
    assert decode_viewer(msgpack.packb({"type": "hello"} | more)) == Hello(version)
    assert decode_daemon(msgpack.packb({"type": "welcome"} | more)) == Welcome(version, "", "")


def test_an_error_of_another_version_is_understood_as_far_as_it_is_known() -> None:
    said = {"type": "error", "code": "tomorrow", "message": "the viewer is older", "advice": ["update"]}
    assert decode_daemon(msgpack.packb(said)) == Error(ErrorCode.INTERNAL, "the viewer is older")
    assert decode_daemon(msgpack.packb(said | {"code": "version"})) == Error(ErrorCode.VERSION, "the viewer is older")


def test_what_a_newer_daemon_says_beyond_is_passed_over() -> None:
    whole = msgpack.unpackb(body(encode_daemon(DAEMON[1]), MAX_DAEMON_FRAME))
    whole |= {"weather": "fine", "status": whole["status"] | {"mood": 7}}
    assert decode_daemon(pack(**whole)) == DAEMON[1]


def test_an_older_daemon_may_say_less_of_its_state() -> None:
    whole = msgpack.unpackb(body(encode_daemon(DAEMON[1]), MAX_DAEMON_FRAME))
    for name in ("uncounted", "frozen", "places"):
        del whole["status"][name]
    told = decode_daemon(pack(**whole))
    assert isinstance(told, Snapshot)
    assert (told.status.uncounted, told.status.frozen, told.status.places) == (0, 0, None)


def test_a_viewer_leaves_out_what_is_as_usual_so_that_an_older_daemon_need_not_know_it() -> None:
    assert msgpack.unpackb(body(encode_viewer(Query(tag=3)), MAX_VIEWER_FRAME)) == {"type": "query", "tag": 3}
