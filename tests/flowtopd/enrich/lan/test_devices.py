"""flowtopd.enrich.lan.devices: what names and MACs an address gets, from whom."""

from collections.abc import Iterable

import pytest

from flowtopd.enrich.lan.devices import Names, devices
from flowtopd.enrich.lan.kernel import Wiring
from flowtopd.enrich.lan.leases.lease import Address, Lease, address_in
from flowtopd.enrich.lan.networks import Networks
from flowtopd.flows.dimensions import Device
from flowtopd.netlink.rtnetlink import Link, Neighbour, OwnAddress, Route, prefix

LO, WAN, HOME = 1, 2, 3
STALE, REACHABLE = 0x04, 0x02
MAC, OTHER = "00:1e:c2:9e:28:6b", "52:54:00:11:22:33"


def at(text: str) -> Address:
    address = address_in(text)
    assert address is not None
    return address


WIRING = Wiring(
    (
        Link(LO, "lo", bytes(6), 0x8),
        Link(WAN, "wan0", bytes.fromhex("001ec2000001"), 0),
        Link(HOME, "lan0", bytes.fromhex("001ec2000002"), 0),
    ),
    (
        OwnAddress(LO, at("127.0.0.1"), prefix(at("127.0.0.0"), 104), None),
        OwnAddress(WAN, at("203.0.113.1"), prefix(at("203.0.113.0"), 120), None),
        OwnAddress(HOME, at("192.168.1.1"), prefix(at("192.168.1.0"), 120), None),
        OwnAddress(HOME, at("fd00:1::1"), prefix(at("fd00:1::"), 64), None),
    ),
    (Route(2, prefix(at("0.0.0.0"), 96), 254, 1, (WAN,), gateway=False),),
)
OWN = {
    at("127.0.0.1"): Device("router", None, None),
    at("203.0.113.1"): Device("router", "00:1e:c2:00:00:01", "Apple"),
    at("192.168.1.1"): Device("router", "00:1e:c2:00:00:02", "Apple"),
    at("fd00:1::1"): Device("router", "00:1e:c2:00:00:02", "Apple"),
}


def lease(address: str, mac: str | None, name: str | None, expires_s: float = 100.0) -> Lease:
    return Lease(at(address), mac, name, expires_s)


def neighbour(address: str, mac: str = MAC, state: int = REACHABLE) -> Neighbour:
    return Neighbour(HOME, at(address), bytes.fromhex(mac.replace(":", "")), state)


def vendors_of(macs: Iterable[str]) -> dict[str, str | None]:
    return {mac: "Apple" if mac.startswith("00:1e:c2") else None for mac in macs}


def found(
    neighbours: Iterable[Neighbour], leases: Iterable[Lease] = (), ethers: dict[str, str] | None = None
) -> dict[Address, Device]:
    networks = Networks.of(WIRING.links, WIRING.addresses, WIRING.routes)
    names = Names({one.address: one for one in leases}, ethers or {})
    known = devices(WIRING, networks, neighbours, names, host_name="router", vendors_of=vendors_of)
    assert OWN.items() <= known.items()
    return {address: device for address, device in known.items() if address not in OWN}


def test_a_host_is_its_own_device_at_every_address() -> None:
    assert found([]) == {}
    assert found([], [lease("192.168.1.1", OTHER, "impostor")]) == {}


def test_a_neighbour_has_its_mac_and_vendor() -> None:
    assert found([neighbour("192.168.1.17"), neighbour("fd00:1::17", OTHER)]) == {
        at("192.168.1.17"): Device(None, MAC, "Apple"),
        at("fd00:1::17"): Device(None, OTHER, None),
    }


@pytest.mark.parametrize("address", ["8.8.8.8", "2001:db8::1", "224.0.0.1", "192.168.1.255", "10.0.0.1"])
def test_who_is_not_in_a_network_of_ours_is_no_device(address: str) -> None:
    assert found([neighbour(address)], [lease(address, MAC, "laptop")]) == {}


def test_of_two_neighbours_the_one_heard_of_last_counts() -> None:
    both = [neighbour("192.168.1.17", MAC), neighbour("192.168.1.17", OTHER, STALE)]
    assert found(both) == found(both[::-1]) == {at("192.168.1.17"): Device(None, MAC, "Apple")}


def test_what_is_no_mac_is_no_device() -> None:
    assert found([Neighbour(HOME, at("192.168.1.17"), bytes(20), REACHABLE)]) == {}


LAPTOP, PHONE6 = lease("192.168.1.17", MAC, "laptop"), lease("fd00:1::17", None, "laptop6")


@pytest.mark.parametrize(
    ("address", "leases", "ethers", "name"),
    [
        ("192.168.1.17", [LAPTOP], {}, "laptop"),
        ("192.168.1.17", [LAPTOP], {MAC: "desk"}, "desk"),
        ("fd00:1::99", [LAPTOP], {}, "laptop"),
        ("fe80::99", [LAPTOP], {}, "laptop"),
        ("192.168.1.17", [LAPTOP, lease("192.168.1.18", MAC, "later", 200)], {}, "laptop"),
        ("192.168.1.19", [LAPTOP, lease("192.168.1.18", MAC, "later", 200)], {}, "later"),
        ("192.168.1.19", [lease("192.168.1.18", MAC, "later", 200), LAPTOP], {}, "later"),
        ("fd00:1::17", [PHONE6], {}, "laptop6"),
        ("fd00:1::17", [PHONE6, LAPTOP], {}, "laptop"),
        ("192.168.1.17", [lease("192.168.1.17", OTHER, "somebody else")], {}, None),
        ("192.168.1.17", [lease("192.168.1.17", MAC, None)], {}, None),
        ("192.168.1.17", [lease("192.168.1.17", MAC, None)], {OTHER: "desk"}, None),
    ],
)
def test_a_neighbour_is_named_by(address: str, leases: list[Lease], ethers: dict[str, str], name: str | None) -> None:
    assert found([neighbour(address)], leases, ethers)[at(address)] == Device(name, MAC, "Apple")


def test_a_lease_is_a_device_while_no_neighbour_is_known() -> None:
    assert found([], [LAPTOP, PHONE6, lease("192.168.1.18", OTHER, None), lease("fd00:1::18", None, None)]) == {
        at("192.168.1.17"): Device("laptop", MAC, "Apple"),
        at("192.168.1.18"): Device(None, OTHER, None),
        at("fd00:1::17"): Device("laptop6", None, None),
    }
