from typing import Any

import pytest

from bench.compare.accuracy import Sample, different, payload_rate


def test_headers_are_taken_off_by_the_number_of_packets_that_had_them() -> None:
    samples = [Sample(1, 0, 10), Sample(1, 50, 110), Sample(1, 1_520, 120), Sample(1, 1_520, 130), Sample(1, 70, 140)]
    assert payload_rate(samples, header=52) == pytest.approx(1_000)


def test_ticks_of_another_length_weigh_as_much_as_they_last() -> None:
    samples = [Sample(1, 1, 0), Sample(3, 100, 0), Sample(1, 500, 0), Sample(1, 1, 0)]
    assert payload_rate(samples, header=0) == pytest.approx((3 * 100 + 500) / 4)


def test_too_little_traffic_is_no_rate() -> None:
    with pytest.raises(ValueError, match="fewer than three"):
        payload_rate([Sample(1, 0, 0), Sample(1, 9, 9), Sample(1, 9, 9)], header=0)


def flow(**changed: Any) -> dict[str, Any]:
    ends = dict.fromkeys(("src", "dst", "reply_src", "reply_dst"), "1.1.1.1")
    ports = dict.fromkeys(("sport", "dport", "reply_sport", "reply_dport"), 1)
    rest = dict.fromkeys(("state", "icmp_type", "icmp_code", "icmp_id", "mark", "zone"))
    counters = dict.fromkeys(("orig_packets", "orig_bytes", "reply_packets", "reply_bytes"), 0)
    return {"family": "ipv4", "proto": "tcp", **ends, **ports, **rest, **counters, **changed}


def test_a_flow_is_the_same_only_in_every_field() -> None:
    assert different([flow()], [flow()]) == (0, 0)
    assert different([flow()], [flow(reply_bytes=1)]) == (1, 1)
    assert different([], [flow()]) == (1, 0)
    assert different([flow(), flow()], [flow()]) == (0, 1)


def test_a_protocol_that_conntrack_has_no_name_for_is_the_same_by_its_number() -> None:
    assert different([flow(proto="igmp")], [flow(proto="2")]) == (0, 0)
