"""Requests for an entry name it as those of deletion do. What the kernel answers: tests/flowtopd/enrich."""

import pytest
from hypothesis import given

from flowtopd.netlink import uapi
from flowtopd.netlink.ctdelete import delete_request
from flowtopd.netlink.ctentry import PAYLOAD, decode_entry
from flowtopd.netlink.ctget import get_request
from flowtopd.netlink.nlmsg import NLMSGHDR, attributes
from tests.flowtopd.netlink.ctmessages import messages
from tests.flowtopd.netlink.test_ctdelete import ENTRY


def parts(one: bytes) -> dict[int, bytes]:
    return {kind: one[start:end] for kind, start, end in attributes(one, PAYLOAD, len(one))}


@given(messages())
def test_it_has_the_tuple_and_zone_with_which_the_entry_would_be_deleted(one: bytes) -> None:
    entry = {"ctid": 7} | decode_entry(one, 0, len(one))
    asked, deleted = parts(get_request(entry, 9, 1)), parts(delete_request(entry, 9, 1))
    assert asked == {kind: deleted[kind] for kind in (uapi.CTA_TUPLE_ORIG, uapi.CTA_ZONE)}


def test_without_a_zone_it_has_none_and_is_neither_a_dump_nor_acknowledged() -> None:
    asked = get_request(ENTRY, 0, 77)
    assert list(parts(asked)) == [uapi.CTA_TUPLE_ORIG]
    length, kind, flags, seq, _ = NLMSGHDR.unpack_from(asked)
    assert (length, kind, flags, seq) == (len(asked), 1 << 8 | 1, uapi.NLM_F_REQUEST, 77)
    assert asked[NLMSGHDR.size] == ENTRY["family"]


@pytest.mark.parametrize("missing", ["src", "dst", "proto", "family"])
def test_an_entry_that_is_not_named_in_full_is_never_asked_for(missing: str) -> None:
    with pytest.raises(KeyError, match=missing):
        get_request({name: value for name, value in ENTRY.items() if name != missing}, 0, 1)
