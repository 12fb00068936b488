"""flowtopd.enrich.lan.lan: real neighbours, a real DHCP server and its client, and what fails."""

import contextlib
import errno
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from flowtopd.enrich.lan.lan import Lan, Neighbourhood
from flowtopd.enrich.lan.leases import dnsmasq
from flowtopd.enrich.lan.leases.files import Server
from flowtopd.enrich.lan.leases.lease import Address, address_in
from flowtopd.flows.dimensions import Device, Where
from flowtopd.netlink.nlsocket import open_route
from testbed.dhcp import Dnsmasq, lease, release
from testbed.netns import Namespace, wait_until
from testbed.packets import ping
from testbed.router import Router

pytestmark = pytest.mark.kernel

PHONE = "00:1e:c2:9e:28:6b"


def at(text: str) -> Address:
    address = address_in(text)
    assert address is not None
    return address


def made(tmp_path: Path, open_socket: Callable[[], socket.socket] = open_route) -> Lan:
    (tmp_path / "oui.txt").write_text("00-1E-C2   (hex)\t\tApple, Inc.\n001EC2     (base 16)\t\tApple, Inc.\n")
    return Lan(
        open_socket,
        servers=[Server(dnsmasq.read, (tmp_path / "dnsmasq.leases",))],
        ethers_file=tmp_path / "ethers",
        vendor_directories=[tmp_path],
        host_name=lambda: "gateway",
    )


@pytest.fixture
def lan(router: Router, tmp_path: Path) -> Iterator[Lan]:
    """Looks in the router's namespace."""

    def opened() -> socket.socket:
        with router.router.entered():
            return open_route()

    looking = made(tmp_path, opened)
    yield looking
    looking.close()


def where(found: Neighbourhood, *addresses: str) -> list[str]:
    halves = np.array([at(text) for text in addresses], np.uint64)
    return [Where(code).name for code in found.networks.where(halves).tolist()]


def mac_of(namespace: Namespace, device: str = "eth0") -> str:
    return namespace.run(["cat", f"/sys/class/net/{device}/address"]).strip()


def test_a_router_knows_its_hosts_and_where_they_are(router: Router, lan: Lan) -> None:
    found = lan.look()
    for number, host in enumerate(router.lan, 1):
        for address in (f"192.168.1.1{number}", f"fd00:1::1{number}"):
            assert found.devices[at(address)] == Device(None, mac_of(host), None)
    assert found.devices[at("192.168.1.1")] == Device("gateway", mac_of(router.router, "lan0"), None)
    assert found.devices[at("203.0.113.2")] == Device(None, mac_of(router.wan), None)
    assert found.devices[at("127.0.0.1")] == Device("gateway")
    assert where(found, "192.168.1.1", "192.168.1.11", "fd00:1::11", "203.0.113.2", "1.1.1.1", "192.168.1.255") == [
        *("HOST", "LAN", "LAN", "UPLINK", "REMOTE", "GROUP")
    ]


def test_nothing_new_is_the_very_same_object(router: Router, lan: Lan) -> None:
    wait_until(lambda: lan.look() is lan.look())
    found = lan.look()
    # traffic alone changes states and times of neighbours, and nothing that we show
    ping(router.lan[0], "192.168.1.1")
    assert lan.look() is found
    router.router.run(["ip", "link", "add", "spare", "type", "bridge"])
    assert lan.look() is found, "an interface without an address"


def test_a_change_of_a_neighbour_shows_at_the_next_look(router: Router, lan: Lan) -> None:
    before = lan.look()
    router.router.run(["ip", "neigh", "replace", "192.168.1.77", "lladdr", PHONE, "dev", "lan0", "nud", "stale"])
    found = lan.look()
    assert found.devices[at("192.168.1.77")] == Device(None, PHONE, "Apple, Inc.")
    assert found.networks is before.networks
    router.router.run(["ip", "neigh", "replace", "192.168.1.77", "lladdr", "02:00:00:00:00:09", "dev", "lan0"])
    assert lan.look().devices[at("192.168.1.77")] == Device(None, "02:00:00:00:00:09", None)
    router.router.run(["ip", "neigh", "del", "192.168.1.77", "dev", "lan0"])
    assert at("192.168.1.77") not in lan.look().devices


def test_a_change_of_an_address_or_a_route_shows_at_the_next_look(router: Router, lan: Lan) -> None:
    before = lan.look()
    assert where(before, "192.168.7.1", "192.168.7.2", "10.1.1.1") == ["REMOTE", "REMOTE", "REMOTE"]
    router.router.run(["ip", "address", "add", "192.168.7.1/24", "dev", "lan0"])
    router.router.run(["ip", "route", "add", "10.0.0.0/8", "via", "192.168.1.12"])
    found = lan.look()
    assert found.networks != before.networks
    assert where(found, "192.168.7.1", "192.168.7.2", "10.1.1.1") == ["HOST", "LAN", "LAN"]
    router.router.run(["ip", "route", "del", "default"])
    assert where(lan.look(), "203.0.113.2", "192.168.100.1") == ["UPLINK", "LAN"], "IPv6 has its default still"


def test_a_lease_names_a_device_in_both_families_and_its_end_takes_the_name(
    router: Router, lan: Lan, tmp_path: Path
) -> None:
    phone = router.lan[1]
    phone.run(["ip", "link", "set", "eth0", "address", PHONE])
    router.router.run(["ip", "neigh", "flush", "dev", "lan0"])
    with Dnsmasq(router.router, "lan0", "192.168.1.100,192.168.1.199", tmp_path) as server:
        address = lease(phone, "eth0", "phone")
        assert address.startswith("192.168.1.1")
        wait_until(lambda: at(address) in lan.look().devices)
        expected = Device("phone", PHONE, "Apple, Inc.")
        assert lan.look().devices[at(address)] == expected, "before it has sent one packet"
        phone.run(["ip", "address", "add", f"{address}/24", "dev", "eth0"])
        ping(router.router, address)
        for host, target in ((phone, "192.168.1.1"), (phone, "fd00:1::1"), (router.lan[0], "192.168.1.1")):
            ping(host, target)
        found = lan.look()
        assert [found.devices[at(one)] for one in (address, "192.168.1.12", "fd00:1::12")] == [expected] * 3
        assert found.devices[at("192.168.1.11")].name is None
        release(phone, "eth0", address, "192.168.1.1")
        wait_until(lambda: lan.look().devices[at(address)].name is None)
        assert server.leases.read_text() == ""
        assert lan.look().devices[at(address)] == Device(None, PHONE, "Apple, Inc.")


def test_ethers_names_a_device(router: Router, lan: Lan, tmp_path: Path) -> None:
    lan.look()
    (tmp_path / "ethers").write_text(f"{mac_of(router.lan[0])} desk\n")
    found = lan.look()
    assert [found.devices[at(one)].name for one in ("192.168.1.11", "fd00:1::11", "192.168.1.12")] == [
        *("desk", "desk", None)
    ]


def test_while_the_kernel_cannot_be_asked_what_was_known_stands(
    router: Router, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    refused: list[bool] = []

    def opened() -> socket.socket:
        if refused:
            raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))
        with router.router.entered():
            return open_route()

    with contextlib.closing(made(tmp_path, opened)) as lan:
        found = lan.look()
        lan.close()
        refused.append(True)
        assert lan.look() is lan.look() is found
        assert [record.getMessage() for record in caplog.records] == [
            "the local network cannot be read: [Errno 1] Operation not permitted"
        ]
        refused.clear()
        router.router.run(["ip", "address", "add", "192.168.7.1/24", "dev", "lan0"])
        assert where(lan.look(), "192.168.7.1") == ["HOST"]


def test_a_host_whose_kernel_was_never_asked_has_its_loopback(tmp_path: Path) -> None:
    def refused() -> socket.socket:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    with contextlib.closing(made(tmp_path, refused)) as lan:
        found = lan.look()
    assert where(found, "127.0.0.1", "::1", "8.8.8.8") == ["HOST", "HOST", "REMOTE"]
    assert found.devices == {}


def test_a_look_that_is_closed_leaves_nothing_open(lan: Lan) -> None:
    before = set(Path("/proc/self/fd").iterdir())
    lan.look()
    lan.close()
    assert set(Path("/proc/self/fd").iterdir()) == before
    assert at("192.168.1.11") in lan.look().devices, "and may look again"
