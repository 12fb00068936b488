import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowtopd.netlink.ctentry import decode_entry
from flowtopd.netlink.nlmsg import MalformedMessage
from tests.flowtopd.netlink.ctmessages import attr, ip, message, messages, nest, ports, tcp
from tests.flowtopd.netlink.oracle import ORACLE_IGNORES, oracle

OURS_ALONE = ORACLE_IGNORES | {"tcp_flags_orig", "tcp_flags_reply"}


@given(messages())
def test_every_entry_is_decoded_as_pyroute2_decodes_it(one: bytes) -> None:
    entry = decode_entry(one, 0, len(one))
    assert {name: value for name, value in entry.items() if name not in OURS_ALONE} == oracle(one)


def test_what_pyroute2_does_not_know_is_decoded() -> None:
    one = tcp(1, nest(5, attr(1, b"ftp\0"), nest(2, attr(1, b"x"))), attr(18, b"\x00\x09"))
    entry = decode_entry(one, 0, len(one))
    assert (entry["helper"], entry["zone"], entry["tcp_flags_orig"]) == ("ftp", 9, b"\0\0")


def test_a_zone_of_one_direction_stands_in_the_tuple() -> None:
    src, dst = b"\x0a\0\0\1", b"\x0a\0\0\2"
    one = message(2, ip(1, src, dst, ports(17, 1, 2), attr(3, b"\0\x07")), ip(2, dst, src, ports(17, 2, 1)))
    assert decode_entry(one, 0, len(one))["zone"] == 7


def test_a_message_in_the_middle_of_a_buffer_is_decoded() -> None:
    one = tcp(3)
    assert decode_entry(b"\xff" * 8 + one + b"\xff" * 8, 8, 8 + len(one)) == decode_entry(one, 0, len(one))


def test_a_message_without_a_tuple_is_refused_with_its_offset() -> None:
    one = message(2, attr(3, bytes(4)))
    with pytest.raises(MalformedMessage, match=r"^offset 0: no src, dst, proto") as caught:
        decode_entry(one, 0, len(one))
    assert caught.value.offset == 0


def refusal(broken: bytes) -> MalformedMessage | None:
    try:
        decode_entry(broken, 0, len(broken))
    except MalformedMessage as error:
        return error
    return None


@given(messages(), st.data())
def test_a_cut_message_is_refused_or_loses_whole_attributes(one: bytes, data: st.DataObject) -> None:
    cut = one[: data.draw(st.integers(0, len(one) - 1))]
    if error := refusal(cut):
        assert 0 <= error.offset <= len(cut)
    else:
        assert decode_entry(cut, 0, len(cut)).items() <= decode_entry(one, 0, len(one)).items()


@given(messages(), st.data())
def test_a_length_that_lies_never_crashes(one: bytes, data: st.DataObject) -> None:
    at = data.draw(st.integers(16, len(one) - 2))
    broken = one[:at] + data.draw(st.binary(min_size=2, max_size=2)) + one[at + 2 :]
    error = refusal(broken)
    assert error is None or 0 <= error.offset <= len(one)


def test_a_value_of_the_wrong_size_is_refused_where_it_stands() -> None:
    one = tcp(1, attr(8, b"\0\0"))  # CTA_MARK is 4 bytes
    with pytest.raises(MalformedMessage, match="mark of 2 bytes, not 4") as caught:
        decode_entry(one, 0, len(one))
    assert caught.value.offset == len(one) - 4
