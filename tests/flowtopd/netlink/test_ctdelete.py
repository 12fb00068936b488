"""Requests of deletion name the entry that was decoded, in full. What the kernel does: tests/flowtopd/system."""

import pytest
from hypothesis import given

from flowtopd.netlink import uapi
from flowtopd.netlink.ctdelete import delete_request
from flowtopd.netlink.ctentry import IPV4_MAPPED, PAYLOAD, decode_entry
from flowtopd.netlink.nlmsg import NLMSGHDR, attributes
from tests.flowtopd.netlink.ctmessages import messages

NAMED = ("src", "dst", "proto", "sport", "dport", "icmp_id", "icmp_type", "icmp_code")
ENTRY = {"family": 2, "src": IPV4_MAPPED | 1, "dst": IPV4_MAPPED | 2, "proto": 17, "sport": 3, "dport": 4, "ctid": 5}


def kinds(one: bytes) -> list[int]:
    return [kind for kind, _, _ in attributes(one, PAYLOAD, len(one))]


@given(messages())
def test_the_request_has_the_tuple_zone_and_id_of_the_entry(one: bytes) -> None:
    entry = {"ctid": 7} | decode_entry(one, 0, len(one))
    asked = delete_request(entry, 9, 1)
    # the decoder wants a reply too: here the original tuple again, under the number of the reply
    (tuple_end,) = [end for kind, _, end in attributes(asked, PAYLOAD, len(asked)) if kind == uapi.CTA_TUPLE_ORIG]
    original = asked[PAYLOAD:tuple_end]
    as_reply = original[:2] + bytes((uapi.CTA_TUPLE_REPLY, original[3])) + original[4:]
    decoded = decode_entry(asked + as_reply, 0, len(asked) + len(as_reply))
    wanted = {name: entry[name] for name in NAMED if name in entry}
    assert {name: decoded[name] for name in NAMED if name in decoded} == wanted
    assert (decoded["family"], decoded["zone"], decoded["ctid"]) == (entry["family"], 9, entry["ctid"])


def test_a_request_without_a_zone_has_none_and_is_acknowledged() -> None:
    asked = delete_request(ENTRY, 0, 77)
    assert kinds(asked) == [uapi.CTA_TUPLE_ORIG, uapi.CTA_ID]
    length, kind, flags, seq, _ = NLMSGHDR.unpack_from(asked)
    assert (length, kind, seq) == (len(asked), 1 << 8 | 2, 77)
    assert flags == uapi.NLM_F_REQUEST | uapi.NLM_F_ACK


@pytest.mark.parametrize("missing", ["ctid", "src", "dst", "proto", "family"])
def test_an_entry_that_is_not_named_in_full_is_never_asked_for(missing: str) -> None:
    """The kernel takes a request without a tuple for one that means the whole table."""
    with pytest.raises(KeyError, match=missing):
        delete_request({name: value for name, value in ENTRY.items() if name != missing}, 0, 1)
