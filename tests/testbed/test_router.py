import pytest

from testbed import conntrack
from testbed.packets import ping
from testbed.router import ROUTER_V4, WAN_ADDRESSES, Router

pytestmark = pytest.mark.kernel


def test_every_lan_host_reaches_the_wan_through_masquerade(router: Router) -> None:
    assert conntrack.count(router.router) == 0
    for host in router.lan:
        for address in WAN_ADDRESSES:
            ping(host, address)
    entries = conntrack.listing(router.router)
    assert {(entry["src"], entry["dst"]) for entry in entries} == {
        (host, address)
        for v4, v6 in (("192.168.1.11", "fd00:1::11"), ("192.168.1.12", "fd00:1::12"))
        for host, address in ((v4, "1.1.1.1"), (v4, "8.8.8.8"), (v6, "2606:4700::1111"))
    }
    assert {entry["reply_dst"] for entry in entries} == {ROUTER_V4, "2001:db8::1"}
    assert all(entry["reply_packets"] >= 1 for entry in entries)
