"""Which device has an address: neighbours, leases and names of MACs, joined. Pure.

    own address    this host's name, MAC of the interface
    neighbour      its MAC, where the address is in a network of ours: beyond a default route without a gateway all the
                   world is a neighbour with the MAC of the next router
    lease          where no neighbour is known: the MAC that the address was given to

The name of a MAC is, of these, the first that there is:

    1. the one in /etc/ethers
    2. the one of its lease of this very address
    3. the one of its lease that lasts longest: so an IPv6 address that it made itself has the name too
    4. the one of a lease of the address that is nobody's MAC in particular (DHCPv6)

A lease of the address for another MAC names nothing: somebody else uses that address now.
"""

from collections.abc import Callable, Iterable, Mapping

import numpy as np

from flowtopd.enrich.lan.kernel import Wiring
from flowtopd.enrich.lan.leases.lease import Address, Lease, mac_of
from flowtopd.enrich.lan.networks import Networks
from flowtopd.flows.dimensions import Device, Where
from flowtopd.netlink import uapi
from flowtopd.netlink.rtnetlink import Neighbour

VendorsOf = Callable[[Iterable[str]], Mapping[str, str | None]]


class Names:
    """The names of MACs and addresses."""

    def __init__(self, leases: Mapping[Address, Lease], ethers: Mapping[str, str]) -> None:
        self.leases = leases
        self._ethers = ethers
        named = sorted((one for one in leases.values() if one.mac and one.name), key=lambda one: one.expires_s)
        self._by_mac = {one.mac: one.name for one in named}

    def of(self, address: Address, mac: str) -> str | None:
        """The name of who has an address, by its MAC."""
        lease = self.leases.get(address)
        if mac in self._ethers:
            return self._ethers[mac]
        if lease is not None and lease.mac == mac and lease.name:
            return lease.name
        if mac in self._by_mac:
            return self._by_mac[mac]
        return lease.name if lease is not None and lease.mac is None else None


def devices(
    wiring: Wiring,
    networks: Networks,
    neighbours: Iterable[Neighbour],
    names: Names,
    *,
    host_name: str,
    vendors_of: VendorsOf,
) -> dict[Address, Device]:
    """The device of every address that one is known for."""
    macs, own = _local(names.leases, neighbours, networks), _own(wiring)
    vendors = vendors_of(mac for mac in (*macs.values(), *own.values()) if mac)
    found = {}
    for address, mac in macs.items():
        if mac is not None:
            found[address] = Device(names.of(address, mac), mac, vendors[mac])
        elif name := names.leases[address].name:
            found[address] = Device(name)
    found |= {address: Device(host_name, mac, vendors[mac] if mac else None) for address, mac in own.items()}
    return found


def _local(
    leases: Mapping[Address, Lease], neighbours: Iterable[Neighbour], networks: Networks
) -> dict[Address, str | None]:
    """The MACs of addresses in our networks; of two neighbours the one that was heard of last."""
    macs = {address: lease.mac for address, lease in leases.items()}
    for one in sorted(neighbours, key=lambda one: one.state != uapi.NUD_STALE):
        if mac := mac_of(one.mac):
            macs[one.address] = mac
    if not macs:
        return {}
    where = networks.where(np.array(list(macs), np.uint64))
    near = np.isin(where, (Where.LAN, Where.UPLINK)).tolist()
    return {address: mac for (address, mac), is_near in zip(macs.items(), near, strict=True) if is_near}


def _own(wiring: Wiring) -> dict[Address, str | None]:
    macs = {link.index: mac_of(link.mac) for link in wiring.links}
    return {one.address: macs.get(one.index) for one in wiring.addresses}
