import pytest
from hypothesis import given

from flowtopd.flows.entry import entry
from flowtopd.flows.snapshot import Moment
from flowtopd.flows.table import FlowTable
from flowtopd.netlink.ctentry import decode_entry
from flowtopd.netlink.ctnetlink import Decoder
from tests.flowtopd.batches import Flow, snapshot
from tests.flowtopd.netlink.ctmessages import SEQ, messages

NAMED = ("family", "src", "dst", "proto", "sport", "dport", "icmp_id", "icmp_type", "icmp_code")


@given(messages())
def test_a_row_is_the_entry_that_the_kernel_has_sent(one: bytes) -> None:
    decoder = Decoder()
    decoder.begin(1)
    decoder.feed(one, SEQ, 0.0)
    taken = FlowTable().apply(decoder.finish(), Moment(0.0, 0.0))
    sent, made = decode_entry(one, 0, len(one)), entry(taken, 0)
    for name in NAMED:
        assert made.get(name, 0) == sent.get(name, 0), name
    assert (made["ctid"], made["zone"]) == (sent.get("ctid", 0), sent.get("zone", 0))


@pytest.mark.parametrize(
    ("flow", "carried"),
    [
        (Flow(), {"sport", "dport"}),
        (Flow(proto=1, sport=None, icmp=(8, 0, 7)), {"icmp_type", "icmp_code", "icmp_id"}),
        (Flow(proto=50, sport=None), set()),
    ],
)
def test_it_has_the_fields_of_its_protocol_and_no_others(flow: Flow, carried: set[str]) -> None:
    """The kernel refuses a request with ports for what has none."""
    assert set(entry(snapshot(flow), 0)) == {"family", "proto", "ctid", "zone", "src", "dst", *carried}
