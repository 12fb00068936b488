"""Conntrack messages as the kernel writes them, built attribute by attribute, and strategies that make any of them."""

import struct
from typing import Any

from hypothesis import strategies as st

SEQ = 0x5BD1E995
NEW = 1 << 8
MULTI = 2
NESTED = 1 << 15


def attr(kind: int, payload: bytes, *, nested: bool = False) -> bytes:
    length = 4 + len(payload)
    return struct.pack("=HH", length, kind | (NESTED if nested else 0)) + payload + bytes(-length % 4)


def nest(kind: int, *parts: bytes) -> bytes:
    return attr(kind, b"".join(parts), nested=True)


def message(family: int, *attributes: bytes, seq: int = SEQ, flags: int = MULTI) -> bytes:
    body = struct.pack(">BBH", family, 0, 0) + b"".join(attributes)
    return struct.pack("=IHHII", 16 + len(body), NEW, flags, seq, 0) + body


def done(seq: int = SEQ, code: int = 0) -> bytes:
    return struct.pack("=IHHIIi", 20, 3, MULTI, seq, 0, code)


def ip(kind: int, src: bytes, dst: bytes, *proto: bytes) -> bytes:
    first = 1 if len(src) == 4 else 3
    return nest(kind, nest(1, attr(first, src), attr(first + 1, dst)), *proto)


def ports(number: int, sport: int, dport: int) -> bytes:
    return nest(2, attr(1, bytes((number,))), attr(2, sport.to_bytes(2)), attr(3, dport.to_bytes(2)))


def tcp(number: int = 1, *extra: bytes, seq: int = SEQ, flags: int = MULTI) -> bytes:
    """One TCP entry like any other; `number` makes it a flow of its own."""
    src, dst = (0x0A000000 + number).to_bytes(4), b"\x01\x01\x01\x01"
    return message(
        2,
        ip(1, src, dst, ports(6, 40000, 443)),
        ip(2, dst, src, ports(6, 443, 40000)),
        attr(3, (0xE).to_bytes(4)),
        attr(7, (431999).to_bytes(4)),
        nest(9, attr(1, (7).to_bytes(8)), attr(2, (700).to_bytes(8))),
        nest(10, attr(1, (5).to_bytes(8)), attr(2, (5000).to_bytes(8))),
        attr(12, (1000 + number).to_bytes(4)),
        nest(4, nest(1, attr(1, b"\x03"), attr(2, b"\x07"), attr(3, b"\x07"), attr(4, b"\0\0"), attr(5, b"\0\0"))),
        *extra,
        seq=seq,
        flags=flags,
    )


u8 = st.integers(0, 0xFF).map(lambda value: value.to_bytes(1))
u16 = st.integers(0, 0xFFFF).map(lambda value: value.to_bytes(2))
u32 = st.integers(0, 0xFFFF_FFFF).map(lambda value: value.to_bytes(4))
u64 = st.integers(0, 0xFFFF_FFFF_FFFF_FFFF).map(lambda value: value.to_bytes(8))
text = st.text("abcdefghijklmnopqrstuvwxyz_:-0123456789", min_size=1, max_size=40).map(
    lambda value: value.encode() + b"\0"
)


@st.composite
def protos(draw: st.DrawFn) -> bytes:
    number = draw(st.sampled_from([1, 6, 17, 33, 47, 58, 132, 136, 50, 2, 253]))
    first = {1: 4, 58: 7}.get(number)
    if first is not None:
        rest = [attr(first, draw(u16)), attr(first + 1, draw(u8)), attr(first + 2, draw(u8))]
    elif number in {50, 2, 253}:
        rest = []
    else:
        rest = [attr(2, draw(u16)), attr(3, draw(u16))]
    return nest(2, attr(1, bytes((number,))), *rest)


@st.composite
def tuples(draw: st.DrawFn, kind: int, size: int) -> bytes:
    zone = [attr(3, draw(u16))] if draw(st.booleans()) else []
    address = st.binary(min_size=size, max_size=size)
    return ip(kind, draw(address), draw(address), draw(protos()), *zone)


def _protoinfo() -> st.SearchStrategy[bytes]:
    tcp_info = st.tuples(u8, u8, u8, u16, u16).map(
        lambda v: nest(1, *(attr(kind, value) for kind, value in enumerate(v, 1)))
    )
    dccp_info = st.tuples(u8, u8, u64).map(lambda v: nest(2, *(attr(kind, value) for kind, value in enumerate(v, 1))))
    sctp_info = st.tuples(u8, u32, u32).map(lambda v: nest(3, *(attr(kind, value) for kind, value in enumerate(v, 1))))
    return st.one_of(tcp_info, dccp_info, sctp_info).map(lambda info: nest(4, info))


def _three(kind: int) -> st.SearchStrategy[bytes]:
    return st.tuples(u32, u32, u32).map(
        lambda v: nest(kind, *(attr(number, value) for number, value in enumerate(v, 1)))
    )


def _counters(kind: int) -> st.SearchStrategy[bytes]:
    return st.tuples(u64, u64).map(lambda v: nest(kind, attr(1, v[0]), attr(2, v[1])))


_OPTIONAL: list[st.SearchStrategy[bytes]] = [
    _protoinfo(),
    st.tuples(text, st.binary(max_size=12)).map(lambda v: nest(5, attr(1, v[0]), nest(2, attr(1, v[1])))),
    u32.map(lambda value: attr(8, value)),
    _counters(9),
    _counters(10),
    u32.map(lambda value: attr(11, value)),
    _three(15),
    _three(16),
    u16.map(lambda value: attr(18, value)),
    text.map(lambda value: nest(19, attr(1, value))),
    st.lists(u64, min_size=1, max_size=2).map(
        lambda v: nest(20, *(attr(kind, value) for kind, value in enumerate(v, 1)))
    ),
    st.binary(min_size=16, max_size=16).map(lambda value: attr(22, value)),
    _three(24),
    st.binary(max_size=40).map(lambda value: attr(77, value)),  # never heard of
    st.binary(max_size=40).map(lambda value: nest(78, attr(1, value))),
]


@st.composite
def messages(draw: st.DrawFn) -> bytes:
    """Any conntrack entry: both families, every protocol, any set of attributes in any order."""
    family, size = draw(st.sampled_from([(2, 4), (10, 16)]))
    attributes = [
        draw(tuples(1, size)),
        draw(tuples(2, size)),
        attr(3, draw(u32)),
        attr(7, draw(u32)),
        attr(12, draw(u32)),
    ]
    chosen = draw(st.lists(st.integers(0, len(_OPTIONAL) - 1), unique=True))
    attributes += [draw(_OPTIONAL[index]) for index in chosen]
    if draw(st.booleans()):
        attributes.append(draw(tuples(14, size)))
    return message(family, *draw(st.permutations(attributes)))


def variants(one: bytes, draw: Any, count: int) -> list[bytes]:
    """Messages of the same layout as `one`, with other values: `count` of them."""
    spans = list(value_spans(one, 20, len(one)))
    made = []
    for _number in range(count):
        other = bytearray(one)
        for start, end in spans:
            other[start:end] = draw(st.binary(min_size=end - start, max_size=end - start))
        made.append(bytes(other))
    return made


def value_spans(buffer: bytes, start: int, end: int) -> Any:
    """Where the values of fixed size stand: those that are not nested and not text."""
    while start < end:
        length, kind = struct.unpack_from("=HH", buffer, start)
        if kind & NESTED:
            if kind & 0xFF not in {5, 19}:
                yield from value_spans(buffer, start + 4, start + length)
        else:
            yield start + 4, start + length
        start += length + -length % 4
