from typing import Any

import pytest

from testbed import conntrack, packets
from testbed.netns import Namespace

pytestmark = pytest.mark.kernel


def _entry(namespace: Namespace, proto: str) -> dict[str, Any]:
    (entry,) = [entry for entry in conntrack.listing(namespace) if entry["proto"] == proto]
    return entry


@pytest.mark.parametrize(("address", "proto", "kind"), [("127.0.0.1", "icmp", 8), ("::1", "icmpv6", 128)])
def test_ping_makes_an_answered_flow(namespace: Namespace, address: str, proto: str, kind: int) -> None:
    ident = packets.ping(namespace, address, ident=4242)
    entry = _entry(namespace, proto)
    assert (entry["icmp_type"], entry["icmp_code"], entry["icmp_id"]) == (kind, 0, ident)
    assert (entry["orig_packets"], entry["reply_packets"]) == (1, 1)


def test_ping_of_nobody_times_out(namespace: Namespace) -> None:
    namespace.run(["ip", "route", "add", "blackhole", "192.0.2.0/24"])
    with pytest.raises((TimeoutError, OSError)):
        packets.ping(namespace, "192.0.2.1", timeout=0.1)


def test_gre_is_tracked(namespace: Namespace) -> None:
    packets.gre(namespace, "127.0.0.1")
    assert (_entry(namespace, "gre")["sport"], _entry(namespace, "gre")["dport"]) == (0, 0)


def test_gre_of_pptp_has_a_key(namespace: Namespace) -> None:
    packets.gre(namespace, "127.0.0.1", call_id=77)
    assert _entry(namespace, "gre")["dport"] == 77


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_sctp_init_is_valid_to_the_kernel(namespace: Namespace, address: str) -> None:
    packets.sctp_init(namespace, address, 1000, 2000)
    entry = _entry(namespace, "sctp")
    assert (entry["sport"], entry["dport"], entry["state"]) == (1000, 2000, "CLOSED")


def test_crc32c_is_that_of_the_rfc() -> None:
    assert packets.crc32c(b"123456789") == 0xE306_9283  # RFC 3720 B.4 uses the same polynomial
