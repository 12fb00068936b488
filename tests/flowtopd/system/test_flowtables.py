"""flowtopd.system.flowtables: the kernel's list of flowtables, and how often it is asked for.

The bytes are those that nf_tables_fill_flowtable_info() in net/netfilter/nf_tables_api.c writes; many kernels have no
flowtables to be asked for.
"""

import struct

import pytest

from flowtopd.netlink.nlmsg import NFGENMSG, MalformedMessage, attribute, request
from flowtopd.system.flowtables import FRESH_S, Flowtables, freezes, uncounted_in
from testbed.netns import Namespace

SEQ = 7
DONE = request(0x3, 0x2, SEQ, struct.pack("=i", 0))
REFUSED = request(0x2, 0, SEQ, struct.pack("=i", -95))


def flowtable(flags: int | None, seq: int = SEQ) -> bytes:
    """One flowtable. Kernels before 5.7 have no attribute for flags."""
    parts = attribute(1, b"filter\0") + attribute(2, b"ft\0") + attribute(4, struct.pack(">I", 1))
    parts += attribute(5, struct.pack(">Q", 3))
    parts += b"" if flags is None else attribute(7, struct.pack(">I", flags))
    return request(10 << 8 | 22, 0x2, seq, NFGENMSG.pack(1, 0, 0) + parts)


@pytest.mark.parametrize(
    ("block", "answer"),
    [
        (DONE, (False, True)),
        (REFUSED, (False, True)),
        (flowtable(2) + DONE, (False, True)),
        (flowtable(3) + DONE, (False, True)),
        (flowtable(0) + DONE, (True, True)),
        (flowtable(1) + DONE, (True, True)),
        (flowtable(None) + DONE, (True, True)),
        (flowtable(2) + flowtable(0), (True, False)),
        (flowtable(0) + flowtable(2), (True, False)),
        (flowtable(0, seq=6) + DONE, (False, True)),
        (b"", (False, False)),
    ],
)
def test_a_flowtable_without_the_flag_freezes(block: bytes, answer: tuple[bool, bool]) -> None:
    assert uncounted_in(block, SEQ) == answer


def test_lengths_that_lie_are_refused() -> None:
    whole = flowtable(0)
    for broken in (whole[:-4], struct.pack("=I", 3) + whole[4:]):
        with pytest.raises(MalformedMessage):
            uncounted_in(broken, SEQ)


def test_the_kernel_is_asked_again_only_after_a_while() -> None:
    now, answers = 100.0, [True, False]
    tables = Flowtables(lambda: answers.pop(0), monotonic=lambda: now)
    assert tables.freeze()
    now += FRESH_S - 0.1
    assert tables.freeze()
    now += 0.1
    assert not tables.freeze()
    assert not answers


@pytest.mark.kernel
def test_a_namespace_without_flowtables_freezes_nothing(namespace: Namespace) -> None:
    with namespace.entered():
        assert freezes() is False
