"""flowtopd.enrich.lan.kernel: the real kernel of the router laboratory."""

from collections.abc import Iterator

import pytest

from flowtopd.enrich.lan.kernel import MOST, Kernel
from flowtopd.netlink.rtnetlink import Address
from testbed.netns import Namespace
from testbed.router import Router

pytestmark = pytest.mark.kernel

PRIVATE_B = 0xFFFF_AC10_0000


@pytest.fixture
def kernel() -> Iterator[Kernel]:
    made = Kernel()
    yield made
    made.close()


def macs(router: Router) -> dict[Address, bytes]:
    with router.router.entered():
        kernel = Kernel()
        try:
            return {one.address: one.mac for one in kernel.neighbours()}
        finally:
            kernel.close()


def test_the_neighbours_of_a_router_are_its_hosts(router: Router) -> None:
    found = macs(router)
    for number, host in enumerate(router.lan, 1):
        mac = bytes.fromhex(host.run(["cat", "/sys/class/net/eth0/address"]).strip().replace(":", ""))
        assert found[0, 0xFFFF_C0A8_010A + number] == mac
        assert found[0xFD00_0001_0000_0000, 0x10 + number] == mac


@pytest.mark.parametrize("state", ["failed", "incomplete", "noarp"])
def test_who_does_not_answer_is_no_neighbour(namespace: Namespace, kernel: Kernel, state: str) -> None:
    namespace.run(["ip", "link", "add", "lan0", "type", "bridge"])
    namespace.run(["ip", "link", "set", "lan0", "up"])
    for number, nud in ((17, "stale"), (18, state)):
        mac = [] if state == "incomplete" and number == 18 else ["lladdr", f"02:00:00:00:00:{number:02}"]
        namespace.run(["ip", "neigh", "add", f"172.16.0.{number}", *mac, "dev", "lan0", "nud", nud])
    with namespace.entered():
        assert [one.address for one in kernel.neighbours()] == [(0, PRIVATE_B + 17)]


def test_routes_of_other_tables_and_kinds_are_left_out(namespace: Namespace, kernel: Kernel) -> None:
    batch = "link add lan0 type bridge\nlink set lan0 up\naddress add 172.16.0.1/24 dev lan0\n"
    batch += (
        "route add default via 172.16.0.2 table 7\nroute add blackhole 10.0.0.0/8\nroute add 10.1.0.0/16 dev lan0\n"
    )
    namespace.run(["ip", "-batch", "-"], stdin=batch)
    with namespace.entered():
        destinations = [route.destination.low for route in kernel.wiring().routes if route.family == 2]
    assert destinations == [0xFFFF_0A01_0000, PRIVATE_B]


def test_of_a_table_without_end_the_default_route_is_read(namespace: Namespace, kernel: Kernel) -> None:
    """As on a router that speaks BGP; its connected networks are in its addresses."""
    batch = "link add lan0 type bridge\nlink set lan0 up\naddress add 172.16.0.1/24 dev lan0\n"
    batch += "route add default via 172.16.0.2\n"
    batch += "".join(f"route add 20.{n >> 8}.{n & 255}.0/24 via 172.16.0.2\n" for n in range(MOST + 9))
    namespace.run(["ip", "-batch", "-"], stdin=batch)
    with namespace.entered():
        wirings = [kernel.wiring() for _ in range(2)]  # again, though the first dump was left in the middle
    for wiring in wirings:
        assert len([route for route in wiring.routes if route.family == 2]) == MOST
        assert wiring.routes[0].destination.bits == 96
    assert [one.address for one in wiring.addresses if one.index != 1 and one.address[0] == 0] == [(0, PRIVATE_B + 1)]
