"""flowtopd.netlink.ctsource: the source of a flow, against the decoder that reads everything."""

import numpy as np
import pytest

from flowtopd.netlink.ctentry import decode_entry
from flowtopd.netlink.ctsource import sources
from flowtopd.netlink.datagrams import Subscription, open_new_flows
from flowtopd.netlink.nlmsg import Split
from testbed.entries import mix
from testbed.inject import inject
from testbed.netns import Namespace, wait_until
from tests.flowtopd.netlink.ctmessages import attr, ip, message, ports, tcp

V6 = bytes.fromhex("20010db8000000010000000000000002")


def split(*messages: bytes) -> tuple[memoryview, Split]:
    block = b"".join(one.ljust(512, b"\0") for one in messages)
    offsets = np.arange(len(messages), dtype=np.intp) * 512
    return memoryview(block), Split(offsets, np.array([len(one) for one in messages]), interrupted=False)


def tcp6() -> bytes:
    return message(10, ip(1, V6, V6[::-1], ports(6, 1, 2)), ip(2, V6[::-1], V6, ports(6, 2, 1)))


def test_both_families_are_told() -> None:
    block, found = split(tcp(5), tcp6(), tcp(6))
    addresses, known = sources(block, found)
    assert known.all()
    assert addresses.tolist() == [
        [0, 0xFFFF_0A00_0005],
        [int.from_bytes(V6[:8]), int.from_bytes(V6[8:])],
        [0, 0xFFFF_0A00_0006],
    ]


@pytest.mark.parametrize(
    "other",
    [
        tcp()[:60],
        message(2),
        message(2, attr(3, bytes(4)), ip(1, bytes(4), bytes(4), ports(6, 1, 2)), ip(2, bytes(4), bytes(4))),
        message(2, ip(2, bytes(4), bytes(4), ports(6, 1, 2)), ip(1, bytes(4), bytes(4), ports(6, 1, 2))),
    ],
    ids=["cut", "nothing in it", "another attribute first", "the reply first"],
)
def test_what_begins_in_another_way_is_not_known_and_the_others_are(other: bytes) -> None:
    block, found = split(tcp(5), other, tcp(6))
    _addresses, known = sources(block, found)
    assert known.tolist() == [True, False, True]


def test_the_last_message_may_end_where_the_block_does() -> None:
    short = message(2)
    _addresses, known = sources(short, Split(np.zeros(1, np.intp), np.array([len(short)]), interrupted=False))
    assert known.tolist() == [False]


@pytest.mark.kernel
def test_all_events_of_a_real_table_are_known_and_agree_with_the_decoder(namespace: Namespace) -> None:
    flows = 200
    with namespace.entered():
        heard = Subscription(open_new_flows)
    try:
        inject(namespace, mix(flows))
        seen = 0

        def all_seen() -> bool:
            nonlocal seen
            block, new, _ended = heard.receive()
            addresses, known = sources(block, new)
            assert known.all()
            for (high, low), at, length in zip(addresses.tolist(), new.offsets, new.lengths, strict=True):
                assert high << 64 | low == mapped(decode_entry(block, int(at), int(at + length)))
            seen += len(new.offsets)
            return seen == flows

        wait_until(all_seen)
    finally:
        heard.close()


def mapped(entry: dict[str, int]) -> int:
    return entry["src"] | (0xFFFF << 32 if entry["family"] == 2 else 0)
