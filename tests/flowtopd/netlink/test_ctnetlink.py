from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowtopd.netlink import ctnetlink
from flowtopd.netlink.ctentry import decode_entry
from flowtopd.netlink.ctnetlink import MIN_GROUP, Batch, Decoder
from flowtopd.netlink.ctrecord import COLUMNS, Has
from flowtopd.netlink.nlmsg import MalformedMessage
from tests.flowtopd.netlink.ctmessages import SEQ, attr, done, message, messages, nest, tcp, variants
from tests.flowtopd.netlink.oracle import oracle

DUMPS = sorted((Path(__file__).parent / "dumps").glob("*.bin"))


def decode(block: bytes, *, seq: int = SEQ, decoder: Decoder | None = None) -> Batch:
    decoder = decoder or Decoder()
    decoder.begin(0)
    decoder.feed(block, seq, 12.5)
    return decoder.finish()


def rows_of(batch: Batch) -> list[dict[str, Any]]:
    rows = []
    for row in range(batch.size):
        values = {name: column[row].tolist() for name, column in batch.columns.items()}
        rows.append(
            {name: value[0] << 64 | value[1] if isinstance(value, list) else value for name, value in values.items()}
        )
    return rows


def expected(one: bytes) -> dict[str, Any]:
    """The row of a message, from the general decoder."""
    entry = decode_entry(one, 0, len(one))
    has = Has(0)
    for name, bit in (("sport", Has.PORTS), ("icmp_type", Has.ICMP), ("state", Has.STATE), ("start_ns", Has.START)):
        has |= bit if name in entry else Has(0)
    has |= Has.COUNTERS if "orig_bytes" in entry else Has(0)
    return {name: entry.get(name, 0) for name in COLUMNS} | {"has": int(has), "sampled_s": 12.5}


def same_rows(batch: Batch, entries: Sequence[bytes]) -> None:
    ours = sorted(rows_of(batch), key=repr)
    theirs = sorted((expected(one) for one in entries), key=repr)
    assert ours == theirs


@given(messages(), st.data())
def test_columns_by_layout_equal_the_general_decoder(one: bytes, data: st.DataObject) -> None:
    entries = variants(one, data.draw, MIN_GROUP + 3)
    same_rows(decode(b"".join(entries)), entries)


@given(st.lists(messages(), max_size=6), st.data())
def test_layouts_mixed_in_any_order_make_the_same_rows(kinds: list[bytes], data: st.DataObject) -> None:
    entries = [other for one in kinds for other in variants(one, data.draw, MIN_GROUP)]
    shuffled = data.draw(st.permutations(entries)) + kinds
    same_rows(decode(b"".join(shuffled)), shuffled)


def test_layouts_of_the_same_length_are_kept_apart() -> None:
    with_mark = [tcp(number, attr(8, (number).to_bytes(4))) for number in range(20)]
    with_use = [tcp(100 + number, attr(11, (7).to_bytes(4))) for number in range(20)]
    entries = [one for pair in zip(with_mark, with_use, strict=True) for one in pair]
    assert len({len(one) for one in entries}) == 1
    same_rows(decode(b"".join(entries)), entries)


def test_a_decoder_remembers_layouts_from_dump_to_dump() -> None:
    decoder = Decoder()
    for _dump in range(3):
        entries = [tcp(number) for number in range(30)]
        same_rows(decode(b"".join(entries), decoder=decoder), entries)


@given(st.lists(messages(), min_size=2, max_size=4), st.data())
def test_what_stood_where_in_the_last_dump_does_not_mislead(kinds: list[bytes], data: st.DataObject) -> None:
    decoder = Decoder()
    for _dump in range(4):
        entries = data.draw(st.lists(st.sampled_from(kinds), max_size=4))
        same_rows(decode(b"".join(entries), decoder=decoder), entries)


def test_more_layouts_than_a_decoder_keeps_are_decoded_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctnetlink, "MAX_LAYOUTS", 1)
    entries = [tcp(number) for number in range(20)]
    entries += [tcp(number, attr(8, bytes(4)), attr(18, bytes(2))) for number in range(20)]
    same_rows(decode(b"".join(entries)), entries)


def test_however_many_kinds_of_messages_come_few_layouts_are_kept_and_later_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ctnetlink, "MAX_LAYOUTS", 4)
    monkeypatch.setattr(ctnetlink, "FORGET_AFTER", 3)
    decoder = Decoder()

    def dump(length: int) -> None:
        entries = [tcp(number, attr(60, bytes(length))) for number in range(2 * MIN_GROUP)]
        same_rows(decode(b"".join(entries), decoder=decoder), entries)

    for length in range(4, 400, 4):
        dump(length)
        few = b"".join(tcp(number, attr(61, bytes(length))) for number in range(MIN_GROUP - 1))
        assert decode(few, decoder=decoder).size == MIN_GROUP - 1
        assert len(decoder._layouts) <= 4
        assert len(decoder._rare) <= 5
    last = decoder._layouts.keys()
    for _dump in range(5):
        dump(400)
    assert decoder._layouts.keys() != last
    assert max(decoder._layouts) >> 32 >= 400, "the layout of now has been learned"


def test_a_payload_that_looks_like_a_header_does_not_mislead() -> None:
    entries = [tcp(number, attr(8, SEQ.to_bytes(4, "little"))) for number in range(20)]
    entries.append(tcp(50, attr(77, tcp(51)), attr(78, tcp(52)[4:12])))
    same_rows(decode(b"".join(entries)), entries)


def test_blocks_add_up_to_one_batch() -> None:
    decoder = Decoder()
    decoder.begin(5)
    entries = [tcp(number) for number in range(50)]
    for start in range(0, 50, 10):
        decoder.feed(b"".join(entries[start : start + 10]), SEQ, 12.5)
    same_rows(decoder.finish(), entries)


def test_an_empty_dump_is_an_empty_batch() -> None:
    batch = decode(b"")
    assert batch.size == 0
    assert set(batch.columns) == set(COLUMNS)


def test_an_interrupted_dump_is_said_to_be() -> None:
    whole, interrupted = tcp(1), tcp(2, flags=0x12)
    assert not decode(whole).interrupted
    assert decode(whole + interrupted).interrupted


def test_a_bad_block_makes_no_rows_and_leaves_the_earlier_ones() -> None:
    decoder = Decoder()
    decoder.begin(0)
    entries = [tcp(number) for number in range(20)]
    decoder.feed(b"".join(entries), SEQ, 12.5)
    with pytest.raises(MalformedMessage):
        decoder.feed(b"".join(entries) + tcp(99, attr(8, b"\0")), SEQ, 12.5)
    same_rows(decoder.finish(), entries)


LIES = {
    "a length beyond the block": tcp(1)[:-4],
    "a length under the header's": b"\x08\0\0\0" + tcp(1)[4:],
    "another sequence number": tcp(1) + tcp(2, seq=SEQ + 1),
    "another type": tcp(1) + done(),
    "no room for nfgenmsg": message(2)[:16].replace(b"\x14", b"\x10", 1),
    "half a header": tcp(1) + b"\x14\0\0\0",
}


@pytest.mark.parametrize("block", LIES.values(), ids=LIES.keys())
def test_a_block_that_lies_is_refused_with_an_offset(block: bytes) -> None:
    with pytest.raises(MalformedMessage) as caught:
        decode(block)
    assert 0 <= caught.value.offset <= len(block)


@pytest.mark.parametrize("other", [tcp(2, seq=SEQ + 1), tcp(2, flags=3)], ids=["sequence number", "flags"])
def test_a_block_that_lies_where_the_last_dump_was_honest_is_refused(other: bytes) -> None:
    decoder = Decoder()
    decode(tcp(1) + tcp(2), decoder=decoder)
    with pytest.raises(MalformedMessage):
        decode(tcp(1) + other, decoder=decoder)


@given(st.lists(messages(), min_size=1, max_size=3), st.data())
def test_a_mutated_block_never_makes_a_wrong_row(kinds: list[bytes], data: st.DataObject) -> None:
    """Whatever is broken, the columns say what the general decoder says, or both refuse."""
    entries = [other for one in kinds for other in variants(one, data.draw, MIN_GROUP)]
    block = bytearray(b"".join(entries))
    at = data.draw(st.integers(0, len(block) - 1))
    block[at] = data.draw(st.integers(0, 255))
    decoder = Decoder()
    if data.draw(st.booleans(), "the last dump was the same, but whole"):
        decode(b"".join(entries), decoder=decoder)
    try:
        batch = decode(bytes(block), decoder=decoder)
    except MalformedMessage:
        return
    cut, start = [], 0
    while start < len(block):
        length = int.from_bytes(block[start : start + 4], "little")
        cut.append(bytes(block[start : start + length]))
        start += length + -length % 4
    same_rows(batch, cut)


@pytest.mark.parametrize("path", DUMPS, ids=lambda path: path.stem)
def test_a_recorded_dump_of_a_real_table_is_decoded_as_pyroute2_decodes_it(path: Path) -> None:
    block = path.read_bytes()
    seq = int.from_bytes(block[8:12], "little")
    batch = decode(block, seq=seq)
    start, theirs = 0, []
    while start < len(block):
        length = int.from_bytes(block[start : start + 4], "little")
        entry = oracle(block[start : start + length])
        theirs.append({name: entry.get(name, 0) for name in COLUMNS if name not in {"has", "sampled_s", "zone"}})
        start += length + -length % 4
    ours = [{name: row[name] for name in row if name not in {"has", "sampled_s", "zone"}} for row in rows_of(batch)]
    assert sorted(ours, key=repr) == sorted(theirs, key=repr)
    assert len(ours) >= 10


def test_recorded_dumps_are_there() -> None:
    assert len(DUMPS) >= 2


def test_columns_have_the_types_that_are_declared() -> None:
    batch = decode(tcp(1))
    for name, dtype in COLUMNS.items():
        assert batch.columns[name].dtype == np.dtype("u8" if dtype == "u8,u8" else dtype)


def test_absent_counters_are_not_zero_counters() -> None:
    src, dst = bytes(4), bytes(4)
    tuples = [nest(kind, nest(1, attr(1, src), attr(2, dst)), nest(2, attr(1, b"\x32"))) for kind in (1, 2)]
    uncounted = message(2, *tuples)
    counted = message(
        2, *tuples, nest(9, attr(1, bytes(8)), attr(2, bytes(8))), nest(10, attr(1, bytes(8)), attr(2, bytes(8)))
    )
    batch = decode(uncounted + counted)
    assert sorted(batch.columns["has"].tolist()) == [0, int(Has.COUNTERS)]
