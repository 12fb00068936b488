from collections.abc import Callable
from dataclasses import replace
from ipaddress import ip_address
from typing import Any

import pytest

from testbed import conntrack
from testbed.entries import HELPER_RULE, LABEL_RULE, SPECIAL, Entry, Proto, TcpState, mix
from testbed.inject import InjectError, inject
from testbed.netns import Namespace

pytestmark = pytest.mark.kernel


def _tuples(entry: Entry) -> tuple[object, ...]:
    """Both directions, in what conntrack prints of them."""
    return (
        str(entry.orig.src), entry.orig.sport, str(entry.orig.dst), entry.orig.dport,
        str(entry.reply.src), entry.reply.sport, str(entry.reply.dst), entry.reply.dport,
        entry.orig.proto, entry.orig.icmp_type, entry.orig.icmp_id,
    )  # fmt: skip


def _listed_tuples(listed: dict[str, Any]) -> tuple[object, ...]:
    return (
        str(ip_address(listed["src"])), listed["sport"], str(ip_address(listed["dst"])), listed["dport"],
        str(ip_address(listed["reply_src"])), listed["reply_sport"],
        str(ip_address(listed["reply_dst"])), listed["reply_dport"],
        listed["protonum"], listed["icmp_type"], listed["icmp_id"],
    )  # fmt: skip


def test_ten_thousand_entries_are_in_the_table_as_they_were_made(namespace: Namespace) -> None:
    entries = list(mix(10_000))
    assert inject(namespace, entries) == 10_000
    assert conntrack.count(namespace) == 10_000
    listed = {_listed_tuples(entry): entry for entry in conntrack.listing(namespace)}
    assert listed.keys() == {_tuples(entry) for entry in entries}
    for entry in entries:
        found = listed[_tuples(entry)]
        assert (found["mark"], found["zone"]) == (entry.mark, entry.zone)
        assert found["state"] == (TcpState(entry.state).name if entry.state is not None else None)
        assert entry.timeout - 60 < found["timeout"] <= entry.timeout
        assert found["orig_bytes"] == 0
        assert found["start_ns"] > 0


def test_the_mix_is_the_same_for_the_same_seed_and_has_no_tuple_twice() -> None:
    entries = list(mix(100_000, labels=0.01))
    assert entries[:500] == list(mix(500, labels=0.01))
    assert len({entry.orig for entry in entries}) == len({entry.reply for entry in entries}) == 100_000


@pytest.mark.parametrize("feature", [
    lambda entry: entry.orig.proto == Proto.TCP and entry.state == TcpState.TIME_WAIT,
    lambda entry: entry.orig.proto == Proto.UDP,
    lambda entry: entry.orig.proto == Proto.ICMP,
    lambda entry: entry.orig.proto == Proto.ICMPV6,
    lambda entry: entry.snat and entry.dnat,
    lambda entry: entry.mark and entry.zone,
    lambda entry: entry.labels,
])  # fmt: skip
def test_the_mix_has_everything_that_is_common(feature: Callable[[Entry], bool]) -> None:
    assert any(map(feature, mix(1_000, labels=0.05)))


def test_one_of_everything_is_accepted_by_the_kernel(namespace: Namespace) -> None:
    namespace.nft(LABEL_RULE)
    namespace.nft(HELPER_RULE)
    assert inject(namespace, SPECIAL.values()) == len(SPECIAL)
    listed = {_listed_tuples(entry): entry for entry in conntrack.listing(namespace)}
    # the generic tracker of DCCP holds ports of 0
    expected = {name: _tuples(entry) for name, entry in SPECIAL.items() if name != "dccp"}
    assert set(expected.values()) <= listed.keys()
    assert listed[expected["sctp-v6"]]["state"] == "COOKIE_WAIT"
    assert listed[expected["everything"]]["helper"] == "ftp"
    assert listed[expected["zone"]]["zone"] == 65_535
    assert listed[expected["udp-unreplied"]]["unreplied"]


def test_a_refused_entry_is_an_error_that_names_it(namespace: Namespace) -> None:
    entry = SPECIAL["mark"]
    with pytest.raises(InjectError, match="1 entries refused, first number 1: File exists"):
        inject(namespace, [entry, replace(entry, mark=1), SPECIAL["snat"]])
    assert conntrack.count(namespace) == 2


def test_without_accounting_there_are_no_counters() -> None:
    with Namespace() as host:
        inject(host, mix(3))
        for entry in conntrack.listing(host):
            assert entry["orig_bytes"] is None
            assert entry["start_ns"] is None
